// test_threads.c - every function of the library once, on one processor and on several, without disturbance.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host.h"
#include "shared.h"

// A failure inside of a thread: the C library's own functions do not work there.
uint64_t test_soon = 10;
static int failed_at;

void expect(bool good, int line)
{
    if (!good && failed_at == 0) {
        failed_at = line;
    }
}

static void run(void *(*first)(void *), struct threads_setup *setup, unsigned processors)
{
    host_begin(setup, processors);
    if (threads_begin(setup, first, NULL) != THREAD_OK) {
        exit(2);
    }
    host_run(processors, 0);
    if (failed_at != 0) {
        fprintf(stderr, "failed at line %d\n", failed_at);
        exit(3);
    }
    if (!host_balanced()) {
        exit(4);
    }
}
static void run_usual(void *(*first)(void *), unsigned processors)
{
    struct threads_setup setup = {.spins = 20};

    run(first, &setup, processors);
}
static void *finish(void)
{
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void *forks(void *argument)
{
    (void)argument;
    shared_forks();
    CHECK(thread_detach(thread_self()) == THREAD_OK && thread_detach(thread_self()) == THREAD_INVALID);
    return finish();
}
static void *keys(void *argument)
{
    (void)argument;
    shared_keys();
    return finish();
}

// ---- many ---------------------------------------------------------------------------------------------------

enum { MANY = 100000 };
static struct thread *many[MANY];
static struct semaphore gate;
static void *waits(void *argument)
{
    (void)semaphore_wait(&gate);
    return argument;
}
static void *hundred_thousand(void *argument)
{
    struct thread_attributes small = {.stack = 2048};
    uint64_t sum = 0;
    void *value = argument;

    semaphore_init(&gate, 0);
    for (uint64_t i = 0; i < MANY; i++) {
        CHECK(thread_fork(&many[i], &small, waits, (void *)i) == THREAD_OK);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        semaphore_post(&gate);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        CHECK(thread_join(many[i], &value) == THREAD_OK);
        sum += (uint64_t)value;
    }
    CHECK(sum == (uint64_t)MANY * (MANY - 1) / 2);
    return finish();
}

// ---- priorities ---------------------------------------------------------------------------------------------

static unsigned order[8], ordered;
static void *notes(void *argument)
{
    order[ordered++] = (unsigned)(uintptr_t)argument;
    return NULL;
}
static void *priorities(void *argument)
{
    static const uint32_t priority[] = {3, 20, 5, 3};
    struct thread *t[4];
    struct mutex m;

    CHECK(thread_priority(thread_self()) == 16);
    for (uintptr_t i = 0; i < 4; i++) {
        struct thread_attributes a = {.has_priority = true, .priority = priority[i]};
        CHECK(thread_fork(&t[i], &a, notes, (void *)i) == THREAD_OK);
        CHECK(ordered == (i >= 1));                  // number 1 is higher than this one, and ran at once
    }
    for (int i = 0; i < 4; i++) {
        CHECK(thread_join(t[i], argument) == THREAD_OK);
    }
    CHECK(order[0] == 1 && order[1] == 2 && order[2] == 0 && order[3] == 3);
    CHECK(thread_set_priority(thread_self(), 32) == THREAD_INVALID);
    CHECK(thread_set_priority(thread_self(), 1) == THREAD_OK && thread_priority(thread_self()) == 1);
    mutex_init(&m);
    return finish();
}
static void *lifo(void *argument)
{
    struct thread *t[3];

    for (uintptr_t i = 0; i < 3; i++) {
        CHECK(thread_fork(&t[i], NULL, notes, (void *)i) == THREAD_OK);
    }
    for (int i = 0; i < 3; i++) {
        CHECK(thread_join(t[i], argument) == THREAD_OK);
    }
    CHECK(order[0] == 2 && order[1] == 1 && order[2] == 0);
    return finish();
}

static void child_forks(void) { run_usual(forks, 1); }
static void child_forks_2(void) { run_usual(forks, 2); }
static void child_many(void) { run_usual(hundred_thousand, 1); }
static void child_many_2(void) { run_usual(hundred_thousand, 2); }
static void child_priorities(void) { run_usual(priorities, 1); }
static void child_keys(void) { run_usual(keys, 1); }
static void child_lifo(void)
{
    struct threads_setup setup = {.spins = 20, .order = THREADS_LIFO};

    run(lifo, &setup, 1);
}
static void child_errors(void)
{
    struct threads_setup setup = {.spins = 20};

    host_begin(&setup, 1);
    setup.processors = 0;
    if (threads_begin(&setup, forks, NULL) != THREAD_INVALID) {
        exit(5);
    }
    setup.processors = 1;
    setup.machine.slots = setup.machine.activations;
    if (threads_begin(&setup, forks, NULL) != THREAD_INVALID) {
        exit(6);
    }
}

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(child_##name); }
TEST(forks) TEST(forks_2) TEST(many) TEST(many_2) TEST(priorities) TEST(keys) TEST(lifo) TEST(errors)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forks), cmocka_unit_test(test_forks_2), cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_lifo), cmocka_unit_test(test_keys), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_many), cmocka_unit_test(test_many_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
