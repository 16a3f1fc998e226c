// writeback.c - the supervisor's writeback channel, read as any other channel.
//
// The supervisor fills the ring (abi/object.h) and signals the thread that `listen` named; what it has to drop it
// counts, and `missed` follows that count.  Cache Kernel, 2.2: object writeback uses a writeback channel.
#include <base.h>

#include "communication.h"

static err_t writeback_send(struct com_channel *c, const void *message, size_t length)
{
    (void)c, (void)message, (void)length;
    return ERR_NOCALL;
}

static err_t writeback_receive(struct com_channel *c, void *message, size_t size, size_t *length)
{
    struct channel *ring = c->page;

    c->missed = __atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE);
    if (c->next == __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE)) {
        return ERR_AGAIN;
    }
    *length = sizeof(struct channel_entry);
    bool fits = size >= *length;
    if (fits) {
        memcpy(message, &ring->entry[c->next % CHANNEL_ENTRIES], *length);
    }
    __atomic_store_n(&ring->tail, ++c->next, __ATOMIC_RELEASE);          // the entry may be written again
    return fits ? ERR_OK : ERR_INVAL;
}

static void writeback_deliver(struct com_channel *c, const void *message, size_t length)
{
    (void)c, (void)message, (void)length;
}

static err_t writeback_ring(va_t va, uint64_t *receivers)
{
    (void)va, (void)receivers;
    return ERR_NOCALL;
}

const struct com_operations com_writeback_operations = {
    writeback_send, writeback_receive, writeback_deliver, writeback_ring,
};

void com_open_writeback(struct com_channel *c, struct channel *writeback)
{
    *c = (struct com_channel){
        .operations = &com_writeback_operations, .page = writeback,
        .next = __atomic_load_n(&writeback->tail, __ATOMIC_RELAXED),
    };
}
