// test_count.c - how many instructions the usual operations take, counted by single steps.
#include <stdio.h>

#include "count.h"

enum { TIMES = 8 };
static struct { uint64_t fork, join, yield, lock, ping; } took;
static struct mutex m;
static struct condition c[2];
static volatile unsigned turn;

static void *nothing(void *argument)
{
    return argument;
}
static void *yields(void *argument)
{
    for (int i = 0; i < TIMES; i++) {
        thread_yield();
        thread_yield();
        thread_yield();
    }
    return argument;
}
static void play(unsigned me)
{
    for (int i = 0; i < TIMES; i++) {
        while (turn != me) {
            (void)condition_wait(&c[me], &m);
        }
        turn = !me;
        condition_signal(&c[!me]);
    }
}
static void *other(void *argument)
{
    mutex_lock(&m);
    play(1);
    (void)mutex_unlock(&m);
    return argument;
}
static uint64_t count_forks(struct thread **t)
{
    uint64_t begin = *steps;

    (void)thread_fork(t, NULL, nothing, NULL);
    return *steps - begin;
}
void *count_first(void *argument)
{
    struct thread *t;
    uint64_t begin;

    mutex_init(&m);
    for (int i = 0; i < 3; i++) {                    // the last counts: everything is there
        took.fork = count_forks(&t);
        (void)thread_join(t, NULL);
    }
    begin = *steps;
    (void)thread_fork(&t, NULL, nothing, NULL);
    (void)thread_join(t, NULL);
    took.join = *steps - begin;
    (void)thread_fork(&t, NULL, yields, NULL);
    thread_yield();
    begin = *steps;
    thread_yield();
    thread_yield();
    took.yield = (*steps - begin) / 4;               // each of two threads, twice
    (void)thread_join(t, NULL);
    begin = *steps;
    mutex_lock(&m);
    (void)mutex_unlock(&m);
    took.lock = *steps - begin;
    (void)thread_fork(&t, NULL, other, NULL);
    mutex_lock(&m);
    begin = *steps;
    play(0);
    took.ping = (*steps - begin) / TIMES;            // there and back
    (void)mutex_unlock(&m);
    (void)thread_join(t, NULL);
    return argument;
}
bool count_begin(void)
{
    return true;
}
bool count_report(void)
{
    printf("fork %lu, fork and join %lu, yield %lu, acquire and release %lu, ping-pong %lu\n", took.fork, took.join,
           took.yield, took.lock, took.ping);
    return took.fork <= 60 && took.join <= 196 && took.yield <= 39 && took.lock <= 9 && took.ping <= 235;
}
