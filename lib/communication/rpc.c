// rpc.c - calls of objects: both ends, without marshalling (generated) and without transport.
#include "rpc.h"

#include <base.h>

enum { SLOT_BITS = 16, REPLIES = 64 };   // messages that are not the answer, after which a call gives up

const char *rpc_error_text(uint32_t error)
{
    static const char *const text[] = {
#define ERROR(number, name, sentence) [number] = sentence,
#include <abi/errors.def>
#undef ERROR
    };

    switch (error) {
    case RPC_GARBAGE:
        return "the message was none";
    case RPC_VERSION:
        return "the interface is not offered, or in another version";
    case RPC_TOO_LONG:
        return "a string or an array is longer than its bound";
    default:
        return error < sizeof(text) / sizeof(text[0]) && text[error] != NULL ? text[error] : "an unknown error";
    }
}

// ---- objects ------------------------------------------------------------------------------------------------

uint64_t rpc_object_id(const struct rpc_server *s, const struct rpc_object *o)
{
    return (uint64_t)o->generation << SLOT_BITS | (uint64_t)(o - s->object);
}

uint64_t rpc_object_add(struct rpc_server *s, const struct rpc_interface *interface, const void *operations, void *self)
{
    for (uint32_t i = 0; i < s->objects; i++) {
        struct rpc_object *o = &s->object[i];
        if (o->interface == NULL) {
            uint32_t generation = o->generation + 1;
            *o = (struct rpc_object){interface, operations, self, generation != 0 ? generation : 1};
            return rpc_object_id(s, o);
        }
    }
    return 0;
}

void rpc_object_remove(struct rpc_server *s, struct rpc_object *o)
{
    (void)s;
    o->interface = NULL;
    o->self = NULL;
}

static struct rpc_object *find(const struct rpc_server *s, uint64_t id)
{
    uint64_t slot = id & ((1u << SLOT_BITS) - 1);

    if (slot >= s->objects || s->object[slot].interface == NULL || rpc_object_id(s, &s->object[slot]) != id) {
        return NULL;
    }
    return &s->object[slot];
}

// ---- serving ------------------------------------------------------------------------------------------------

static uint32_t bind(const struct rpc_server *s, const struct wire_header *h, uint64_t *object)
{
    const struct rpc_object *o = &s->object[0];

    if (s->objects == 0 || o->interface == NULL || o->interface->signature != h->interface) {
        return RPC_VERSION;
    }
    *object = rpc_object_id(s, o);
    return ERR_OK;
}

static uint32_t call(struct rpc_server *s, const struct wire_header *h, struct wire *in, struct wire *out)
{
    struct rpc_object *o = find(s, h->object);

    if (o == NULL) {
        return ERR_STALE;
    }
    if (o->interface->signature != h->interface) {
        return RPC_VERSION;
    }
    return h->operation < o->interface->operations ? o->interface->serve(s, o, h->operation, in, out) : ERR_NOCALL;
}

size_t rpc_serve(struct rpc_server *s, void *message, size_t length, void *reply)
{
    struct wire_header h;
    uint32_t e = RPC_GARBAGE;

    if (length < sizeof(h) || length > WIRE_MESSAGE) {
        return 0;
    }
    memcpy(&h, message, sizeof(h));
    if (h.magic != WIRE_MAGIC || (h.kind != WIRE_CALL && h.kind != WIRE_BIND)) {
        return 0;
    }
    struct wire in = wire_open((uint8_t *)message + sizeof(h), length - sizeof(h));
    struct wire out = wire_open((uint8_t *)reply + sizeof(h), WIRE_MESSAGE - sizeof(h));
    uint8_t *begin = out.at;
    if (h.length == length - sizeof(h)) {
        e = h.kind == WIRE_BIND ? bind(s, &h, &h.object) : call(s, &h, &in, &out);
    }
    s->calls++;
    s->errors += e != ERR_OK;
    h.kind = WIRE_REPLY;
    h.error = e;
    h.length = e == ERR_OK ? (uint32_t)(out.at - begin) : 0;
    memcpy(reply, &h, sizeof(h));
    return sizeof(h) + h.length;
}

// ---- calling ------------------------------------------------------------------------------------------------

void rpc_begin(struct rpc_exchange *x)
{
    x->wire = wire_open((uint8_t *)x->message + sizeof(struct wire_header), WIRE_MESSAGE - sizeof(struct wire_header));
}

static bool is_reply(const struct wire_header *h, size_t length, uint64_t id)
{
    return h->magic == WIRE_MAGIC && h->kind == WIRE_REPLY && h->call == id && h->length == length - sizeof(*h);
}

// Send what is in x and receive its answer.  Late answers of earlier calls are thrown away.
static uint32_t transact(struct rpc_client *c, struct rpc_exchange *x, struct wire_header *h)
{
    uint64_t deadline = c->transport->now() + c->patience, id = ++c->calls;
    size_t length = 0;

    *h = (struct wire_header){WIRE_MAGIC, h->kind, h->operation, id, h->object, h->interface, 0,
                              (uint32_t)(x->wire.at - (uint8_t *)x->message - sizeof(*h))};
    memcpy(x->message, h, sizeof(*h));
    err_t e = c->transport->send(c->self, x->message, sizeof(*h) + h->length);
    for (unsigned i = 0; e == ERR_OK && i < REPLIES; i++) {
        e = c->transport->receive(c->self, x->message, sizeof(x->message), &length, deadline);
        if (e != ERR_OK || length < sizeof(*h)) {
            continue;
        }
        memcpy(h, x->message, sizeof(*h));
        if (is_reply(h, length, id)) {
            x->wire = wire_open((uint8_t *)x->message + sizeof(*h), h->length);
            return h->error;
        }
    }
    return e != ERR_OK ? (uint32_t)e : RPC_GARBAGE;
}

uint32_t rpc_bind(struct rpc_client *c, uint64_t signature, uint64_t *object)
{
    struct wire_header h = {.kind = WIRE_BIND, .interface = signature};
    struct rpc_exchange x;

    rpc_begin(&x);
    uint32_t e = transact(c, &x, &h);
    *object = e == ERR_OK ? h.object : 0;
    return e;
}

uint32_t rpc_exchange(struct rpc_client *c, struct rpc_exchange *x, uint64_t signature, uint64_t object,
                      unsigned operation)
{
    struct wire_header h = {
        .kind = WIRE_CALL, .operation = (uint16_t)operation, .object = object, .interface = signature,
    };

    return wire_good(&x->wire) ? transact(c, x, &h) : RPC_TOO_LONG;
}
