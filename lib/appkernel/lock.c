// lock.c - spin locks and mutexes of threads that can be preempted and written back at any moment.
//
// A mutex is 0 free, 1 held, 2 held and perhaps somebody sleeps.  Only somebody who leaves 2 behind has to
// look for sleepers, so the fast paths are one atomic instruction each.
// Races:
//   (a) unlock stores 0 and finds 1 there: no sleeper had said so.  A sleeper sets 2 under the guard after it
//       queued itself, and takes the mutex instead if it finds 0 there.
//   (b) While a woken sleeper has not tried again, unlock wakes no other: whoever runs may take the mutex meanwhile,
//       and not every unlock sends somebody.  unlock stores 0 and then reads `waking`; the sleeper clears it and then
//       tries.  If unlock read 1, the sleeper's try comes after the 0.
//   (c) unlock wakes the first sleeper while it holds the guard; the sleeper takes the guard before it goes on,
//       so it cannot end, and its memory cannot go, between the look at it and the signal to it.
#include "appkernel_impl.h"

#include <base.h>
#include <sys.h>

enum { SPIN_TRIES = 100, MUTEX_TRIES = 40 };

struct ak_waiter {                       // on the sleeper's stack
    struct ak_thread *thread;            // I
    struct ak_waiter *next;              // guard
    bool queued;                         // guard
};

void ak_pause(void)
{
    (void)sys_wait(ak_now() + ak_system->slice / 8);
}

static __attribute__((noinline)) void spin(uint32_t *lock)
{
    unsigned tries = 0;

    do {
        do {
            relax();
            if (++tries % SPIN_TRIES == 0) {
                ak_pause();              // takes a signal away, but not `woken`, which is what counts
            }
        } while (load32(lock) != 0);
    } while (exchange32(lock, 1) != 0);
}

void ak_spin_lock(uint32_t *lock)
{
    if (exchange32(lock, 1) != 0) {
        spin(lock);
    }
}

void ak_spin_unlock(uint32_t *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);                 // pairs with ak_spin_lock()
}

static bool take_free(struct ak_mutex *m)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&m->state, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void waiter_add(struct ak_mutex *m, struct ak_waiter *w)
{
    w->next = NULL;
    w->queued = true;
    if (m->first == NULL) {
        m->first = w;
    } else {
        m->last->next = w;
    }
    m->last = w;
}

static void waiter_remove(struct ak_mutex *m, struct ak_waiter *w)
{
    struct ak_waiter **at = &m->first, *before = NULL;

    while (*at != w) {
        before = *at;
        at = &before->next;
    }
    *at = w->next;
    if (m->last == w) {
        m->last = before;
    }
    w->queued = false;
}

static __attribute__((noinline)) void lock_slow(struct ak_mutex *m, struct ak_thread *self)
{
    struct ak_waiter w = {.thread = self};

    for (unsigned tries = 0; ak_system->cpus > 1 && tries < MUTEX_TRIES; tries++) {
        relax();
        if (load32(&m->state) == 0 && take_free(m)) {
            return;
        }
    }
    ak_spin_lock(&m->guard);
    for (;;) {
        if (!w.queued) {
            waiter_add(m, &w);
        }
        if (exchange32(&m->state, 2) == 0) {
            break;
        }
        ak_spin_unlock(&m->guard);
        (void)ak_block(self, 0);
        ak_spin_lock(&m->guard);
        if (!w.queued) {
            __atomic_store_n(&m->waking, 0, __ATOMIC_SEQ_CST);
        }
    }
    waiter_remove(m, &w);
    ak_spin_unlock(&m->guard);
}

void ak_mutex_lock(struct ak_mutex *m, struct ak_thread *self)
{
    if (!take_free(m)) {
        lock_slow(m, self);
    }
}
void ak_mutex_unlock(struct ak_mutex *m)
{
    if (exchange32(&m->state, 0) != 2 || __atomic_load_n(&m->waking, __ATOMIC_SEQ_CST) != 0) {
        return;
    }
    ak_spin_lock(&m->guard);
    struct ak_waiter *w = m->first;
    if (w != NULL && m->waking == 0) {
        waiter_remove(m, w);
        __atomic_store_n(&m->waking, 1, __ATOMIC_SEQ_CST);
        ak_wake(w->thread);
    }
    ak_spin_unlock(&m->guard);
}
