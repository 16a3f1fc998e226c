// cache.h - the buffer cache of bodies: what a program does that manages a part of its memory itself.
//
// Bodies are in blocks on a disk (`store`); some of the blocks are in buffers.  cache_get() gives a block's buffer; if
// it has none, one is taken that nobody holds and that was not used lately, and the thread blocks in the kernel for as
// long as a disk takes.  The store is memory too, so that only the time is simulated: what is read through a buffer is
// what was written through one.
//
//   ABSENT -> LOADING (one thread blocks for it, others wait) -> RESIDENT -> ABSENT (replaced: nobody holds it)
//
// A thread holds one block at a time, and waits for nothing meanwhile; so there may be fewer buffers than threads.
// Locking: each block's entry has a lock; `lock` covers the clock of buffers and is taken first.
// Scheduler Activations, 5.3.
#pragma once
#include "nbody.h"
#include "par.h"

enum cache_state { CACHE_ABSENT = 0, CACHE_LOADING = 1, CACHE_RESIDENT = 2 };

struct cache_entry {                     // of a block
    struct par_mutex lock;
    struct par_cond  arrived;
    uint32_t state;                      // lock
    uint32_t buffer;                     // lock  if it is not ABSENT
    uint32_t holders;                    // lock
    bool     used, written;              // lock  since the clock passed; since it was read
};

struct cache {
    struct body        *store;           // I
    struct cache_entry *entry;           // I  one for each block
    struct body        *buffer;          // I
    uint32_t           *owner;           // lock  the block that a buffer has, or is to have
    uint32_t            blocks, buffers; // I
    uint64_t            ticks;           // I  that a read of the disk takes
    struct par_mutex    lock;
    struct par_cond     room;
    uint32_t            hand;            // lock
    uint32_t            looking;         // a  threads that look for a buffer
    uint64_t            misses;          // lock
};

// buffers: at least one, at most as many as blocks; the first blocks are resident.  False: no memory.
bool cache_init(struct cache *c, struct body *store, uint32_t blocks, uint32_t buffers, uint64_t ticks);
// The bodies of a block, until cache_put().  Blocks while they are read.
struct body *cache_get(struct cache *c, uint32_t block);
// written: the caller has changed them; nobody else held the block meanwhile.
void cache_put(struct cache *c, uint32_t block, bool written);
// Write all back.  Nobody holds a block.
void cache_flush(struct cache *c);
