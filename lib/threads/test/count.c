// count.c - the frame of tests that count instructions (count.h).
#include "count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static enum host_op only_count(uint64_t rip)
{
    (void)rip;
    return HOST_NONE;
}
static void *first(void *argument)
{
    (void)count_first(argument);
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}
static void child(void)
{
    struct threads_setup setup = {.spins = 5};

    host.step = only_count;
    host_begin(&setup, 1);
    if (threads_begin(&setup, first, NULL) != THREAD_OK || !count_begin()) {
        exit(2);
    }
    host_run(1, 0);
    bool good = count_report();
    fflush(stdout);
    if (!good) {
        exit(3);
    }
}
static void test_count(void **state)
{
    (void)state;
    host_child(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_count)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
