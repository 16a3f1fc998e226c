// rounds.c - a program with a checksum (rounds.h).
#include "rounds.h"

enum { WORKERS = 6, BUFFER = 4 };

uint64_t work_steps = 12, work_rounds;
volatile uint32_t work_enough;
static struct mutex m, turn_lock;
static struct condition turn_changed, room, items;
static struct semaphore units;
static struct barrier meet;
static struct rwlock shared;
static uint64_t sum, turn, buffer[BUFFER], filled, taken, readers_saw;

static void add(uint64_t n)
{
    mutex_lock(&m);
    uint64_t old = sum;
    thread_yield();                      // inside the lock: whoever comes now has to wait
    sum = old + n;
    (void)mutex_unlock(&m);
}
static void *worker(void *argument)
{
    uint64_t me = (uint64_t)argument;
    volatile double exact = 1.0;

    for (uint64_t i = 0; i < work_steps; i++) {
        exact = exact * 3.0 + (double)me;
        add(me * i);
        (void)semaphore_wait(&units);
        exact /= 3.0;
        semaphore_post(&units);
        if (i % 4 == me % 4) {
            rwlock_write(&shared);
            readers_saw++;
            (void)rwlock_release(&shared);
        } else {
            rwlock_read(&shared);
            add(*(volatile uint64_t *)&readers_saw == UINT64_MAX);
            (void)rwlock_release(&shared);
        }
        (void)barrier_wait(&meet);
    }
    return (void *)(uint64_t)(exact > 0);
}
static void *ping(void *argument)
{
    uint64_t me = (uint64_t)argument;

    for (uint64_t i = 0; i < work_steps; i++) {
        mutex_lock(&turn_lock);
        while (turn % 2 != me) {
            (void)condition_wait(&turn_changed, &turn_lock);
        }
        turn++;
        condition_signal(&turn_changed);
        (void)mutex_unlock(&turn_lock);
    }
    return NULL;
}
static void *produce(void *argument)
{
    for (uint64_t i = 1; i <= work_steps; i++) {
        mutex_lock(&m);
        while (filled - taken == BUFFER) {
            (void)condition_wait(&room, &m);
        }
        buffer[filled++ % BUFFER] = i;
        condition_broadcast(&items);
        (void)mutex_unlock(&m);
    }
    return argument;
}
static void *consume(void *argument)
{
    uint64_t got = 0;

    for (uint64_t i = 0; i < work_steps; i++) {
        mutex_lock(&m);
        while (filled == taken) {
            (void)condition_wait(&items, &m);
        }
        got += buffer[taken++ % BUFFER];
        condition_signal(&room);
        (void)mutex_unlock(&m);
        if (i % 3 == 0) {
            thread_yield();
        }
    }
    return (char *)argument + got;
}
static void *sleeps(void *argument)
{
    struct thread *t = argument;

    (void)thread_block(0);
    (void)thread_sleep(threads.machine.now() + 1);
    thread_unblock(t);
    return (void *)1;
}
static uint64_t one_round(void)
{
    struct thread *t[WORKERS + 5];
    void *value;
    uint64_t result = 0;
    unsigned n = 0;

    turn = filled = taken = 0;
    for (uint64_t i = 0; i < WORKERS; i++) {
        (void)thread_fork(&t[n++], NULL, worker, (void *)i);
    }
    (void)thread_fork(&t[n++], NULL, ping, (void *)0);
    (void)thread_fork(&t[n++], NULL, ping, (void *)1);
    (void)thread_fork(&t[n++], NULL, produce, NULL);
    (void)thread_fork(&t[n++], NULL, consume, NULL);
    (void)thread_fork(&t[n++], NULL, sleeps, thread_self());
    thread_unblock(t[n - 1]);
    (void)thread_block(0);
    while (n-- > 0) {
        (void)thread_join(t[n], &value);
        result += (uint64_t)value;
    }
    return result + turn;
}
uint64_t work_run(uint64_t rounds)
{
    uint64_t result = 0;

    semaphore_init(&units, 2);
    mutex_init(&m);
    (void)barrier_init(&meet, WORKERS);
    for (uint64_t i = 0; i < rounds && !work_enough; i++) {
        result += one_round();
        work_rounds++;
    }
    return result + sum;
}
uint64_t work_expected(uint64_t rounds)
{
    uint64_t workers = WORKERS * (WORKERS - 1) / 2 * (work_steps * (work_steps - 1) / 2) + WORKERS;

    return rounds * (workers + 2 * work_steps + work_steps * (work_steps + 1) / 2 + 1);
}
