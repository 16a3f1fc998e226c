// stride.c - three threads that always want to run on one processor, with 1, 2 and 5 tickets.
//
// Each counts the time that was its own: readings of the clock that are close together.  Of any two, neither
// may have more than a slice beyond its part.
#include "test.h"

enum { THREADS = 3, RUN_MS = 300 };

static struct runner {
    struct processing_thread thread;
    uint64_t ran;
} runner[THREADS];

static const uint32_t tickets[THREADS] = {1, 2, 5};
static uint64_t finish;

static void life(void *arg)
{
    struct runner *r = arg;
    uint64_t before = ak_now(), close = milliseconds(1) / 20;

    while (before < finish) {
        uint64_t time = ak_now();
        r->ran += time - before < close ? time - before : 0;
        before = time;
        work_a_little();
    }
    processing_exit(&r->thread);
}

void test_stride(void)
{
    finish = ak_now() + milliseconds(RUN_MS);
    for (unsigned i = 0; i < THREADS; i++) {
        if (processing_create(&runner[i].thread, false, 0) != ERR_OK) {
            check(false, "memory for a thread");
            return;
        }
        runner[i].thread.turn.tickets = tickets[i];
        runner[i].thread.turn.mask = 1;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        processing_start(&runner[i].thread, life, &runner[i]);
    }
    collect(THREADS);
    uint64_t all = 0, slice = milliseconds(2);
    for (unsigned i = 0; i < THREADS; i++) {
        const struct runner *r = &runner[i];
        all += r->ran;
        for (unsigned k = 0; k < i; k++) {
            uint64_t both = r->ran + runner[k].ran, part = both * tickets[i] / (tickets[i] + tickets[k]);
            uint64_t off = r->ran > part ? r->ran - part : part - r->ran;
            check(off <= slice, "stride: %u to %u tickets, %lu of a slice of %lu off", tickets[i], tickets[k],
                  (unsigned long)off, (unsigned long)slice);
        }
    }
    check(all > milliseconds(RUN_MS) * 9 / 10, "stride: nothing is lost (%lu of %lu)", (unsigned long)all,
          (unsigned long)milliseconds(RUN_MS));
}
