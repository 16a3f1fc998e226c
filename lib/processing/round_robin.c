// round_robin.c - a slice each, in turn: the end of a slice sends a thread behind all others that are ready.
//
// One that was active for only a part of its slice keeps its place and the rest.
#include "policy.h"

static void round_robin_charge(struct scheduler *s, struct scheduled *t, uint64_t ticks)
{
    (void)ticks;
    if (t->used >= s->slice) {
        t->used = 0;
        scheduler_remove(s, t);
        scheduler_insert(s, t);
    }
}

const struct scheduler_operations round_robin = {.charge = round_robin_charge, .holds = scheduler_slice_rest};
