// test_count.c - how many instructions spawn and sync take, counted by single steps.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host.h"
#include "steal.h"

static struct steal pool;
static struct { uint64_t spawn, pair, call; } took;
static volatile uint64_t *const steps = &host.steps;

static enum host_op only_count(uint64_t rip)
{
    (void)rip;
    return HOST_NONE;
}
static void nothing(void *argument)
{
    (void)argument;
}
static void spawns(void *argument)
{
    struct steal_job job;

    (void)argument;
    for (int i = 0; i < 3; i++) {                    // the last counts
        uint64_t begin = *steps;
        steal_spawn(&job, nothing, NULL);
        took.spawn = *steps - begin;
        steal_sync(&job);
        took.pair = *steps - begin;
    }
}
static void *measure(void *argument)
{
    for (int i = 0; i < 3; i++) {
        uint64_t begin = *steps;
        steal_call(&pool, nothing, NULL);
        took.call = *steps - begin;
    }
    steal_call(&pool, spawns, NULL);
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
static void child(void)
{
    struct threads_setup setup = {.spins = 5};

    host.step = only_count;
    host_begin(&setup, 1);
    if (threads_begin(&setup, measure, NULL) != THREAD_OK || steal_begin(&pool, 1, 2, 0) != THREAD_OK) {
        exit(2);
    }
    host_run(1, 0);
    printf("spawn %lu, spawn and sync with the job's call %lu, a root from a thread and back %lu\n", took.spawn,
           took.pair, took.call);
    fflush(stdout);
    if (took.spawn > 36 || took.pair > 90 || took.call > 900) {
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
