// test_timers.c - timed waits by moment (heap.h): which is next, how many instructions that takes, and many that sleep.
#define _GNU_SOURCE                      // registers of a signal's context
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/ucontext.h>

#include "../threads_impl.h"
#include "host.h"

// ---- the heap itself --------------------------------------------------------------------------------------------

enum { RECORDS = 16384, MODEL = 300, CHANGES = 200000 };
static struct thread record[RECORDS];

// How many there are; everybody's links, order and length are right.
static unsigned checked(const struct thread *t, const struct thread *above)
{
    unsigned n = 0;

    for (; t != NULL; above = t, t = t->left) {      // the left side may be as deep as there are records
        const struct thread *left = t->left, *right = t->right;
        uint32_t length = right != NULL ? right->timed : 0;
        assert_ptr_equal(t->above, above);
        assert_true(above == NULL || above->until < t->until ||
                    (above->until == t->until && above->arrival < t->arrival));
        assert_true(length <= (left != NULL ? left->timed : 0));
        assert_int_equal(t->timed, length + 1);
        n += 1 + checked(right, t);
    }
    return n;
}
static void nobody_there(void)
{
    threads.timers = NULL;
    threads.first_until = UINT64_MAX;
}

// ---- against a list -----------------------------------------------------------------------------------------------

static unsigned list[MODEL], listed;     // in order of arrival

static unsigned first_of_list(void)
{
    unsigned first = 0;

    for (unsigned i = 1; i < listed; i++) {
        if (record[list[i]].until < record[list[first]].until) {
            first = i;
        }
    }
    return first;
}
static void forget(unsigned at)
{
    for (listed--; at < listed; at++) {
        list[at] = list[at + 1];
    }
}
// Few and many equal ones, the first and last moments that there are, and any.
static uint64_t some_moment(void)
{
    static const uint64_t extreme[] = {1, 2, INT64_MAX, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};

    switch (host_random(4)) {
    case 0:
        return extreme[host_random(6)];
    case 1:
        return 1000 + host_random(5);
    case 2:
        return 1 + host_random(100000);
    }
    return ((uint64_t)host_random(1u << 31) << 33 | (uint64_t)host_random(1u << 31) << 2) + 1;
}
static void add_one(unsigned i)
{
    if (record[i].timed == 0) {
        record[i].until = some_moment();
        critical_timer_add(&record[i]);
        list[listed++] = i;
    }
}
static void remove_one(unsigned i)
{
    for (unsigned at = 0; at < listed; at++) {
        if (list[at] == i) {
            forget(at);
            break;
        }
    }
    critical_timer_remove(&record[i]);               // of one that has none, too
    assert_int_equal(record[i].timed, 0);
}
static void take_due(uint64_t now)
{
    unsigned at = first_of_list();
    struct thread *due = critical_timer_due(now), *expected = NULL;

    if (listed != 0 && record[list[at]].until <= now) {
        expected = &record[list[at]];
        forget(at);
        assert_int_equal(expected->stopping, 1);
        assert_int_equal(expected->timed, 0);
        expected->stopping = 0;
    }
    assert_ptr_equal(due, expected);
}
// Mostly more are added than taken off, or the other way round, so that there are all numbers of them.
static void test_model(void **state)
{
    (void)state;
    nobody_there();
    for (unsigned i = 0; i < CHANGES; i++) {
        unsigned which = host_random(10) + (i / 2000 % 2 != 0 ? 3 : 0), any = host_random(MODEL);
        if (which < 6) {
            add_one(any);
        } else if (which < 8) {
            remove_one(any);
        } else {
            take_due(which < 11 ? UINT64_MAX : some_moment());
        }
        assert_int_equal(threads.first_until, listed != 0 ? record[list[first_of_list()]].until : UINT64_MAX);
        assert_true(i % 16 != 0 || checked(threads.timers, NULL) == listed);
    }
    while (listed != 0) {
        take_due(UINT64_MAX);
    }
    assert_null(threads.timers);
    assert_int_equal(threads.timer_lock, 0);
}

// ---- how many instructions ----------------------------------------------------------------------------------------

// A way to the right has that many records: so many in each of two heaps are passed down and up, and so many lengths
// above change.  DOWN and UP are the longest ways through the loops of timer_join() and timer_lengths().
enum { DOWN = 16, UP = 20, BESIDES = 40, SAMPLES = 50 };

