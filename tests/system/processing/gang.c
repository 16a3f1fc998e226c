// gang.c - gangs on all processors: when each member's slices began and ended, seen by itself.
//
// One gang has a thread for each processor, two have one for each of half of them, and so run together.  A gap
// between two readings of the clock ends a slice.  The members of the large gang must have had the same slices:
// the largest difference of their beginnings is the skew.  While one of them ran, nobody of the others did.
#include "test.h"

enum { MEMBERS = 8, SLICES = 60, RUN_MS = 150 };

struct slice {
    uint64_t begin, end;
};

static struct member {
    struct processing_thread thread;
    unsigned count;
    struct slice slice[SLICES];
} member[MEMBERS];

static struct gang gangs[3];
static uint64_t finish;

static void life(void *arg)
{
    struct member *m = arg;
    uint64_t before = 0, gap = milliseconds(1) / 2;

    while (before < finish) {
        uint64_t time = ak_now();
        if (time - before > gap && m->count < SLICES) {
            m->slice[m->count++].begin = time;
        }
        m->slice[m->count - 1].end = before = time;
        work_a_little();
    }
    processing_exit(&m->thread);
}

// By how much two slices run at once.
static uint64_t overlap(const struct slice *a, const struct slice *b)
{
    uint64_t begin = a->begin > b->begin ? a->begin : b->begin, end = a->end < b->end ? a->end : b->end;

    return end > begin ? end - begin : 0;
}

static void report(unsigned cpus, unsigned all)
{
    uint64_t skew = 0, mixed = 0;
    unsigned least = SLICES;

    for (unsigned i = 0; i < cpus; i++) {
        least = member[i].count < least ? member[i].count : least;
    }
    for (unsigned i = 1; i < cpus; i++) {
        for (unsigned k = 0; k < least; k++) {
            uint64_t a = member[0].slice[k].begin, b = member[i].slice[k].begin, d = a > b ? a - b : b - a;
            skew = d > skew ? d : skew;
        }
    }
    for (unsigned i = 0; i < cpus; i++) {
        for (unsigned o = cpus; o < all; o++) {
            for (unsigned k = 0; k < member[i].count * member[o].count; k++) {
                uint64_t d = overlap(&member[i].slice[k / member[o].count], &member[o].slice[k % member[o].count]);
                mixed = d > mixed ? d : mixed;
            }
        }
    }
    check(least > RUN_MS / 5, "gang: at least %u slices each", least);
    check(skew < ak_ticks_from_ns(50000), "gang: %u members begin within %lu ticks", cpus, (unsigned long)skew);
    check(mixed < ak_ticks_from_ns(50000), "gang: others run no longer than %lu ticks beside", (unsigned long)mixed);
}

void test_gang(void)
{
    unsigned cpus = ak_system->cpus, all = cpus + cpus / 2 * 2;

    for (unsigned i = 0; i < all; i++) {
        if (processing_create(&member[i].thread, false, 0) != ERR_OK) {
            check(false, "memory for a gang");
            return;
        }
        member[i].thread.turn.gang = &gangs[i < cpus ? 0 : 1 + (i - cpus) % 2];
    }
    finish = ak_now() + milliseconds(RUN_MS);
    for (unsigned i = 0; i < all; i++) {
        processing_start(&member[i].thread, life, &member[i]);
    }
    collect(all);
    report(cpus, all);
}
