// par_fast.c - the thread package of the simulation on FastThreads (lib/threads), in each of its three ways.
#include <threads_native.h>

#include "par.h"
#include "program.h"

THREADS_NATIVE(48, 192);

enum { STACK = 24 * 1024 };

struct fast_thread {
    struct thread *thread;
    void         (*run)(void *arg);
    void          *arg;
};
_Static_assert(sizeof(struct fast_thread) <= sizeof(struct par_thread), "par_thread");
_Static_assert(sizeof(struct mutex) <= sizeof(struct par_mutex), "par_mutex");
_Static_assert(sizeof(struct condition) <= sizeof(struct par_cond), "par_cond");

void threads_program_setup(struct threads_setup *setup)
{
    setup->stack = STACK;
}

int threads_program(const struct native_info *info)
{
    return nbody_main(info);
}

void *par_memory(size_t size)
{
    size_t pages = (size + ABI_PAGE - 1) & ~(size_t)(ABI_PAGE - 1);
    va_t va = 0;

    return native_map(pages, MAP_READ | MAP_WRITE, 0, &va) == ERR_OK ? (void *)va : NULL;
}

static void *begin(void *thread)
{
    struct fast_thread *t = thread;

    t->run(t->arg);
    return NULL;
}

bool par_fork(struct par_thread *thread, void (*run)(void *arg), void *arg)
{
    struct fast_thread *t = (struct fast_thread *)thread;

    *t = (struct fast_thread){.run = run, .arg = arg};
    return thread_fork(&t->thread, NULL, begin, t) == THREAD_OK;
}

void par_join(struct par_thread *thread)
{
    (void)thread_join(((struct fast_thread *)thread)->thread, NULL);
}

void par_lock(struct par_mutex *m)
{
    mutex_lock((struct mutex *)m);
}

void par_unlock(struct par_mutex *m)
{
    (void)mutex_unlock((struct mutex *)m);
}

void par_wait(struct par_cond *c, struct par_mutex *m)
{
    (void)condition_wait((struct condition *)c, (struct mutex *)m);
}

void par_wake_all(struct par_cond *c)
{
    condition_broadcast((struct condition *)c);
}

void par_block(uint64_t ticks)
{
    (void)native_block(ticks);
}

uint64_t par_clock(void)
{
    return native_parallel_clock();
}