static uint64_t counted;
static void count_step(int signal, siginfo_t *info, void *context)
{
    const char *at = (const char *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

    (void)signal;
    (void)info;
    counted += at >= __start_threads_critical && at < __stop_threads_critical;
}
static uint64_t steps_of(struct thread *(*operation)(struct thread *), struct thread *t)
{
    counted = 0;
    __asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq" : : : "cc", "memory");
    (void)operation(t);
    __asm__ volatile("pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" : : : "cc", "memory");
    return counted;
}
static struct thread *adds(struct thread *t) { critical_timer_add(t); return t; }
static struct thread *removes(struct thread *t) { critical_timer_remove(t); return t; }
static struct thread *takes(struct thread *none) { (void)none; return critical_timer_due(UINT64_MAX); }

// Moments that rise, fall, are all alike, go both ways from the middle, are random.
enum { RISE, FALL, ALIKE, MIDDLE, RANDOM, ORDERS };
static uint64_t moment_of(unsigned order, unsigned i)
{
    const uint64_t of[] = {i + 1, UINT64_MAX - i, 5, i & 1 ? RECORDS - i : RECORDS + i, 1 + host_random(1u << 31)};

    return of[order];
}
static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
static void count_order(unsigned order, unsigned n)
{
    uint64_t add = 0, remove = 0, take = 0, bound = BESIDES;

    nobody_there();
    for (unsigned i = 0; i < n; i++) {
        record[i].until = moment_of(order, i);
        critical_timer_add(&record[i]);
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct thread *t = &record[i % 2 != 0 ? n - 1 - i / 2 : host_random(n)];
        remove = most(remove, steps_of(removes, t));
        t->until = moment_of(order, (unsigned)(t - record));
        add = most(add, steps_of(adds, t));
        t = threads.timers;
        take = most(take, steps_of(takes, NULL));
        t->until = moment_of(order, (unsigned)(t - record));
        critical_timer_add(t);
    }
    assert_int_equal(checked(threads.timers, NULL), n);
    for (unsigned i = 1; i <= n; i *= 2) {
        bound += 2 * (DOWN + UP) + UP;
    }
    printf("order %u, %5u records: add %3lu, remove %3lu, take %3lu instructions\n", order, n, add, remove, take);
    assert_true(add <= bound && remove <= bound && take <= bound && add > 10 && remove > 10 && take > 10);
    for (unsigned i = 0; i < n; i++) {
        critical_timer_remove(&record[i]);
    }
    assert_null(threads.timers);
}
static void test_steps(void **state)
{
    struct sigaction action = {.sa_sigaction = count_step, .sa_flags = SA_SIGINFO}, before;

    (void)state;
    sigaction(SIGTRAP, &action, &before);
    for (unsigned order = 0; order < ORDERS; order++) {
        for (unsigned n = 64; n <= RECORDS; n *= 16) {
            count_order(order, n);
        }
    }
    sigaction(SIGTRAP, &before, NULL);
}

// ---- many sleep -----------------------------------------------------------------------------------------------

enum { MANY = 20000 };
static struct thread *many[MANY];
static uint64_t moment[MANY];
static uint32_t asleep, awake, last, wrong;

static void *sleeps(void *number)
{
    uint32_t i = (uint32_t)(uintptr_t)number;

    asleep++;
    wrong += thread_sleep(moment[i]) != THREAD_OK || threads.machine.now() < moment[i] || asleep != MANY;
    if (awake++ != 0) {
        wrong += moment[last] > moment[i] || (moment[last] == moment[i] && last > i);
    }
    last = i;
    return NULL;
}
static void *first(void *argument)
{
    struct thread_attributes small = {.stack = 2048};

    for (uintptr_t i = 0; i < MANY; i++) {
        moment[i] = 1 + host_random(10000000);
        wrong += thread_fork(&many[i], &small, sleeps, (void *)i) != THREAD_OK;
    }
    for (unsigned i = 0; i < MANY; i++) {
        wrong += thread_join(many[i], NULL) != THREAD_OK;
    }
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
// Time passes when all wait, by a hundredth of the whole.
static void child(void)
{
    struct threads_setup setup = {.spins = 20};

    host_begin(&setup, 1);
    if (threads_begin(&setup, first, NULL) != THREAD_OK) {
        exit(2);
    }
    host_run(1, 0);
    if (wrong != 0 || awake != MANY || threads.timers != NULL) {
        fprintf(stderr, "%u wrong, %u awake\n", wrong, awake);
        exit(3);
    }
}
static void test_many(void **state)
{
    (void)state;
    host_child(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many), cmocka_unit_test(test_model),
                                       cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
