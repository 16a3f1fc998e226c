// cache.c - the buffer cache of bodies.  See cache.h.
//
// A thread that finds no buffer waits for `room`.  It says so in `looking` before it looks at the entries, each under
// its lock; who lets a block go reads `looking` after it has had that lock.  So either the first one sees that the
// block is free, or the other one sees that somebody looks, and wakes him.
#include "cache.h"

#include <base.h>

bool cache_init(struct cache *c, struct body *store, uint32_t blocks, uint32_t buffers, uint64_t ticks)
{
    *c = (struct cache){.store = store, .blocks = blocks, .buffers = buffers, .ticks = ticks};
    c->entry = par_memory(blocks * sizeof(*c->entry));
    c->buffer = par_memory((size_t)buffers * BLOCK_BODIES * sizeof(*c->buffer));
    c->owner = par_memory(buffers * sizeof(*c->owner));
    if (c->entry == NULL || c->buffer == NULL || c->owner == NULL) {
        return false;
    }
    memcpy(c->buffer, store, (size_t)buffers * BLOCK_BODIES * sizeof(*store));
    for (uint32_t i = 0; i < buffers; i++) {
        c->entry[i].state = CACHE_RESIDENT;
        c->entry[i].buffer = i;
        c->owner[i] = i;
    }
    return true;
}

static struct body *bytes_of(struct cache *c, uint32_t buffer)
{
    return &c->buffer[(size_t)buffer * BLOCK_BODIES];
}

static struct body *place_of(struct cache *c, uint32_t block)
{
    return &c->store[(size_t)block * BLOCK_BODIES];
}

// Take the buffer away from its block, if that is not in use.  The clock's lock is held.
static bool replace(struct cache *c, uint32_t buffer)
{
    uint32_t block = c->owner[buffer];
    struct cache_entry *e = &c->entry[block];

    par_lock(&e->lock);
    bool good = e->state == CACHE_RESIDENT && e->holders == 0 && !e->used;
    if (good && e->written) {
        memcpy(place_of(c, block), bytes_of(c, buffer), BLOCK_BODIES * sizeof(struct body));
        e->written = false;
    }
    if (good) {
        e->state = CACHE_ABSENT;
    }
    if (e->holders == 0) {
        e->used = false;
    }
    par_unlock(&e->lock);
    return good;
}

// A buffer for the block, which is LOADING.
static uint32_t take_buffer(struct cache *c, uint32_t block)
{
    uint32_t buffer;

    par_lock(&c->lock);
    c->misses++;
    __atomic_fetch_add(&c->looking, 1, __ATOMIC_SEQ_CST);
    for (uint32_t tries = 0;; tries++) {
        if (tries == 2 * c->buffers) {
            par_wait(&c->room, &c->lock);
            tries = 0;
        }
        buffer = c->hand;
        c->hand = (c->hand + 1) % c->buffers;
        if (replace(c, buffer)) {
            break;
        }
    }
    __atomic_fetch_sub(&c->looking, 1, __ATOMIC_SEQ_CST);
    c->owner[buffer] = block;
    par_unlock(&c->lock);
    return buffer;
}

// The entry's lock is held, and let go meanwhile.
static void load(struct cache *c, struct cache_entry *e, uint32_t block)
{
    e->state = CACHE_LOADING;
    par_unlock(&e->lock);
    uint32_t buffer = take_buffer(c, block);
    par_block(c->ticks);
    memcpy(bytes_of(c, buffer), place_of(c, block), BLOCK_BODIES * sizeof(struct body));
    par_lock(&e->lock);
    e->buffer = buffer;
    e->state = CACHE_RESIDENT;
    par_wake_all(&e->arrived);
}

struct body *cache_get(struct cache *c, uint32_t block)
{
    struct cache_entry *e = &c->entry[block];

    par_lock(&e->lock);
    while (e->state != CACHE_RESIDENT) {
        if (e->state == CACHE_ABSENT) {
            load(c, e, block);
        } else {
            par_wait(&e->arrived, &e->lock);
        }
    }
    e->holders++;
    e->used = true;
    struct body *b = bytes_of(c, e->buffer);
    par_unlock(&e->lock);
    return b;
}

void cache_put(struct cache *c, uint32_t block, bool written)
{
    struct cache_entry *e = &c->entry[block];

    par_lock(&e->lock);
    e->holders--;
    e->written = e->written || written;
    par_unlock(&e->lock);
    if (__atomic_load_n(&c->looking, __ATOMIC_SEQ_CST) != 0) {
        par_lock(&c->lock);
        par_wake_all(&c->room);
        par_unlock(&c->lock);
    }
}

void cache_flush(struct cache *c)
{
    for (uint32_t i = 0; i < c->buffers; i++) {
        uint32_t block = c->owner[i];
        memcpy(place_of(c, block), bytes_of(c, i), BLOCK_BODIES * sizeof(struct body));
        c->entry[block].written = false;
    }
}
