// stride.c - time in proportion to tickets (Waldspurger and Weihl, 1995).
//
// Each thread has a clock, its pass, that runs faster the fewer tickets it has; whose is the furthest behind is
// next.  Of any two threads that are ready on one processor, neither gets more than a slice beyond its part.
// Who was blocked is not paid for it: he comes back where the others are.
#include "policy.h"

enum { FRACTION = 16 };                  // binary digits of a pass: one of STRIDE_MOST tickets moves by a whole tick

static bool stride_before(const struct scheduled *a, const struct scheduled *b)
{
    return (int64_t)(a->pass - b->pass) < 0;             // a pass may wrap round
}

static void stride_enter(struct scheduler *s, struct scheduled *t)
{
    t->pass = s->pass;
    t->tickets = t->tickets == 0 ? 1 : t->tickets < STRIDE_MOST ? t->tickets : STRIDE_MOST;
}

static void stride_wake(struct scheduler *s, struct scheduled *t)
{
    if ((int64_t)(t->pass - s->pass) < 0) {
        t->pass = s->pass;
    }
    scheduler_fresh_slice(s, t);
}

static void stride_charge(struct scheduler *s, struct scheduled *t, uint64_t ticks)
{
    t->pass += (ticks << FRACTION) / t->tickets;
    t->used = t->used < s->slice ? t->used : 0;
    scheduler_remove(s, t);
    scheduler_insert(s, t);
    if ((int64_t)(s->first->pass - s->pass) > 0) {
        s->pass = s->first->pass;
    }
}

const struct scheduler_operations stride = {
    .enter = stride_enter, .wake = stride_wake, .charge = stride_charge, .before = stride_before,
    .holds = scheduler_slice_rest,
};
