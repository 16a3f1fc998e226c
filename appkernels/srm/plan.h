// plan.h - what the policy says at a moment: which kernels are swapped in, with what, and when that changes next.
//
// A function of the policy, the clock and what was told here: that a kernel was swapped in, or has ended.  It does
// nothing itself (swap.c does).  Times are nanoseconds since the start.
//
// Turns: of the kernels of a `turns` line one has the turn.  Its time begins when it has been swapped in, so that each
// gets all of it, however long the swapping takes.  Then the next kernel of the line, in the order of the kernel lines,
// has the turn.  One that has ended, or that an `out` line keeps out, is passed over; a kernel that is alone keeps its
// turn.
#pragma once
#include "policy.h"

struct plan_turn {
    unsigned holder;                     // the kernel that has the turn; it may have ended
    uint64_t until;                      // the end of its time; POLICY_FOREVER while it is being swapped in
    uint64_t count;                      // turns so far
};

struct plan {
    const struct policy *policy;
    struct plan_turn turn[POLICY_TURNS];
    bool     ended[POLICY_KERNELS];
};

struct plan_state {                      // of a kernel
    bool     in, end;                    // it is to be swapped in; it is to end
    uint64_t share, priority;
    uint64_t memory, memory_until;       // bytes lent to it, 0: none
};

void plan_start(struct plan *p, const struct policy *policy);
void plan_swapped_in(struct plan *p, unsigned kernel, uint64_t now);     // its turn, if it has one, begins
void plan_ended(struct plan *p, unsigned kernel);
// Pass turns on whose time is over.
void plan_advance(struct plan *p, uint64_t now);
struct plan_state plan_state(const struct plan *p, unsigned kernel, uint64_t now);
// The first moment after `now` at which some plan_state() changes or a turn may be over; POLICY_FOREVER: none.
uint64_t plan_next(const struct plan *p, uint64_t now);
// How many kernels are swapped in together at most: no `out` line is counted on.
unsigned plan_together(const struct policy *policy);
