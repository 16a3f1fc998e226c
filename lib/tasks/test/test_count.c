// test_count.c - how many instructions a task takes from its beginning to its end, counted by single steps.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host.h"
#include "tasks.h"

enum { TIMES = 100 };
static struct tasks home;
static struct task task[TIMES];
static struct { uint64_t one, wait, thread; } took;
static volatile uint64_t *const steps = &host.steps;
static struct event go;

static enum host_op only_count(uint64_t rip)
{
    (void)rip;
    return HOST_NONE;
}
static enum task_step ends(struct task *t)
{
    (void)t;
    return TASK_DONE;
}
static enum task_step waits(struct task *t)
{
    return task_wait(t, &go) ? TASK_WAIT : TASK_DONE;
}
static enum task_step measures(struct task *t)
{
    static uint64_t begin;

    if (t->at == 0) {
        t->at = 1;
        begin = *steps;
        for (int i = 0; i < TIMES; i++) {
            task_begin(&home, &task[i], ends);
        }
        return TASK_AGAIN;               // first come, first served: all of them end before
    }
    took.one = (*steps - begin) / TIMES;
    return TASK_DONE;
}
static enum task_step measures_waits(struct task *t)
{
    static uint64_t begin;

    switch (t->at++) {
    case 0:
        begin = *steps;
        for (int i = 0; i < TIMES; i++) {
            task_begin(&home, &task[i], waits);
        }
        return TASK_AGAIN;
    case 1:
        event_signal(&go);
        return TASK_AGAIN;
    default:
        took.wait = (*steps - begin) / TIMES;
        return TASK_DONE;
    }
}
static void *measure(void *argument)
{
    struct task t;

    task_begin(&home, &t, measures);
    event_wait(&t.over);
    event_init(&go);
    task_begin(&home, &t, measures_waits);
    event_wait(&t.over);
    for (int i = 0; i < 3; i++) {                    // the last counts
        uint64_t begin = *steps;
        task_begin(&home, &t, ends);
        event_wait(&t.over);
        took.thread = *steps - begin;
    }
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
static void child(void)
{
    struct threads_setup setup = {.spins = 5};

    host.step = only_count;
    host_begin(&setup, 1);
    if (threads_begin(&setup, measure, NULL) != THREAD_OK || tasks_begin(&home, 1, 2) != THREAD_OK) {
        exit(2);
    }
    host_run(1, 0);
    printf("a task from beginning to end %lu, with a wait for an event %lu, from a thread and back %lu\n", took.one,
           took.wait, took.thread);
    fflush(stdout);
    if (took.one > 160 || took.wait > 300 || took.thread > 900) {
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
