// wire.h - how a call of an object looks as bytes, whatever carries it.
//
// A message is a header and the operation's fields, one after the other, in the machine's order and without gaps:
//     integers of 1, 2, 4 and 8 bytes
//     string N         its length in 2 bytes, at most N, and so many bytes, none of them 0
//     array TYPE N     the number of elements in 2 bytes, at most N, and the elements
// The generator (tools/stubs) writes the code that does this for each operation, with the functions below.
//
// A cursor never leaves its buffer: what does not fit or is not as it should be sets `bad`, reads zeros and writes
// nothing from then on; whoever is done asks wire_good().  The buffer is the caller's own memory: what the other party
// can still change is copied before it is read (channel.c does).
#pragma once
#include <abi/types.h>
#include <base.h>

enum { WIRE_MAGIC = 0x314e5551, WIRE_MESSAGE = 496 };        // bytes of the longest message

enum wire_kind {
    WIRE_CALL  = 1,                      // operation, object, fields
    WIRE_REPLY = 2,                      // error; with error 0 the fields of the answer
    WIRE_BIND  = 3,                      // is this interface offered?  The reply names its first object
};

struct wire_header {
    uint32_t magic;
    uint16_t kind;                       // enum wire_kind
    uint16_t operation;                  // number in the interface
    uint64_t call;                       // chosen by the caller, back in the reply
    uint64_t object;
    uint64_t interface;                  // its signature: of name and version, and of every operation and field
    uint32_t error;                      // of a reply: enum rpc_error or err_t
    uint32_t length;                     // bytes behind the header
};
_Static_assert(sizeof(struct wire_header) == 40, "header");

struct wire {
    uint8_t *at, *end;
    bool     bad;
};

static inline struct wire wire_open(void *buffer, size_t size)
{
    return (struct wire){buffer, (uint8_t *)buffer + size, false};
}
// Everything was well-formed so far.
static inline bool wire_good(const struct wire *w)
{
    return !w->bad;
}
// All was read, and nothing is left.
static inline bool wire_done(const struct wire *w)
{
    return !w->bad && w->at == w->end;
}

static inline void wire_put_bytes(struct wire *w, const void *bytes, size_t n)
{
    if (w->bad || (size_t)(w->end - w->at) < n) {
        w->bad = true;
        return;
    }
    memcpy(w->at, bytes, n);
    w->at += n;
}
static inline void wire_get_bytes(struct wire *w, void *bytes, size_t n)
{
    if (w->bad || (size_t)(w->end - w->at) < n) {
        w->bad = true;
        memset(bytes, 0, n);
        return;
    }
    memcpy(bytes, w->at, n);
    w->at += n;
}

// A count of something bounded; 0 and bad if it is over the bound.
static inline void wire_put_count(struct wire *w, uint32_t count, uint32_t most)
{
    uint16_t n = (uint16_t)count;

    w->bad |= count > most;
    wire_put_bytes(w, &n, sizeof(n));
}
static inline uint32_t wire_get_count(struct wire *w, uint32_t most)
{
    uint16_t n;

    wire_get_bytes(w, &n, sizeof(n));
    w->bad |= n > most;
    return w->bad ? 0 : n;
}

// text has room for most + 1 bytes and ends with NUL within them.
static inline void wire_put_string(struct wire *w, const char *text, uint32_t most)
{
    size_t n = strnlen(text, (size_t)most + 1);

    wire_put_count(w, (uint32_t)n, most);
    wire_put_bytes(w, text, w->bad ? 0 : n);
}
static inline void wire_get_string(struct wire *w, char *text, uint32_t most)
{
    uint32_t n = wire_get_count(w, most);

    wire_get_bytes(w, text, n);
    text[n] = '\0';
    w->bad |= strnlen(text, n) != n;
}
