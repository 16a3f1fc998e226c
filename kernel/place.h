// place.h - on which processor a ready thread waits, and which waiting threads another one may take.
//
// Nothing here changes a list.  Locking: the instance lock.  Cache Kernel, 4.3.
#pragma once
#include "appkernel.h"
#include "share.h"

static inline bool may_run(const struct thread *t, cpu_t number)
{
    return t->affinity >> number & 1;
}
static inline int running_level(const struct cpu *c)
{
    return c->thread == NULL ? -1 : (int)c->thread->level;
}
// What the level of t would be on processor c.
static inline uint32_t level_on(const struct cpu *c, const struct thread *t)
{
    return t->kern->share[c->number].base + t->priority;
}
static inline int highest(uint64_t mask)
{
    return mask == 0 ? -1 : 63 ^ __builtin_clzll(mask);
}

// Where a thread that has become ready should wait: where it ran last if it would run at once, else the processor where
// it is the furthest above what runs, else where it ran last.
struct cpu *place_for(struct cpu *cpu, struct thread *t);
// Threads wait here that might run at once elsewhere: tell processors that have time to spare, and do not know yet.
void place_offer(struct cpu *cpu);
// The ready thread of another processor's that may run here and would be on the highest level above `above`.
struct thread *place_steal(struct cpu *cpu, int above);
