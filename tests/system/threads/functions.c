// functions.c - every function of the library once: what the tests on the host do, and some of priorities.
#include "test.h"

uint64_t test_soon;

static unsigned ordered;
static void *notes(void *argument)
{
    (void)argument;
    __atomic_fetch_add(&ordered, 1, __ATOMIC_SEQ_CST);
    return NULL;
}
static void priorities(void)
{
    struct thread_attributes high = {.has_priority = true, .priority = 20}, low = {.has_priority = true, .priority = 3};
    struct thread *t, *u;

    CHECK(thread_priority(thread_self()) == 16);
    CHECK(thread_fork(&u, &low, notes, NULL) == THREAD_OK && thread_priority(u) == 3);
    CHECK(thread_fork(&t, &high, notes, NULL) == THREAD_OK);
    // It ran at once; with more processors another one may just have taken it.
    CHECK(!on_activations() || native_told()->cpus > 1 || *(volatile unsigned *)&ordered >= 1);
    CHECK(thread_join(t, NULL) == THREAD_OK && thread_join(u, NULL) == THREAD_OK);
    CHECK(thread_set_priority(thread_self(), 32) == THREAD_INVALID);
    CHECK(thread_set_priority(thread_self(), 1) == THREAD_OK && thread_priority(thread_self()) == 1);
    CHECK(thread_set_priority(thread_self(), 16) == THREAD_OK);
}

void test_functions(void)
{
    test_soon = milliseconds(1) / 10;
    shared_forks();
    said("fork, join, detach, exit, stacks of other sizes");
    shared_keys();
    said("keys");
    priorities();
    said("priorities");
    shared_locks();
    said("mutexes, conditions, semaphores, timed waits");
    shared_cancels();
    said("cancellation");
    shared_meetings();
    said("barriers, reader-writer locks");
    shared_packages();
    said("threads of another package");
}
