// test_wait.c - waits that end in every way (waits.c), on one processor and on several; and their order.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host.h"
#include "shared.h"

uint64_t test_soon = 10;
static int failed_at;

void expect(bool good, int line)
{
    if (!good && failed_at == 0) {
        failed_at = line;
    }
}

static void run(void *(*first)(void *), unsigned processors)
{
    struct threads_setup setup = {.spins = 5};

    host_begin(&setup, processors);
    if (threads_begin(&setup, first, NULL) != THREAD_OK) {
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
static void *finish(void)
{
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}

static struct mutex m;

static void *locks(void *argument)
{
    (void)argument;
    shared_locks();
    return finish();
}
static void *cancels(void *argument)
{
    (void)argument;
    shared_cancels();
    return finish();
}
static void *meetings(void *argument)
{
    (void)argument;
    shared_meetings();
    return finish();
}
static void *foreigners(void *argument)
{
    (void)argument;
    shared_packages();
    return finish();
}

// ---- priority of waiters ------------------------------------------------------------------------------------

static unsigned order[4], ordered;
static void *owns(void *argument)
{
    mutex_lock(&m);
    order[ordered++] = (unsigned)(uintptr_t)argument;
    (void)mutex_unlock(&m);
    return NULL;
}
static void *by_priority(void *argument)
{
    static const uint32_t priority[] = {17, 19, 18, 19};
    struct thread *t[4];

    mutex_init(&m);
    mutex_lock(&m);
    for (uintptr_t i = 0; i < 4; i++) {
        struct thread_attributes a = {.has_priority = true, .priority = priority[i]};
        CHECK(thread_fork(&t[i], &a, owns, (void *)i) == THREAD_OK);
    }
    (void)mutex_unlock(&m);
    for (int i = 0; i < 4; i++) {
        CHECK(thread_join(t[i], argument) == THREAD_OK);
    }
    CHECK(order[0] == 1 && order[1] == 3 && order[2] == 2 && order[3] == 0);
    return finish();
}

static void child_locks(void) { run(locks, 1); }
static void child_locks_2(void) { run(locks, 2); }
static void child_cancels(void) { run(cancels, 1); }
static void child_by_priority(void) { run(by_priority, 1); }
static void child_meetings(void) { run(meetings, 1); }
static void child_meetings_3(void) { run(meetings, 3); }
static void child_foreigners(void) { run(foreigners, 1); }

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(child_##name); }
TEST(locks) TEST(locks_2) TEST(cancels) TEST(by_priority) TEST(meetings) TEST(meetings_3) TEST(foreigners)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locks), cmocka_unit_test(test_locks_2), cmocka_unit_test(test_cancels),
        cmocka_unit_test(test_by_priority), cmocka_unit_test(test_meetings), cmocka_unit_test(test_meetings_3),
        cmocka_unit_test(test_foreigners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
