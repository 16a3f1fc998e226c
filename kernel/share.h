// share.h - how much of each processor a kernel may use, and what it has used.
//
// For each kernel and processor there is a record with a clock of its own, `paid`: running a tick moves it by
// 100/share ticks, by more at a high priority and by less at a low one.  As long as it is behind the real
// clock the kernel is within its share.  When it has caught up the kernel is over it, until the real clock is
// some slices ahead again.  Threads of a kernel that is over its share run only where none of a kernel within
// its share could run: they come after all those (sched.h).  That time is nobody's, and free.
//
//   WITHIN (base is SHARE_WITHIN) -> share_charge() finds that `paid` has caught up -> OVER (base 0)
//   OVER -> share_renew(), at `paid` + SHARE_RETURN slices -> WITHIN
//
// A share of 100 is always WITHIN and one of 0 always OVER.  The first kernel has 100, for good.
// What was not used is kept for SHARE_BURST slices, and what was used too much is remembered for as long.  So
// a kernel whose threads always want to run gets its share of any second (512 slices of 2 ms), give or take a
// sixteenth of it, and on the average exactly.  A share of less than 25 is kept until it is SHARE_RETURN slices of
// running: a kernel may have to do without a processor, because its claims have others, until somebody else
// is over his share there, and has that long to make up for it.
// Nobody within its share waits for somebody who is over it: the supervisor has no threads, and a call that
// needs something of another processor interrupts it.  The service thread of a kernel that is over its share
// waits like any of its threads, but not long: SHARE_RETURN slices, unless the share is 0.
// Locking: the instance lock for everything.  Cache Kernel, 4.3.
#pragma once
#include "cpu.h"
#include "thread.h"

enum {
    SHARE_WITHIN = ABI_PRIORITIES,       // added to the priority of a thread within its kernel's share
    SHARE_BURST  = 32,                   // slices, at least
    SHARE_RETURN = 8,                    // slices
    SHARE_MIDDLE = 16,                   // the priority at which a tick costs a tick
};

struct share {                           // of one kernel on one processor
    struct appkernel    *kern;           // I
    struct kernel_usage *usage;          // l  its line of the system pages
    uint64_t      paid;                  // l  the kernel's clock
    uint64_t      rate;                  // l  how fast that runs, 32 binary digits of fraction
    uint64_t      burst;                 // l  how far it may be from the real one
    struct list   link;                  // l  on the processor's list of those who come back
    uint32_t      base;                  // l  SHARE_WITHIN, or 0: over
    uint8_t       percent;               // l
};

// A fresh kernel: all shares from `percent`, one for each processor.
void share_init(struct instance *in, struct appkernel *k, const uint8_t *percent);
// The kernel goes; none of its threads is loaded.
void share_clear(struct instance *in, struct appkernel *k);
// Set k's share of processor c.
void share_set(struct cpu *cpu, struct cpu *c, struct appkernel *k, uint32_t percent);

// Has a kernel a limit on c?
static inline bool share_limited(const struct cpu *c)
{
    return c->limits % LIMIT_SPACE != 0;
}
// Kernels whose time has come are within their share again.
void share_renew(struct cpu *c, uint64_t now);
// When the running thread's kernel will be over its share, or another within it again; 0: never.  For a
// processor on which somebody has a limit.
uint64_t share_next(struct cpu *c, uint64_t now);

// t, which runs on c, or did until now, has run until now; on a processor on which nobody has a limit.  Gives how long
// that was.
static inline uint64_t share_count(struct cpu *c, struct thread *t, uint64_t now)
{
    uint64_t ran = now - c->since;

    c->since = now;
    t->share->usage->ran += ran;         // less than 0 if it was charged by a clock ahead
    t->state->ran += ran;                // for its owner, who decides what follows from it
    return ran;
}

// And what there is to do on a processor on which somebody has a limit.
void share_pay(struct cpu *c, struct thread *t, uint64_t ran, uint64_t now);
// On any processor.
static inline void share_charge(struct cpu *c, struct thread *t, uint64_t now)
{
    uint64_t ran = share_count(c, t, now);

    if (share_limited(c)) {
        share_pay(c, t, ran, now);
    }
}
