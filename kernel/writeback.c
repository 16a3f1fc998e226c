// writeback.c - the writeback channels.
#include "supervisor.h"

// How many entries wait to be read.  The tail is the kernel's word: anything it says only hurts itself.
static uint32_t channel_fill(const struct appkernel *k)
{
    uint32_t fill = k->channel_head - load_acquire(&k->channel->tail);   // pairs with the kernel's store of tail
    return fill > CHANNEL_ENTRIES ? CHANNEL_ENTRIES : fill;
}

static void channel_put(struct appkernel *k, const struct channel_entry *e)
{
    k->channel->entry[k->channel_head % CHANNEL_ENTRIES] = *e;
    k->channel_head++;
    store_release(&k->channel->head, k->channel_head);                   // pairs with the kernel's load of head
}

void writeback_post(struct cpu *cpu, struct appkernel *k, const struct object *o, uint64_t cookie, uint64_t value)
{
    struct channel_entry e = {o->type, o->reason, cookie, o->last_id, value};

    cpu->instance->stats->writebacks[o->type]++;
    if (k->o.state != OBJECT_LOADED) {
        return;                        // its owner goes too; the places in memory say what happened
    }
    if (channel_fill(k) == CHANNEL_ENTRIES) {
        store_relaxed(&k->channel->lost, k->channel->lost + 1);
    } else {
        channel_put(k, &e);
    }
    struct thread *listener = thread_find(cpu->instance, k->listener);
    if (listener != NULL) {
        sched_signal(cpu, listener);
    }
}

void writeback_post_mapping(struct appkernel *k, uint64_t cookie, va_t va, uint32_t bits)
{
    struct channel_entry e = {OBJECT_MAPPING, REASON_EVICTED, cookie, va, bits};

    if (k->o.state == OBJECT_LOADED && channel_fill(k) <= CHANNEL_ENTRIES / 2) {
        channel_put(k, &e);
    }
}
