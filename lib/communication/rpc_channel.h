// rpc_channel.h - what carries calls between two parties that share two message pages: one for calls, one for answers.
//
// The client's page is written by the client alone, the server's by the server alone; each copies out of the other's
// before it believes anything.  A server that never answers costs the client its patience, and no more; a client that
// writes garbage, floods or vanishes costs the server a look at COM_SLOTS slots for each time that it looks.
#pragma once
#include "communication.h"
#include "rpc.h"

struct rpc_channel {                     // the client's end: the `self` of rpc_channel_transport
    struct com_channel calls;            // it sends here
    struct com_channel answers;          // and receives here
    // Wait until something might have come in `answers`, or the clock reaches the deadline; may return at any time.
    void (*wait)(struct rpc_channel *r, uint64_t deadline);
    uint64_t again;                      // ticks without an answer after which the call is signalled once more
};

extern const struct rpc_transport rpc_channel_transport;

// Serve what has come in `calls`: `most` messages at most, each answered in `answers`.  Gives how many there were; less
// than `most` means that nothing is left.
unsigned rpc_channel_serve(struct rpc_server *s, struct com_channel *calls, struct com_channel *answers, unsigned most);
