// test_left.c - work that somebody has left behind gets a processor of its own, though `wanted` was lowered meanwhile.
//
// Pieces of work compute until all of them have begun.  The host gives a processor when one more is wanted, and does
// nothing else, so a piece that nobody asks a processor for makes all stand still until an alarm.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"
#include "steal.h"
#include "tasks.h"

enum { PROCESSORS = 3, WORKERS = 4 };

static struct tasks tasks;
static struct steal steal;
static volatile uint32_t there, may_go;
static uint32_t begun;

static void compute_until_begun(uint32_t all)
{
    __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) < all) {
        __builtin_ia32_pause();
    }
}
static void let_host_look(void)
{
    there = 1;
    while (!may_go) {
        __builtin_ia32_pause();
    }
}
// What a scheduler makes of `wanted` that comes and goes just now.
static void lower(uint32_t wanted)
{
    while (!there) {
        usleep(10);
    }
    host.machine.user->wanted = wanted;
    may_go = 1;
}
static void give(unsigned processor, uint32_t wanted)
{
    while (*(volatile uint32_t *)&host.machine.user->wanted < wanted) {
        usleep(10);
    }
    if (!host_do(processor, HOST_ADD)) {
        exit(6);
    }
}
static void begin(void *(*first)(void *))
{
    struct threads_setup setup = {.spins = 3};

    host_begin(&setup, PROCESSORS);
    if (threads_begin(&setup, first, NULL) != THREAD_OK) {
        exit(2);
    }
    if (!host_do(0, HOST_ADD)) {
        exit(6);
    }
}
static void end(void)
{
    host_run(PROCESSORS, 0);
    if (!host_balanced()) {
        exit(4);
    }
}

// ---- a worker takes the whole queue -------------------------------------------------------------------------------

static enum task_step meets(struct task *t)
{
    (void)t;
    compute_until_begun(2);
    return TASK_DONE;
}
static void *begins_tasks(void *argument)
{
    static struct task t[2];

    if (tasks_begin(&tasks, PROCESSORS, WORKERS) != THREAD_OK) {
        return NULL;
    }
    task_begin(&tasks, &t[0], meets);
    task_begin(&tasks, &t[1], meets);
    let_host_look();
    event_wait(&t[0].over);
    event_wait(&t[1].over);
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
static void run_queue(void)
{
    begin(begins_tasks);
    lower(1);
    give(1, 2);
    end();
}

// ---- a thief takes one of two -------------------------------------------------------------------------------------

static void meets_jobs(void *argument)
{
    (void)argument;
    compute_until_begun(3);
}
static void spawns(void *argument)
{
    struct steal_job job[2];

    steal_spawn(&job[0], meets_jobs, argument);
    steal_spawn(&job[1], meets_jobs, argument);
    let_host_look();
    compute_until_begun(3);
    steal_sync(&job[1]);
    steal_sync(&job[0]);
}
static void *calls(void *argument)
{
    if (steal_begin(&steal, PROCESSORS, WORKERS, 0) != THREAD_OK) {
        return NULL;
    }
    steal_call(&steal, spawns, NULL);
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
static void run_thief(void)
{
    begin(calls);
    lower(1);
    give(1, 1);
    give(2, 3);
    end();
}
static void test_queue(void **state)
{
    (void)state;
    host_child(run_queue);
}
static void test_thief(void **state)
{
    (void)state;
    host_child(run_thief);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_queue), cmocka_unit_test(test_thief)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
