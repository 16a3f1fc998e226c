// test_steal.c - the work-stealing package under random preemptions, blocks, and processors that come and go.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host.h"
#include "steal.h"

enum { FIB = 17, FIB_IS = 1597, ITEMS = 5000, MANY = 3000 };

static struct steal pool;
static uint64_t ops, rounds, in_jobs;
static int failed_at;
#define CHECK(x) do { if (!(x) && failed_at == 0) { failed_at = __LINE__; } } while (0)

struct fib {
    uint64_t n, result;
};
static void fib(void *argument)
{
    struct fib *f = argument, a, b;
    struct steal_job job;

    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    a.n = f->n - 1;
    b.n = f->n - 2;
    steal_spawn(&job, fib, &a);
    fib(&b);
    steal_sync(&job);
    f->result = a.result + b.result;
}
static uint64_t square[ITEMS];
static void squares(uint64_t from, uint64_t to, void *argument)
{
    for (uint64_t i = from; i < to; i++) {
        square[i] += i * i + *(uint64_t *)argument;
    }
}
static void for_all(void *argument)
{
    steal_for(0, ITEMS, 7, squares, argument);
    steal_for(5, 5, 0, squares, argument);
}
static uint64_t calls;
static void count_call(void *argument)
{
    __atomic_fetch_add(&calls, (uint64_t)argument, __ATOMIC_RELAXED);
}
// More than a deque holds, and synced the wrong way round.
static void many_jobs(void *argument)
{
    static struct steal_job job[MANY];

    for (uint64_t i = 0; i < MANY; i++) {
        steal_spawn(&job[i], count_call, argument);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        steal_sync(&job[i]);
    }
}
// Two jobs wait for each other by hand, through the waitable convention: none may hold up the other's worker.
static struct event first_here, second_here;
static void second(void *argument)
{
    event_signal(&second_here);
    event_wait(&first_here);
    *(uint64_t *)argument = 1;
}
static void meet(void *argument)
{
    struct steal_job job;

    event_init(&first_here);
    event_init(&second_here);
    steal_spawn(&job, second, argument);
    event_wait(&second_here);            // only another worker can signal it
    event_signal(&first_here);
    steal_sync(&job);
}
static void inside(void *argument)
{
    steal_call(&pool, fib, argument);    // a root, from a job
    in_jobs++;
}
static void *caller(void *argument)
{
    struct fib f = {.n = FIB - 4};

    steal_call(&pool, fib, &f);
    return (char *)argument + f.result;
}
static void *first(void *argument)
{
    uint64_t add = 3, met = 0;
    struct thread *t[3];
    void *value;

    while (rounds < 5 || *(volatile uint64_t *)&host.ops < ops) {
        struct fib f = {.n = FIB}, g = {.n = 9};
        for (int i = 0; i < 3; i++) {
            CHECK(thread_fork(&t[i], NULL, caller, argument) == THREAD_OK);
        }
        steal_call(&pool, fib, &f);
        CHECK(f.result == FIB_IS);
        steal_call(&pool, for_all, &add);
        calls = 0;
        steal_call(&pool, many_jobs, (void *)2);
        CHECK(calls == 2 * MANY);
        steal_call(&pool, inside, &g);
        CHECK(g.result == 34);
        met = 0;
        steal_call(&pool, meet, &met);
        CHECK(met == 1);
        for (int i = 0; i < 3; i++) {
            CHECK(thread_join(t[i], &value) == THREAD_OK && (uint64_t)value == 233);
        }
        rounds++;
    }
    for (uint64_t i = 0; i < ITEMS; i++) {
        CHECK(square[i] == rounds * (i * i + add));
    }
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}
static void run(uint64_t seed, unsigned processors, unsigned chaos, uint64_t disturbances)
{
    struct threads_setup setup = {.spins = 10, .interval = 1000};
    struct threads_statistics s;
    uint32_t most = chaos != 0 ? processors : UINT32_MAX;        // all

    ops = disturbances;
    host_seed(seed);
    host_begin(&setup, processors);
    if (threads_begin(&setup, first, NULL) != THREAD_OK) {
        exit(2);
    }
    if (steal_begin(&pool, 0, 4, 0) != THREAD_INVALID || steal_begin(&pool, 2, 0, 0) != THREAD_INVALID ||
        steal_begin(&pool, most, processors + 2, 65536) != THREAD_OK) {
        exit(6);
    }
    host_run(processors, chaos);
    threads_read_statistics(&s);
    printf("seed %lu, %u processors: %lu rounds, %lu stolen, %u workers, %lu ops, %lu contexts, %lu recovered\n", seed,
           processors, rounds, pool.stolen, pool.package.flows, host.ops, s.contexts, s.recovered);
    fflush(stdout);
    if (failed_at != 0) {
        fprintf(stderr, "failed at line %d\n", failed_at);
        exit(3);
    }
    if (!host_balanced() || pool.package.running != 0 || in_jobs != rounds) {
        fprintf(stderr, "running %d\n", pool.package.running);
        exit(4);
    }
    if (pool.stolen < rounds || (chaos != 0 && s.contexts < ops / 8)) {
        exit(5);                         // it was not a test
    }
}
static void quiet(void) { run(1, 1, 0, 0); }
static void quiet_2(void) { run(1, 2, 0, 0); }
static void one(void) { run(2, 1, 60, 800); }
static void two(void) { run(3, 2, 60, 800); }
static void three(void) { run(4, 3, 80, 800); }
static void four(void) { run(5, 4, 95, 800); }

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
