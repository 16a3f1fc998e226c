// test_wanted.c - how many processors the program wants, when threads were in nobody's list for a while.
//
// A scheduler that finds all lists empty lowers `wanted`.  It does not see threads that were stopped and are about to
// be told, are in the hands of a handler, or wait for a moment: who runs one of them raises it again for those behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../threads_impl.h"
#include "host.h"

enum { COMPUTERS = 3, ROUNDS = 1000, DEADLINE = 500 };

static volatile uint64_t rounds[COMPUTERS];
static volatile uint32_t over, sleeps;

static void *computes(void *argument)
{
    while (!over) {
        (*(volatile uint64_t *)argument)++;
    }
    return NULL;
}
// Meanwhile the first thread waits for one of them.
static void *first(void *argument)
{
    struct thread *t[COMPUTERS];
    const uint32_t *computers = argument;

    for (unsigned i = 0; i < *computers; i++) {
        (void)thread_fork(&t[i], NULL, computes, (void *)&rounds[i]);
    }
    if (sleeps) {
        (void)thread_sleep(DEADLINE);
    }
    for (unsigned i = 0; i < *computers; i++) {
        (void)thread_join(t[i], NULL);
    }
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}
// So many of the computers run, each on a processor.
static void wait_for(unsigned running)
{
    for (unsigned seen = 0; seen != (1u << running) - 1;) {
        uint64_t before[COMPUTERS];
        for (unsigned i = 0; i < running; i++) {
            before[i] = rounds[i];
        }
        usleep(10);
        for (unsigned i = 0; i < running; i++) {
            seen |= (unsigned)(rounds[i] > before[i] + ROUNDS) << i;
        }
    }
}
// Any of them goes on: the handler is through.
static void wait_for_any(unsigned computers)
{
    uint64_t sum, before = 0;

    for (unsigned i = 0; i < computers; i++) {
        before += rounds[i];
    }
    do {
        usleep(10);
        sum = 0;
        for (unsigned i = 0; i < computers; i++) {
            sum += rounds[i];
        }
    } while (sum < before + ROUNDS);
}
static void begin(uint32_t *computers)
{
    struct threads_setup setup = {.spins = 3};

    host_begin(&setup, COMPUTERS);
    if (threads_begin(&setup, first, computers) != THREAD_OK) {
        exit(2);
    }
}
static void do_now(unsigned processor, enum host_op op)
{
    if (!host_do(processor, op)) {
        exit(6);
    }
}
static void end(uint32_t wanted)
{
    if (host.machine.user->wanted != wanted) {
        exit(10 + (int)host.machine.user->wanted);
    }
    over = 1;
    host_run(COMPUTERS, 0);
    if (!host_balanced()) {
        exit(4);
    }
}

static void wait_until_wanted(uint32_t wanted)
{
    while (*(volatile uint32_t *)&host.machine.user->wanted != wanted) {
        usleep(10);
    }
}

// Three were stopped; two of their processors are lost, and one tells of all three.  Each that comes sees who is left.
static void run_told(void)
{
    uint32_t computers = COMPUTERS;

    begin(&computers);
    do_now(0, HOST_ADD);
    wait_for_any(COMPUTERS);             // all are there: a processor that finds none would leave again
    do_now(1, HOST_ADD);
    do_now(2, HOST_ADD);
    wait_for(COMPUTERS);
    do_now(1, HOST_TAKE);
    do_now(2, HOST_TAKE);
    host.machine.user->wanted = 1;       // as two schedulers leave it that came and went meanwhile
    do_now(0, HOST_TELL);
    wait_until_wanted(2);
    do_now(1, HOST_ADD);
    wait_until_wanted(3);
    do_now(2, HOST_ADD);
    wait_for(COMPUTERS);
    end(COMPUTERS);
}
// One computes on the only processor that is wanted, and the moment of another one comes.
static void run_timer(void)
{
    uint32_t computers = 1;

    sleeps = 1;
    begin(&computers);
    do_now(0, HOST_ADD);
    wait_for(1);
    host.machine.user->wanted = 1;
    host.now = DEADLINE + 1;
    do_now(0, HOST_INTERVAL);
    wait_for_any(1);
    end(2);
}
// A thread that is interrupted on the only processor needs no other.
static void run_one(void)
{
    uint32_t computers = 1;

    begin(&computers);
    do_now(0, HOST_ADD);
    wait_for(1);
    host.machine.user->wanted = 1;
    do_now(0, HOST_TELL);
    wait_for_any(1);
    end(1);
}
static void test_told(void **state)
{
    (void)state;
    host_child(run_told);
}
static void test_timer(void **state)
{
    (void)state;
    host_child(run_timer);
}
static void test_one(void **state)
{
    (void)state;
    host_child(run_one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told), cmocka_unit_test(test_timer),
                                       cmocka_unit_test(test_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
