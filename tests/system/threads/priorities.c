// priorities.c - a higher ready thread runs before a lower one, in all three ways.
//
// As many threads as there are processors compute at one priority.  A lower one does not run beside them, a higher one
// does.  On several processors of the library's that is so most of the time only: one whose list is empty takes what is
// on the others', and does not see a thread that a handler has in hand.  The levels are far enough from each other
// to be different ones of the supervisor, too (one to one).
#include "test.h"

enum { LOW = 6, LOWEST = 2, BUSY = 20, HIGH = 26, TOP = 30 };

static volatile uint32_t stop;           // a
static uint32_t busy;                    // a

static void *computes(void *argument)
{
    __atomic_fetch_add(&busy, 1, __ATOMIC_SEQ_CST);
    while (!stop) {
    }
    return argument;
}

static void *notes(void *when)
{
    __atomic_store_n((uint64_t *)when, now(), __ATOMIC_SEQ_CST);
    return NULL;
}

static struct thread *begin(void *(*fn)(void *), void *argument, uint32_t priority)
{
    struct thread_attributes a = {.has_priority = true, .priority = priority};
    struct thread *t = NULL;

    CHECK(thread_fork(&t, &a, fn, argument) == THREAD_OK);
    return t;
}

// Whether it is noted, after some time for those who would.
static bool noted(const uint64_t *when, bool expected)
{
    uint64_t end = now() + milliseconds(expected ? 60000 : 30);

    do {
        (void)thread_sleep(now() + milliseconds(3));
    } while (__atomic_load_n(when, __ATOMIC_SEQ_CST) == 0 && now() < end);
    return *when != 0;
}

// The supervisor knows the priorities of kernel threads: they count also for those that run, and those that are ready.
// All that compute are lowered, since a thread that is ready stays with its processor.
static void changes(struct thread **computing, uint64_t count, struct thread *low, const uint64_t *low_ran)
{
    uint64_t ran = 0;

    CHECK(thread_set_priority(low, HIGH) == THREAD_OK);
    check(noted(low_ran, true), "a ready thread is raised, and runs", 0);
    struct thread *t = begin(notes, &ran, LOW);
    check(!noted(&ran, false), "another low one does not", 0);
    for (uint64_t i = 0; i < count; i++) {
        CHECK(thread_set_priority(computing[i], LOWEST) == THREAD_OK);
    }
    check(noted(&ran, true), "until those that compute are lowered", 0);
    CHECK(thread_join(t, NULL) == THREAD_OK);
}

void test_priorities(void)
{
    struct thread *t[ABI_MAX_CPUS], *low, *high;
    uint64_t low_ran = 0, high_ran = 0, processors = native_number("virtual", native_told()->cpus);

    stop = busy = 0;
    CHECK(thread_set_priority(thread_self(), TOP) == THREAD_OK);
    for (uint64_t i = 0; i < processors; i++) {
        t[i] = begin(computes, NULL, BUSY);
    }
    while (__atomic_load_n(&busy, __ATOMIC_SEQ_CST) < processors) {
        (void)thread_sleep(now() + milliseconds(3));
    }
    low = begin(notes, &low_ran, LOW);
    high = begin(notes, &high_ran, HIGH);
    check(noted(&high_ran, true), "a higher thread runs while others compute", 0);
    bool ran = noted(&low_ran, false);
    check(!ran || (processors > 1 && !one_to_one()), "a lower one does not", ran);
    if (one_to_one()) {
        changes(t, processors, low, &low_ran);
    }
    stop = 1;
    for (uint64_t i = 0; i < processors; i++) {
        CHECK(thread_join(t[i], NULL) == THREAD_OK);
    }
    CHECK(thread_join(low, NULL) == THREAD_OK && thread_join(high, NULL) == THREAD_OK && low_ran != 0);
    CHECK(thread_set_priority(thread_self(), THREAD_PRIORITIES / 2) == THREAD_OK);
    said("priorities of threads that compute");
}
