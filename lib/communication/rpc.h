// rpc.h - calls of objects in other address spaces: what the generated stubs stand on.
//
// An interface file (tools/stubs says how it looks) names operations with their fields.  From it the build makes, for
// an interface `account`, a table of functions for the server (struct account_operations; one that is NULL is not
// offered) and a function for each operation for the client.  A call names an object, by a 64-bit id that means nothing
// to the client, and an operation; marshalling is in user space on both sides.
//
// What carries messages is a table too (struct rpc_transport): rpc_channel.h has the one over message pages.
//
// Errors are err_t, as the operation gives them, or enum rpc_error.  An id of an object that has gone gives STALE.
// Locking: none; a client makes one call at a time, a server serves one.  Cache Kernel, 2.2.
#pragma once
#include <abi/errors.h>
#include <abi/types.h>

#include "wire.h"

enum rpc_error {
    RPC_GARBAGE = 64,                    // the message was none
    RPC_VERSION,                         // the server has no such interface, or another version of it
    RPC_TOO_LONG,                        // a string or an array is longer than its bound
};
// A sentence for any error that a call gives.
const char *rpc_error_text(uint32_t error);

// ---- the server ---------------------------------------------------------------------------------------------

struct rpc_server;
struct rpc_object;

struct rpc_interface {                   // I  generated
    const char *name;
    uint32_t    version, operations;
    uint64_t    signature;
    // Unmarshal, call, marshal.  Called with an operation that exists.
    uint32_t  (*serve)(struct rpc_server *s, struct rpc_object *o, unsigned operation, struct wire *in,
                       struct wire *out);
};

struct rpc_object {                      // a slot of the table: free if interface is NULL
    const struct rpc_interface *interface;
    const void *operations;              // the interface's table of functions
    void       *self;                    // the program's
    uint32_t    generation;
};

// What one client may name.  The first object of the table is what it gets when it binds.
struct rpc_server {
    struct rpc_object *object;           // cleared at the beginning
    uint32_t objects;
    void    *owner;                      // the program's
    uint64_t calls, errors;              // served; and those of them that ended with an error
};

// Put an object into the table; 0: there is no room.  Its id is never given again (for 2^32 times of its slot).
uint64_t rpc_object_add(struct rpc_server *s, const struct rpc_interface *interface, const void *operations,
                        void *self);
uint64_t rpc_object_id(const struct rpc_server *s, const struct rpc_object *o);
// From here on its id is stale.  An operation may remove its own object.
void     rpc_object_remove(struct rpc_server *s, struct rpc_object *o);

// Serve one message.  The reply has room for WIRE_MESSAGE bytes; its length is given, 0 if there is none to send: what
// came was no call.  Both buffers are the server's own.
size_t   rpc_serve(struct rpc_server *s, void *message, size_t length, void *reply);

// ---- the client ---------------------------------------------------------------------------------------------

struct rpc_transport {
    err_t (*send)(void *self, const void *message, size_t length);
    // The next message, or TIMEOUT when the clock reaches the deadline.  A message that is none is skipped.
    err_t (*receive)(void *self, void *message, size_t size, size_t *length, uint64_t deadline);
    uint64_t (*now)(void);               // the clock of deadlines
};

struct rpc_client {
    const struct rpc_transport *transport;
    void    *self;                       // the transport's
    uint64_t patience;                   // ticks that a call waits for its answer
    uint64_t calls;                      // made
};

// Bind: does the other side offer this interface, in this version?  *object is its first object.
// The signature is the one in the generated header.
uint32_t rpc_bind(struct rpc_client *c, uint64_t signature, uint64_t *object);

// For stubs: a message is begun, filled through the cursor, and exchanged for the reply, whose fields are read through
// the same cursor.
struct rpc_exchange {
    struct wire wire;
    uint64_t    message[WIRE_MESSAGE / 8];
};
void     rpc_begin(struct rpc_exchange *x);
uint32_t rpc_exchange(struct rpc_client *c, struct rpc_exchange *x, uint64_t signature, uint64_t object,
                      unsigned operation);
