// test_count.c - how many instructions a task takes from its beginning to its end, counted by single steps.
#include <stdio.h>

#include "count.h"
#include "tasks.h"

enum { TIMES = 100 };
static struct tasks home;
static struct task task[TIMES];
static struct { uint64_t one, wait, thread; } took;
static struct event go;

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
void *count_first(void *argument)
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
    return argument;
}
bool count_begin(void)
{
    return tasks_begin(&home, 1, 2) == THREAD_OK;
}
bool count_report(void)
{
    printf("a task from beginning to end %lu, with a wait for an event %lu, from a thread and back %lu\n", took.one,
           took.wait, took.thread);
    return took.one <= 160 && took.wait <= 300 && took.thread <= 900;
}
