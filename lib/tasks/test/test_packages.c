// test_packages.c - three thread packages in one program, each with processors of its own choice, that wait for each
// other (mixture.h): under random preemptions and blocks at arbitrary instructions, with processors that come and go,
// the result and the accounts have to be right.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host.h"
#include "mixture.h"
#include "steal.h"
#include "tasks.h"

enum { OPS = 800, ROUNDS = 5 };
static uint64_t ops, wrong;

static void *first(void *argument)
{
    while (mixture.rounds < ROUNDS || *(volatile uint64_t *)&host.ops < ops) {
        if (!mixture_round()) {
            wrong++;
            break;
        }
    }
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
static void finish(uint64_t seed, unsigned processors)
{
    struct threads_statistics s;

    threads_read_statistics(&s);
    printf("seed %lu, %u processors: %lu rounds, %lu ops, %lu upcalls, %lu contexts, %lu recovered, %lu nested, "
           "%lu continued, %lu stolen, %u and %u workers\n", seed, processors, mixture.rounds, host.ops, s.upcalls,
           s.contexts, s.recovered, s.nested, s.continued, mixture.jobs.stolen, mixture.jobs.package.flows,
           mixture.tasks.package.flows);
    fflush(stdout);
    if (wrong != 0) {
        exit(3);
    }
    if (!host_balanced() || mixture.jobs.package.running != 0 || mixture.tasks.package.running != 0) {
        fprintf(stderr, "running %d and %d\n", mixture.jobs.package.running, mixture.tasks.package.running);
        exit(4);
    }
    if (s.contexts < ops / 8) {
        exit(5);                         // it was not a test
    }
}
static void run(uint64_t seed, unsigned processors, unsigned chaos, uint32_t for_jobs, uint32_t for_tasks)
{
    struct threads_setup setup = {.spins = 10, .interval = 1000};

    ops = chaos != 0 ? OPS : 0;
    host_seed(seed);
    host_begin(&setup, processors);
    if (threads_begin(&setup, first, NULL) != THREAD_OK || !mixture_begin(for_jobs, for_tasks)) {
        exit(2);
    }
    host_run(processors, chaos);
    finish(seed, processors);
}

static void quiet(void) { run(1, 1, 0, 1, 1); }
static void quiet_2(void) { run(1, 2, 0, 1, 2); }
static void one(void) { run(2, 1, 60, 1, 1); }
static void two(void) { run(3, 2, 60, 2, 1); }
static void three(void) { run(4, 3, 80, 1, 2); }
static void four(void) { run(5, 4, 95, 3, 4); }

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(name); }
TEST(quiet) TEST(quiet_2) TEST(one) TEST(two) TEST(three) TEST(four)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet), cmocka_unit_test(test_quiet_2), cmocka_unit_test(test_one),
        cmocka_unit_test(test_two), cmocka_unit_test(test_three), cmocka_unit_test(test_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
