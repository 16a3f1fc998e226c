// test_chaos.c - processors are added and taken at random, threads preempted and blocked, at arbitrary instructions;
// the checksum and the accounts of events have to be right.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "work.h"

static void run(uint64_t seed, unsigned processors, unsigned chaos, uint64_t rounds)
{
    struct threads_setup setup = {.spins = 10, .interval = 1000};
    struct threads_statistics s;

    host_seed(seed);
    host_begin(&setup, processors);
    if (threads_begin(&setup, work_first, (void *)rounds) != THREAD_OK) {
        exit(2);
    }
    host_run(processors, chaos);
    threads_read_statistics(&s);
    printf("seed %lu: %lu ops, %lu upcalls, %lu contexts, %lu recovered, %lu nested, %lu dropped, %lu continued\n",
           seed, host.ops, s.upcalls, s.contexts, s.recovered, s.nested, s.dropped, s.continued);
    fflush(stdout);
    if (work_result != work_expected(rounds)) {
        fprintf(stderr, "result %lu, expected %lu\n", work_result, work_expected(rounds));
        exit(3);
    }
    if (!host_balanced()) {
        exit(4);
    }
}
static void quiet(void) { run(1, 1, 0, 20); }
static void one(void) { run(2, 1, 60, 3000); }
static void two(void) { run(3, 2, 60, 3000); }
static void three(void) { run(4, 3, 80, 3000); }
static void four(void) { run(5, 4, 95, 3000); }

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(name); }
TEST(quiet) TEST(one) TEST(two) TEST(three) TEST(four)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet), cmocka_unit_test(test_one), cmocka_unit_test(test_two),
        cmocka_unit_test(test_three), cmocka_unit_test(test_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
