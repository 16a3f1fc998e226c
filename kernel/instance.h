// instance.h - one Cache Kernel: everything it holds hangs from here.
//
// Reached through the processor's base register; there are no writable globals.  This header brings what nearly every
// file of the supervisor uses: the four objects, the machine, atomic operations and assertions.
// Fields: I immutable after boot  l instance lock  a atomic
#pragma once
#include <abi/boot.h>

#include "appkernel.h"
#include "arch.h"
#include "assert.h"
#include "atomic.h"
#include "cpu.h"
#include "delegate.h"
#include "device.h"
#include "handle.h"
#include "space.h"
#include "thread.h"

// What a step may answer besides the errors of the ABI.
enum {
    ERR_RESTART = 256,            // nothing is wrong, but not done: execute the same call again
    ERR_NO_RESULT,                // the caller's registers are not to be written: it resumed, or is gone
    ERR_USER_FAULT,               // an argument's memory is not mapped: forward a fault at the call
    ERR_USER_WRITE,               // the same, and the call would write there
};

enum { CLAIMANTS_MOST = 64 };     // spaces of activations loaded at once
enum realloc {                    // bits of instance.realloc, see allocator.h
    REALLOC_SPACES = 1,           // what spaces want or have: of those that are `changed`
    REALLOC_ALL = 2,              // threads, or levels of anybody
};

// A step is bounded by its work, not by a number of objects: in units of about ten instructions.
enum {
    STEP_WORK = 1000,             // of one step; the object with which it is reached is still finished
    WORK_MAPPING = 24,            // one mapping unloaded, the search for its record apart
    WORK_FLUSH = 10,              // telling the processors of it at once
    WORK_LOWER = 8,               // one lowered
    WORK_LOAD = 60,               // one loaded that is not of the usual kind
    WORK_THREAD = 30,             // one thread unloaded
    WORK_SPACE = 30,              // one space, its threads and mappings apart
    WORK_WAKE = 20,               // one thread woken, by its deadline or a signal
    WORK_ASK = 8,                 // what one space of activations wants and gets, what it has apart
    WORK_ALLOCATE = STEP_WORK / 2, // shares of processors at the end of a step, at least
    WORK_ASKING = STEP_WORK * 3 / 4, // of it the rest is for claims
};

// The instance lock: one spin lock for all edits of objects, mappings and ready lists.
//
// It is the only lock of the supervisor, so there is no order to keep.  It is held for one bounded step
// of one call.  What needs no lock: forwarding a trap or fault, and returning from a handler (trap.c).
// A processor that spins here answers TLB shoot-downs, for the holder may be waiting for its answer.
// Whoever comes first when it is free takes it.  A queue of tickets would be fair, but where the processors are
// virtual and more than the host has, it hands the lock to one that does not run, and all others wait for the host.
struct lock {
    uint32_t held;                // a  1: taken
};
// It is held by somebody: wait, then take it.  The two functions for everybody are below.
void lock_wait(struct lock *l, struct cpu *cpu);

struct instance {
    struct lock   lock;
    uint32_t      work;                       // l  done since the lock was taken
    uint32_t      cpus;                       // I
    struct cpu    cpu[ABI_MAX_CPUS];
    uint64_t      spare;                      // l  processors where nobody within its share runs, a bit each
    uint64_t      slice;                      // I  ticks
    uint64_t      jitter;                     // I  seed of random preemption, 0: none

    struct cache  kernels, spaces, threads;
    struct thread **state_hash;               // l  loaded threads by state page
    uint32_t      state_mask;                 // I
    uint32_t      sweep;                      // l  progress over the threads, for the classes of kernels: see cache.c
    struct list   unloading;                  // l  objects whose unload has begun
    struct appkernel *first;                  // I
    struct promises promises;                 // l  of the loaded kernels
    struct list   claimants;                  // l  spaces of activations, by claims.link
    uint32_t      nclaimants;                 // l
    uint8_t       realloc;                    // l  what may have changed of shares of processors: enum realloc

