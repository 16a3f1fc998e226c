// timers.c - how long it is until an interval ends, and from a warning to the loss of the processor.
//
// On one processor. All is counted in ticks of the activations' own running: it does not matter how fast the host is.
#include "party.h"

enum { PRIORITY = 5, ROUNDS = 60 };

static struct party a, b;

static uint64_t heard(uint32_t kind)
{
    return __atomic_load_n(&party_shared(&a)->heard[__builtin_ctz(kind)], __ATOMIC_RELAXED);
}

static void for_all(uint64_t interval, uint32_t disabled)
{
    for (uint32_t i = 0; i < a.activations; i++) {
        activation_words(&a, i)->interval = interval;
        activation_words(&a, i)->disabled = disabled;
    }
}

// This thread, which is higher, has the processor half of the time, until they have run so long.
static void run_for(uint64_t ticks)
{
    while (party_ran(&a) < ticks) {
        uint64_t begin = now();
        sleep_for(machine->slice / 4);
        while (now() - begin < machine->slice / 2) {
        }
    }
}

// With upcalls disabled an activation that was stopped goes on by itself, and its interval with it.
static void interval(void)
{
    const uint64_t slice = machine->slice;

    party_make(&a, PRIORITY, WELL_BEHAVED, 1);
    for_all(0, 0);
    party_keep(&a);
    CHECK(EVENTUALLY(party_steps(&a) > 0), "it runs");
    for_all(0, 1);
    sleep_for(2 * slice);                // this look sees the 0
    uint64_t begin = now(), ran = party_ran(&a), before = heard(UPCALL_INTERVAL);
    for_all(8 * slice, 1);
    run_for(ran + 5 * slice);
    check(now() - begin > 9 * slice, "more time has passed than its interval", "%lu", (unsigned long)(now() - begin));
    for_all(8 * slice, 0);
    sleep_for(slice);
    uint64_t early = heard(UPCALL_INTERVAL) - before;
    check(early == 0, "it has not ended, since it has not run so long", "%lu", (unsigned long)early);
    for_all(0, 1);
    sleep_for(2 * slice);
    ran = party_ran(&a);
    for_all(8 * slice, 1);
    run_for(ran + 15 * slice / 2);
    for_all(8 * slice, 0);
    sleep_for(3 * slice);                // without a stop: an upcall would begin it anew
    check(heard(UPCALL_INTERVAL) - before == 1, "it ends when it has", "after %lu of %lu",
          (unsigned long)(party_ran(&a) - ran), (unsigned long)(8 * slice));
    party_end(&a);
}

// Two take turns.  One is warned, and notes when, and when it ran last before it was told of the loss.
static void grace(void)
{
    const uint64_t quarter = machine->slice / 4;
    struct shared *s;

    party_make(&a, PRIORITY, WELL_BEHAVED, 1);
    party_make(&b, PRIORITY, WELL_BEHAVED, 1);
    s = party_shared(&a);
    for_all(0, 0);
    for (uint32_t i = 0; i < b.activations; i++) {
        activation_words(&b, i)->interval = 0;
        activation_words(&a, i)->warn = 1;
    }
    party_keep(&a);
    party_keep(&b);
    sleep_for(ROUNDS * machine->slice);
    check(s->graces > ROUNDS / 8, "warnings before a loss", "%lu", (unsigned long)s->graces);
    note("grace: %lu to %lu ticks, a quarter of a slice is %lu", (unsigned long)s->shortest, (unsigned long)s->longest,
         (unsigned long)quarter);
    check(s->shortest >= quarter * 9 / 10, "it has a quarter of a slice then", "%lu", (unsigned long)s->shortest);
    check(s->longest <= quarter * 11 / 10, "and not more", "%lu", (unsigned long)s->longest);
    party_end(&a);
    party_end(&b);
}

void test_timers(void)
{
    interval();
    grace();
}
