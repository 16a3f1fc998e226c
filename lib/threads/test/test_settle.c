// test_settle.c - no ready thread is left without a processor that could be had.
//
// The host gives as many processors as are wanted, no more and no less, and there is no rotation.  In each round some
// threads compute until all of them have begun: so it ends only if all have a processor at the same time.  They come
// to that in many ways, while processors are taken and given, threads preempted and blocked at random; then the host
// does only what a supervisor has to, until the round is over.  Whoever is forgotten stays so, and an alarm ends it.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"

enum { ROUNDS = 150, NOISE = 6, DEADLINE = 500 };

static uint32_t processors;
static volatile uint32_t begun[HOST_PROCESSORS], sleepers, round_now;
static struct thread *worker[HOST_PROCESSORS];
static struct semaphore gate[HOST_PROCESSORS];
static struct mutex mutex;
static struct condition condition;
static volatile uint32_t may_go[HOST_PROCESSORS];

// The host's processors are few: whoever computes lets the others on.
static void compute(void)
{
    uint64_t result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_sched_yield) : "rcx", "r11", "memory");
}
static uint32_t mix(uint32_t round, uint32_t what)
{
    uint32_t x = (round * 31 + what) * 2654435761u;
    return x ^ x >> 15;
}
static uint32_t those_of(uint32_t round)
{
    return 2 + mix(round, 7) % (processors - 1);
}
static void *nothing(void *argument)
{
    return argument;
}
static void waste(uint32_t round, uint32_t i)
{
    struct thread *t;

    for (uint32_t n = mix(round, i) % 4; n > 0; n--) {
        mutex_lock(&mutex);
        compute();
        mutex_unlock(&mutex);
    }
    if (mix(round, i + 16) % 4 == 0 && thread_fork(&t, NULL, nothing, NULL) == THREAD_OK) {
        (void)thread_join(t, NULL);
    }
    if (mix(round, i + 32) % 4 == 0) {
        __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
        (void)thread_sleep(__atomic_load_n(&host.now, __ATOMIC_RELAXED) + DEADLINE);
        __atomic_fetch_sub(&sleepers, 1, __ATOMIC_SEQ_CST);
    }
}
static void meet(uint32_t round, uint32_t i)
{
    waste(round, i);
    begun[i] = round;
    for (uint32_t other = 0; other < those_of(round); other++) {
        while (begun[other] < round) {
            compute();
        }
    }
}
static void let_go(uint32_t round, uint32_t i)
{
    switch (mix(round, 64 + i) % 3) {
    case 0:
        semaphore_post(&gate[i]);
        break;
    case 1:
        thread_unblock(worker[i]);
        break;
    default:
        mutex_lock(&mutex);
        may_go[i] = round;
        condition_broadcast(&condition);
        mutex_unlock(&mutex);
    }
}
static void wait_for(uint32_t round, uint32_t i)
{
    switch (mix(round, 64 + i) % 3) {
    case 0:
        (void)semaphore_wait(&gate[i]);
        break;
    case 1:
        (void)thread_block(0);
        break;
    default:
        mutex_lock(&mutex);
        while (may_go[i] < round) {
            (void)condition_wait(&condition, &mutex);
        }
        mutex_unlock(&mutex);
    }
}
static void *works(void *argument)
{
    uint32_t i = (uint32_t)(uintptr_t)argument;

    for (uint32_t round = 1; round <= ROUNDS; round++) {
        if (i < those_of(round)) {
            wait_for(round, i);
            meet(round, i);
        }
    }
    return NULL;
}
static void *first(void *argument)
{
    for (uint32_t i = 1; i < processors; i++) {
        (void)thread_fork(&worker[i], NULL, works, (void *)(uintptr_t)i);
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        for (uint32_t i = 1; i < those_of(round); i++) {
            let_go(round, i);
        }
        meet(round, 0);
        round_now = round;
    }
    for (uint32_t i = 1; i < processors; i++) {
        (void)thread_join(worker[i], NULL);
    }
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}

// ---- the supervisor ---------------------------------------------------------------------------------------------

static unsigned any(bool held)
{
    unsigned p;

    do {
        p = host_random(processors);
    } while ((*(volatile uint64_t *)&host.held >> p & 1) != held);
    return p;
}
static unsigned count_held(void)
{
    return (unsigned)__builtin_popcountll(*(volatile uint64_t *)&host.held);
}
static void do_somewhere(enum host_op op)
{
    unsigned p = host_random(processors);

    (void)host_do(p, op);
}
// As many processors as are wanted, and what is to be told is told.
static void serve(void)
{
    uint32_t wanted = *(volatile uint32_t *)&host.machine.user->wanted;
    unsigned held = count_held();

    if (wanted == 0 && (held > 0 || host_pending())) {
        wanted = 1;
    }
    if (held < wanted && held < processors) {
        (void)host_do(any(false), HOST_ADD);
    } else if (held > wanted) {
        do_somewhere(HOST_TAKE);
    } else if (held > 0 && host_pending()) {
        do_somewhere(HOST_TELL);
    }
}
static void noise(void)
{
    static const enum host_op op[] = {HOST_TAKE, HOST_BLOCK, HOST_BLOCK, HOST_TELL, HOST_INTERVAL};

    for (unsigned n = host_random(NOISE); n > 0; n--) {
        do_somewhere(op[host_random(sizeof op / sizeof op[0])]);
        for (unsigned served = host_random(4); served > 0; served--) {
            serve();
        }
        usleep(host_random(100));
    }
}
// Time passes only for who sleeps.
static void quiet(uint32_t round)
{
    while (round_now == round && !__atomic_load_n(&host.finished, __ATOMIC_ACQUIRE)) {
        while (host_unblock()) {
        }
        if (sleepers != 0) {
            __atomic_fetch_add(&host.now, DEADLINE, __ATOMIC_RELAXED);
            do_somewhere(HOST_INTERVAL);
        }
        serve();
        usleep(50);
    }
}
static void run(uint64_t seed, unsigned most)
{
    struct threads_setup setup = {.spins = 3};

    printf("seed %lu, %u processors\n", seed, most);
    fflush(stdout);
    processors = most;
    host_seed(seed);
    host_begin(&setup, most);
    if (threads_begin(&setup, first, NULL) != THREAD_OK) {
        exit(2);
    }
    while (!__atomic_load_n(&host.finished, __ATOMIC_ACQUIRE)) {
        uint32_t round = round_now;
        noise();
        quiet(round);
    }
    host_run(most, 0);
    if (!host_balanced()) {
        exit(4);
    }
}
static void two(void) { run(1, 2); }
static void three(void) { run(2, 3); }
static void four(void) { run(3, 4); }
static void four_again(void) { run(4, 4); }

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(name); }
TEST(two) TEST(three) TEST(four) TEST(four_again)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two), cmocka_unit_test(test_three),
                                       cmocka_unit_test(test_four), cmocka_unit_test(test_four_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
