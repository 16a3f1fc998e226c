// test_step.c - three thread packages in one program (mixture.h), stopped by single steps at each instruction that they
// execute; handlers and schedulers as well, now and then, so upcalls are inside upcalls.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../threads/threads_impl.h"
#include "host.h"
#include "mixture.h"

extern const char __executable_start[];
enum { STEPS = 200000, TEXT = 1 << 20 };
static uint8_t stopped[TEXT];
static unsigned gap;
static uint64_t wrong;

// FS base is the program's here, or none yet.
static bool of_handler(void)
{
    const struct thread *flow = (const struct thread *)__builtin_ia32_rdfsbase64();

    return flow == NULL || flow->kind == FLOW_HANDLER || flow->kind == FLOW_IDLE;
}
static enum host_op step(uint64_t rip)
{
    static const enum host_op op[] = {HOST_TELL, HOST_INTERVAL, HOST_TELL, HOST_BLOCK, HOST_TAKE, HOST_TELL};
    uint64_t at = rip - (uint64_t)__executable_start;

    host.now = host.steps / 1000;
    if (host_random(100) == 0) {
        return HOST_UNBLOCK;
    }
    if (at >= TEXT || host.steps > STEPS) {
        return HOST_NONE;
    }
    if (of_handler() ? host_random(5000) != 0 : gap > 0 || (stopped[at] && host_random(3000) != 0)) {
        gap -= gap > 0;
        return HOST_NONE;
    }
    stopped[at] = 1;
    gap = host_random(200);
    return op[host_random(6)];
}
static void *first(void *argument)
{
    do {
        wrong += !mixture_round();
    } while (wrong == 0 && *(volatile uint64_t *)&host.steps < STEPS);
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
static void run(uint64_t seed, unsigned processors)
{
    struct threads_setup setup = {.spins = 10, .interval = 1000};
    struct threads_statistics s;

    host_seed(seed);
    host.step = step;
    host_begin(&setup, processors);
    if (threads_begin(&setup, first, NULL) != THREAD_OK || !mixture_begin(processors, 1)) {
        exit(2);
    }
    host_run(processors, 0);
    threads_read_statistics(&s);
    printf("%u processors: %lu steps, %lu rounds, %lu upcalls, %lu contexts, %lu recovered, %lu nested, %lu ready, "
           "%lu continued, %lu stolen\n", processors, host.steps, mixture.rounds, s.upcalls, s.contexts, s.recovered,
           s.nested, s.ready, s.continued, mixture.jobs.stolen);
    fflush(stdout);
    if (wrong != 0) {
        exit(3);
    }
    if (!host_balanced() || mixture.jobs.package.running != 0 || mixture.tasks.package.running != 0) {
        fprintf(stderr, "running %d and %d\n", mixture.jobs.package.running, mixture.tasks.package.running);
        exit(4);
    }
    if (s.contexts < 100 || s.recovered < 5) {
        exit(5);                         // it was not a test
    }
}
static void one(void) { run(6, 1); }
static void two(void) { run(7, 2); }

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(name); }
TEST(one) TEST(two)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_two)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
