// test_tasks.c - every function of the tasks package, on one processor and on several.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "deque.h"
#include "host.h"
#include "tasks.h"

enum { MANY = 100000 };

static struct tasks home;
static int failed_at;
#define CHECK(x) do { if (!(x) && failed_at == 0) { failed_at = __LINE__; } } while (0)

// ---- steps in order ---------------------------------------------------------------------------------------------

static uint32_t order[12], ordered;
static enum task_step notes(struct task *t)
{
    order[ordered++] = t->at;
    return ++t->at < 3 ? TASK_AGAIN : TASK_DONE;
}
static void steps_in_order(void)
{
    struct task t[3];

    for (int i = 0; i < 3; i++) {
        task_begin(&home, &t[i], notes);
    }
    for (int i = 0; i < 3; i++) {
        event_wait(&t[i].over);
        CHECK(event_over(&t[i].over));
    }
    CHECK(ordered == 9);
    for (uint32_t i = 0; i < 9; i++) {
        CHECK(order[i] == i / 3);        // each step of all before the next
    }
}

// ---- futures, when_all, continuations ---------------------------------------------------------------------------

struct stage {
    struct task task;
    struct future *in, out;
};
static enum task_step adds_one(struct task *t)
{
    struct stage *s = (struct stage *)t;

    if (task_wait_future(t, s->in)) {
        return TASK_WAIT;
    }
    future_set(&s->out, (char *)s->in->value + 1);
    return TASK_DONE;
}
static void chain(void)
{
    static struct stage stage[200];
    struct future first;

    future_init(&first);
    for (int i = 0; i < 200; i++) {
        stage[i].in = i == 0 ? &first : &stage[i - 1].out;
        future_init(&stage[i].out);
        task_begin(&home, &stage[i].task, adds_one);
    }
    thread_yield();
    CHECK(!event_over(&stage[0].out.set));
    future_set(&first, (void *)1000);
    CHECK(future_wait(&stage[199].out) == (void *)1200);
    CHECK(future_wait(&stage[199].out) == (void *)1200);         // as often as one likes
    for (int i = 0; i < 200; i++) {
        event_wait(&stage[i].task.over);
    }
}
static uint32_t ran;
static enum task_step counts(struct task *t)
{
    (void)t;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return TASK_DONE;
}
static void all(void)
{
    struct future f[5];
    struct waiter link[5];
    struct when_all w, none;
    struct task then, at_once;

    ran = 0;
    when_all_init(&none, 0);
    CHECK(event_over(&none.all));
    when_all_init(&w, 5);
    for (int i = 0; i < 5; i++) {
        future_init(&f[i]);
    }
    future_set(&f[2], NULL);             // before it is added
    for (int i = 0; i < 5; i++) {
        when_all_add(&w, &f[i].set, &link[i]);
    }
    task_begin_after(&home, &then, counts, &w.all);
    for (int i = 0; i < 5; i++) {
        CHECK(!event_over(&w.all));
        thread_yield();
        CHECK(*(volatile uint32_t *)&ran == 0);
        if (i != 2) {
            future_set(&f[i], NULL);
        }
    }
    event_wait(&then.over);
    CHECK(event_over(&w.all) && ran == 1);
    task_begin_after(&home, &at_once, counts, &w.all);
    event_wait(&at_once.over);
    CHECK(ran == 2);
}

// ---- units ------------------------------------------------------------------------------------------------------

static struct units units;
static enum task_step takes(struct task *t)
{
    if (task_wait_units(t, &units)) {
        return TASK_WAIT;
    }
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return TASK_DONE;
}
static void *waits(void *argument)
{
    units_take(&units);
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return argument;
}
// Threads and tasks take the same units; each of them gets one.
static void take_units(void)
{
    struct task t[20];
    struct thread *thread[5];

    ran = 0;
    units_init(&units, 3);
    for (int i = 0; i < 20; i++) {
        task_begin(&home, &t[i], takes);
        if (i % 4 == 0) {
            CHECK(thread_fork(&thread[i / 4], NULL, waits, NULL) == THREAD_OK);
        }
    }
    while (*(volatile uint32_t *)&ran < 3) {
        thread_sleep(host.machine.now() + 1);
    }
    for (uint32_t i = 3; i < 25; i++) {
        CHECK(*(volatile uint32_t *)&ran <= i);
        units_post(&units);
        thread_yield();
    }
    for (int i = 0; i < 20; i++) {
        event_wait(&t[i].over);
    }
    for (int i = 0; i < 5; i++) {
        CHECK(thread_join(thread[i], NULL) == THREAD_OK);
    }
    CHECK(ran == 25 && !units_try(&units));
    units_post(&units);
    CHECK(units_try(&units) && !units_try(&units));
}

// ---- many -------------------------------------------------------------------------------------------------------

static struct task many[MANY];
static struct event go;
static enum task_step waits_for_go(struct task *t)
{
    return task_wait(t, &go) ? TASK_WAIT : counts(t);
}
static void hundred_thousand(void)
{
    ran = 0;
    event_init(&go);
    for (int i = 0; i < MANY; i++) {
        task_begin(&home, &many[i], waits_for_go);
    }
    event_signal(&go);
    for (int i = 0; i < MANY; i++) {
        event_wait(&many[i].over);
    }
    CHECK(ran == MANY);
}

static bool in_order;
static void *first(void *argument)
{
    if (in_order) {
        steps_in_order();
        all();
    }
    chain();
    take_units();
    hundred_thousand();
    CHECK(package_self() == NULL);
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
static void run(unsigned processors, unsigned chaos)
{
    struct threads_setup setup = {.spins = 20, .interval = 1000};

    host_seed(processors);
    in_order = processors == 1;
    host_begin(&setup, processors);
    if (threads_begin(&setup, first, NULL) != THREAD_OK || tasks_begin(&home, 0, 1) != THREAD_INVALID ||
        tasks_begin(&home, processors, processors + 1) != THREAD_OK) {
        exit(2);
    }
    host_run(processors, chaos);
    if (failed_at != 0) {
        fprintf(stderr, "failed at line %d\n", failed_at);
        exit(3);
    }
    if (!host_balanced() || home.package.running != 0) {
        exit(4);
    }
}
static void one(void) { run(1, 0); }
static void two(void) { run(2, 0); }
static void four(void) { run(4, 50); }

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(name); }
TEST(one) TEST(two) TEST(four)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_two),
                                       cmocka_unit_test(test_four)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
