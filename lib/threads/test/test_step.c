// test_step.c - a preemption at every instruction of the library that a program executes, by single steps.
//
// Each address of the critical functions, of their copy and of the assembly is stopped at, others at random; some soon
// after another, so handlers and recoveries are stopped themselves, several deep.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../threads_impl.h"
#include "work.h"

extern const char __executable_start[], etext[], threads_recovery_finish[];
enum { TEXT = 1 << 20, MINIMUM = 200000, MAXIMUM = 400000 };
static uint8_t executed[TEXT], stopped[TEXT];
static unsigned gap;

static unsigned missed(const char *from, const char *to)
{
    unsigned n = 0;

    for (const char *at = from; at < to; at++) {
        size_t i = (size_t)(at - __executable_start);
        n += executed[i] && !stopped[i];
    }
    return n;
}
static unsigned reached(const char *from, const char *to)
{
    unsigned n = 0;

    for (const char *at = from; at < to; at++) {
        n += executed[at - __executable_start];
    }
    return n;
}
// The code that matters most: critical functions and their copy, and the assembly that resumes and recovers.
static unsigned missed_all(void)
{
    return missed(__start_threads_critical, __stop_threads_critical) +
           missed(__start_threads_recovery, __stop_threads_recovery) +
           missed(threads_upcall, threads_leave_end) + missed((const char *)threads_recover, threads_recovery_finish);
}
static bool matters(uint64_t rip)
{
    return (rip >= (uint64_t)__start_threads_critical && rip < (uint64_t)__stop_threads_critical) ||
           (rip >= (uint64_t)__start_threads_recovery && rip < (uint64_t)__stop_threads_recovery) ||
           (rip >= (uint64_t)threads_upcall && rip < (uint64_t)threads_leave_end) ||
           (rip >= (uint64_t)threads_recover && rip < (uint64_t)threads_recovery_finish);
}
static enum host_op step(uint64_t rip)
{
    static const enum host_op op[] = {HOST_TELL, HOST_INTERVAL, HOST_TELL, HOST_BLOCK, HOST_TAKE, HOST_TELL};
    uint64_t at = rip - (uint64_t)__executable_start;

    host.now = host.steps / 1000;
    if (host.steps % 20000 == 0 && host.steps > MINIMUM && (missed_all() == 0 || host.steps > MAXIMUM)) {
        work_enough = 1;
    }
    if (host_random(100) == 0) {
        return HOST_UNBLOCK;
    }
    if (at >= TEXT || work_enough) {
        return HOST_NONE;
    }
    executed[at] = 1;
    if (gap > 0) {
        gap--;
        return HOST_NONE;
    }
    if ((!matters(rip) || stopped[at]) && host_random(3000) != 0) {
        return HOST_NONE;
    }
    stopped[at] = 1;
    gap = host_random(6) == 0 ? host_random(100) : 700 + host_random(1200);
    return op[host_random(6)];
}
static void run(uint64_t seed, unsigned processors)
{
    struct threads_setup setup = {.spins = 3, .interval = 1000};
    struct threads_statistics s;

    host_seed(seed);
    work_steps = 2;
    host.step = step;
    host_begin(&setup, processors);
    if (threads_begin(&setup, work_first, (void *)UINT64_MAX) != THREAD_OK) {
        exit(2);
    }
    host_run(processors, 0);
    threads_read_statistics(&s);
    printf("%lu steps, %lu rounds, %lu upcalls, %lu contexts, %lu recovered, %lu nested, %lu dropped, %lu continued\n",
           host.steps, work_rounds, s.upcalls, s.contexts, s.recovered, s.nested, s.dropped, s.continued);
    printf("critical: %u reached, %u missed; copy: %u, %u; all: %u, %u\n",
           reached(__start_threads_critical, __stop_threads_critical),
           missed(__start_threads_critical, __stop_threads_critical),
           reached(__start_threads_recovery, __stop_threads_recovery),
           missed(__start_threads_recovery, __stop_threads_recovery), reached(__executable_start, etext),
           missed_all());
    fflush(stdout);
    if (work_result != work_expected(work_rounds)) {
        fprintf(stderr, "result %lu, expected %lu\n", work_result, work_expected(work_rounds));
        exit(3);
    }
    if (!host_balanced()) {
        exit(4);
    }
    if (s.recovered < 40 || s.continued < 10 || s.ready < 10) {
        exit(5);                                     // it was not a test
    }
}
static void one(void) { run(1, 1); }
static void two(void) { run(2, 2); }

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(name); }
TEST(one) TEST(two)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_two)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
