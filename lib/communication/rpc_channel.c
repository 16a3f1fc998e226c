// rpc_channel.c - calls over two message pages.  See rpc_channel.h.
#include "rpc_channel.h"

static uint64_t channel_now(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

static err_t channel_send(void *self, const void *message, size_t length)
{
    struct rpc_channel *r = self;

    return com_send(&r->calls, message, length);
}

// A signal that found nobody, or a server that was away, costs `again` ticks: the call is still in the page, and is
// signalled once more.
static err_t channel_receive(void *self, void *message, size_t size, size_t *length, uint64_t deadline)
{
    struct rpc_channel *r = self;
    uint64_t ring = channel_now() + r->again;

    for (;;) {
        err_t e = com_receive(&r->answers, message, size, length);
        if (e == ERR_OK) {
            return e;
        }
        uint64_t now = channel_now();
        if (now >= deadline) {
            return ERR_TIMEOUT;
        }
        if (now >= ring) {
            (void)com_ring(&r->calls);
            ring = now + r->again;
        }
        if (e == ERR_AGAIN) {
            r->wait(r, ring < deadline ? ring : deadline);
        }
    }
}

const struct rpc_transport rpc_channel_transport = {channel_send, channel_receive, channel_now};

unsigned rpc_channel_serve(struct rpc_server *s, struct com_channel *calls, struct com_channel *answers, unsigned most)
{
    uint64_t message[WIRE_MESSAGE / 8], reply[WIRE_MESSAGE / 8];
    unsigned count = 0;

    for (; count < most; count++) {
        size_t length = 0;
        err_t e = com_receive(calls, message, sizeof(message), &length);
        if (e == ERR_AGAIN) {
            break;
        }
        length = e == ERR_OK ? rpc_serve(s, message, length, reply) : 0;
        if (length > 0) {
            (void)com_send(answers, reply, length);
        }
    }
    return count;
}
