// edf.c - earliest deadline first, for each processor by itself, with a test before a thread is taken.
//
// A thread is a task: it becomes ready at a release, has a job to do until a deadline, and blocks until its next
// release.  edf_admit gives each a processor for good: on one processor the earliest deadline misses none as long
// as the jobs together leave time (Liu and Layland, 1973), and nothing like that holds for several together.
#include "policy.h"

enum { FRACTION = 32 };                  // binary digits of a density

// Execution / min(period, relative), rounded up.  More than a whole one for a task that cannot be.
static uint64_t density_of(const struct scheduled *t)
{
    uint64_t within = t->relative < t->period ? t->relative : t->period;

    if (within == 0 || t->execution > within || within >> FRACTION != 0) {
        return UINT64_MAX;
    }
    return ((t->execution << FRACTION) + within - 1) / within;
}

bool edf_admit(struct scheduler *s, struct scheduled *t)
{
    uint64_t density = density_of(t);

    for (unsigned c = 0; c < s->cpus && density <= 1ull << FRACTION; c++) {
        if ((t->mask == 0 || (t->mask >> c & 1) != 0) && s->density[c] + density <= 1ull << FRACTION) {
            s->density[c] += density;
            t->mask = 1ull << c;
            return true;
        }
    }
    return false;
}

void edf_dismiss(struct scheduler *s, struct scheduled *t)
{
    s->density[__builtin_ctzll(t->mask)] -= density_of(t);
}

static bool edf_before(const struct scheduled *a, const struct scheduled *b)
{
    return a->deadline < b->deadline;
}

// The deadline counts from the release, not from when the processor got to it.
static void edf_wake(struct scheduler *s, struct scheduled *t)
{
    t->deadline = (t->wake_at != 0 ? t->wake_at : t->woken_at) + t->relative;
    scheduler_fresh_slice(s, t);
}

const struct scheduler_operations earliest_deadline = {.wake = edf_wake, .before = edf_before};
