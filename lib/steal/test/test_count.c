// test_count.c - how many instructions spawn and sync take, counted by single steps.
#include <stdio.h>

#include "count.h"
#include "steal.h"

static struct steal pool;
static struct { uint64_t spawn, pair, call; } took;

static void nothing(void *argument)
{
    (void)argument;
}
static void spawns(void *argument)
{
    struct steal_job job;

    (void)argument;
    for (int i = 0; i < 3; i++) {                    // the last counts
        uint64_t begin = *steps;
        steal_spawn(&job, nothing, NULL);
        took.spawn = *steps - begin;
        steal_sync(&job);
        took.pair = *steps - begin;
    }
}
void *count_first(void *argument)
{
    for (int i = 0; i < 3; i++) {
        uint64_t begin = *steps;
        steal_call(&pool, nothing, NULL);
        took.call = *steps - begin;
    }
    steal_call(&pool, spawns, NULL);
    return argument;
}
bool count_begin(void)
{
    return steal_begin(&pool, 1, 2, 0) == THREAD_OK;
}
bool count_report(void)
{
    printf("spawn %lu, spawn and sync with the job's call %lu, a root from a thread and back %lu\n", took.spawn,
           took.pair, took.call);
    return took.spawn <= 36 && took.pair <= 90 && took.call <= 900;
}
