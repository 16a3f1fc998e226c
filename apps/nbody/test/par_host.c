// par_host.c - the thread package of the simulation on pthreads.
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "par.h"
#include "par_host.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct par_mutex), "par_mutex");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(struct par_cond), "par_cond");

struct host_thread {
    pthread_t thread;
    void    (*run)(void *arg);
    void     *arg;
};

unsigned host_blocks, host_forks;
static void *given[256];
static unsigned given_count;

void *par_memory(size_t size)
{
    return given_count < 256 ? given[given_count++] = calloc(1, size) : NULL;
}

void host_free(void)
{
    while (given_count > 0) {
        free(given[--given_count]);
    }
}

static void *begin(void *thread)
{
    struct host_thread *t = thread;

    t->run(t->arg);
    return NULL;
}

bool par_fork(struct par_thread *thread, void (*run)(void *arg), void *arg)
{
    struct host_thread *t = (struct host_thread *)thread;

    __atomic_fetch_add(&host_forks, 1, __ATOMIC_RELAXED);
    t->run = run;
    t->arg = arg;
    return pthread_create(&t->thread, NULL, begin, t) == 0;
}

void par_join(struct par_thread *thread)
{
    (void)pthread_join(((struct host_thread *)thread)->thread, NULL);
}

void par_lock(struct par_mutex *m)
{
    (void)pthread_mutex_lock((pthread_mutex_t *)m);
}

void par_unlock(struct par_mutex *m)
{
    (void)pthread_mutex_unlock((pthread_mutex_t *)m);
}

void par_wait(struct par_cond *c, struct par_mutex *m)
{
    (void)pthread_cond_wait((pthread_cond_t *)c, (pthread_mutex_t *)m);
}

void par_wake_all(struct par_cond *c)
{
    (void)pthread_cond_broadcast((pthread_cond_t *)c);
}

void par_block(uint64_t ticks)
{
    struct timespec t = {0, (long)(ticks % 1000000000)};

    __atomic_fetch_add(&host_blocks, 1, __ATOMIC_RELAXED);
    (void)nanosleep(&t, NULL);
}

uint64_t par_clock(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
