// sharing.h - threads that share the processors: loaded when they are ready, left loaded while they block.
//
// The third way of scheduling by the library, beside the two of processing.h, and the one for very many threads:
//   - a thread is loaded when it starts, and whenever the supervisor has written it back and it is ready; those who
//     wait for room are loaded in the order of their priorities;
//   - it is not unloaded when it blocks.  A wake-up is one signal to it, by whoever wakes it; the scheduling thread has
//     no part in that.  If the supervisor writes it back meanwhile, it costs nothing until it is woken;
//   - among those that are loaded the supervisor chooses by priority.  Once in an interval of four time slices the
//     scheduling thread asks the policy (timeshare.h) for everybody's, and changes in place what has changed.
// The scheduling thread is the kernel's first thread, loaded locked at its highest priority: it runs ak_service(), with
// sharing_poll() in poll().  It rests while nobody is ready; the first who goes on tells it.
// How long a thread ran is what its state page says.
// Cache Kernel, 2.3 and 3.
#pragma once
#include <appkernel.h>

#include "timeshare.h"

struct sharing_thread {
    struct ak_thread thread;             // first: its address is the cookie
    struct timeshare share;              // level and usage: the scheduling thread's
    bool     blocked;                    // a  it sleeps; set before sharing_block and cleared after, by itself
    uint64_t ran;                        // s  its state page's `ran` at the last look; s: the scheduling thread only
};

// Before ak_service.  highest: the priority of level 0, at most the kernel's highest less one, so that the
// scheduling thread comes first.
void sharing_begin(uint32_t highest);
// To be called by poll() of ak_service.
void sharing_poll(void);

extern uint32_t sharing_resting;         // a  the scheduling thread rests
void sharing_rouse(void);                // it shall go on

// Clear *t and allocate its state page and stack.  ERR_LIMIT: no memory.
err_t sharing_create(struct sharing_thread *t);
// Run fn(arg) on it, in the kernel's own space.  Once for each thread; its thread.resume is set before, if it has a
// program.  from: the thread whose place in the policy it takes up, or NULL.  Never blocks.
void  sharing_start(struct sharing_thread *t, const struct sharing_thread *from, void (*fn)(void *), void *arg);
// Block the calling thread, which must be t and has said so in t->blocked, as ak_block() does.
static inline err_t sharing_block(struct sharing_thread *t, uint64_t deadline)
{
    err_t e = ak_block(&t->thread, deadline);

    if (__builtin_expect(__atomic_load_n(&sharing_resting, __ATOMIC_RELAXED) != 0, 0)) {
        sharing_rouse();
    }
    return e;
}
// From any thread.  Never blocks.
static inline void sharing_wake(struct sharing_thread *t)
{
    ak_wake(&t->thread);
}
// End the calling thread, which must be t.  Its memory comes back by ak_thread_collect().
static inline _Noreturn void sharing_exit(struct sharing_thread *t)
{
    ak_thread_exit(&t->thread);
}
