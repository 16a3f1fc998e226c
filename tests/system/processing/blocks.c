// blocks.c - many threads that block, for a time or until woken, and wake each other, on few processors.
//
// They stand in a ring.  Each passes a number of tokens on: it blocks until it has one, sleeps a little, and wakes the
// next.  No token may be lost, whatever is loaded, unloaded or written back meanwhile.  One thread that nobody wakes
// sleeps again and again: neither too short nor much too long.
#include "test.h"

enum { RING = 24, TURNS = 40 };

static struct member {
    struct processing_thread thread;
    unsigned index;
    uint32_t tokens;                     // a  for it
    unsigned passed;
} ring[RING];

static struct processing_thread sleeper;
static unsigned early;
static uint64_t latest;

static void turn(struct member *m)
{
    struct member *next = &ring[(m->index + 1) % RING];

    while (__atomic_load_n(&m->tokens, __ATOMIC_ACQUIRE) == 0) {
        processing_block(&m->thread, 0);
    }
    __atomic_fetch_sub(&m->tokens, 1, __ATOMIC_ACQ_REL);
    m->passed++;
    __atomic_fetch_add(&next->tokens, 1, __ATOMIC_ACQ_REL);
    processing_wake(&next->thread);
}

static void life(void *arg)
{
    struct member *m = arg;

    for (unsigned i = 0; i < TURNS; i++) {
        turn(m);
        if ((i + m->index) % 8 == 0) {
            processing_block(&m->thread, ak_now() + ak_ticks_from_ns(300000));
        }
    }
    processing_exit(&m->thread);
}

static void sleep(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < TURNS; i++) {
        uint64_t until = ak_now() + ak_ticks_from_ns(100000 + i * 10000);
        processing_block(&sleeper, until);
        uint64_t now = ak_now();
        early += now < until;
        latest = now > until && now - until > latest ? now - until : latest;
    }
    processing_exit(&sleeper);
}

void test_blocks(void)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < RING; i++) {
        ring[i].index = i;
        if (processing_create(&ring[i].thread, i % 6 == 5, 0) != ERR_OK) {
            check(false, "memory for a ring");
            return;
        }
    }
    for (unsigned i = 0; i < 5; i++) {
        ring[i * 3].tokens = 1;
    }
    if (processing_create(&sleeper, true, 0) != ERR_OK) {
        check(false, "memory for a thread");
        return;
    }
    for (unsigned i = 0; i < RING; i++) {
        processing_start(&ring[i].thread, life, &ring[i]);
    }
    processing_start(&sleeper, sleep, NULL);
    collect(RING + 1);
    for (unsigned i = 0; i < RING; i++) {
        passed += ring[i].passed;
    }
    check(passed == RING * TURNS, "threads that wake each other lose nothing (%u turns)", passed);
    check(early == 0, "nobody slept too short (%u times)", early);
    check(latest < RING * milliseconds(1), "nor longer than a round of slices (%lu ticks)", (unsigned long)latest);
}