    // Mapping records (pmap.c).
    struct record *records;                   // I  replaceable ones, then lockable ones
    uint32_t     *buckets;                    // l  hash by frame; index + 1
    uint32_t      bucket_mask;                // I
    uint32_t      nrecords, nlocked;          // I
    uint32_t      free_record, free_locked;   // l  heads of free lists; index + 1
    uint32_t      hand;                       // l  of the clock

    // Page tables (table.c).
    struct table *tables;                     // I  one for each table frame
    pa_t          table_base;                 // I  frames of tables
    pa_t          root_base;                  // I  frames of roots, one for each space slot
    uint32_t      ntables;                    // I
    uint32_t      table_hand;                 // l
    struct list   free_tables;                // l

    uint64_t      message_version;            // l  counts changes of message mappings; begins with 1
    uint64_t      groups;                     // I  page groups that rights arrays cover
    struct devices devices;                   // l
    struct delegate delegate;                 // l  who decides about shares of processors
    pa_t          system;                     // I  the system pages
    struct system_info  *info;                // I
    struct system_stats *stats;               // l

    // What the policy computes with (allocator.c, delegate.c); none of it is kept from one time to the next.
    struct fair   fair, trial[2];             // l
    struct claimant claimant[CLAIMANTS_MOST], limit[CLAIMANTS_MOST]; // l  who claims; with what an answer leaves them
};

static inline struct appkernel *kernel_find(struct instance *in, oid_t id)
{
    return (struct appkernel *)cache_find(&in->kernels, id);
}
// As cache_find() does it, but with a stride that the compiler knows.
static inline bool space_get(const struct instance *in, oid_t id, struct space **s)
{
    uint64_t slot = OID_SLOT(id);

    *s = (struct space *)(void *)in->spaces.objects + slot;
    return id != 0 && slot < in->spaces.size && load_relaxed(&(*s)->o.id) == id;
}
static inline struct space *space_find(const struct instance *in, oid_t id)
{
    struct space *s;

    return space_get(in, id, &s) ? s : NULL;
}
static inline struct thread *thread_find(struct instance *in, oid_t id)
{
    return (struct thread *)cache_find(&in->threads, id);
}
static inline struct appkernel *kernel_at(struct instance *in, uint32_t slot)
{
    return (struct appkernel *)cache_at(&in->kernels, slot);
}
static inline struct space *space_at(struct instance *in, uint32_t slot)
{
    return (struct space *)cache_at(&in->spaces, slot);
}
static inline struct thread *thread_at(struct instance *in, uint32_t slot)
{
    return (struct thread *)cache_at(&in->threads, slot);
}

// The space in which t runs now.
static inline struct space *thread_where(const struct thread *t)
{
    return t->depth > 0 ? t->kern->space : t->space;
}

static inline void instance_lock(struct cpu *cpu)
{
    struct lock *l = &cpu->instance->lock;

    assert(!cpu->locked);
    if (__builtin_expect(exchange_acq_rel(&l->held, 1) != 0, 0)) {      // pairs with the store in instance_unlock()
        lock_wait(l, cpu);
    }
    cpu->locked = true;
    cpu->instance->work = 0;
}
// The same, if nobody has it.
static inline bool instance_try(struct cpu *cpu)
{
    struct instance *in = cpu->instance;

    assert(!cpu->locked);
    if (__builtin_expect(exchange_acq_rel(&in->lock.held, 1) != 0, 0)) {     // pairs as above
        return false;
    }
    cpu->locked = true;
    in->work = 0;
    return true;
}
// May this step do more?
static inline bool work_left(const struct instance *in)
{
    return in->work < STEP_WORK;
}
static inline void instance_unlock(struct cpu *cpu)
{
    struct lock *l = &cpu->instance->lock;

    assert(cpu->locked);
    cpu->locked = false;
    store_release(&l->held, 0);     // pairs with the exchange in instance_lock()
}
