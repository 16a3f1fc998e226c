// lock.c - spin locks and mutexes of threads that can be preempted and written back at any moment.
//
// A mutex is 0, or names its holder, with bit 0 if perhaps somebody sleeps.  Only somebody who leaves that bit behind
// has to look for sleepers, so the fast paths are one atomic instruction each.
// Races:
//   (a) unlock stores 0 and finds no bit there: no sleeper had said so.  A sleeper sets it under the guard after it
//       queued itself, and takes the mutex instead if it finds 0 there.
//   (b) While a woken sleeper has not tried again, unlock wakes no other: whoever runs may take the mutex meanwhile,
//       and not every unlock sends somebody.  unlock stores 0 and then reads `waking` under the guard; the sleeper
//       clears it there and tries.  If unlock read it set, the sleeper's try comes after the 0.
//   (c) unlock wakes the first sleeper while it holds the guard; the sleeper takes the guard before it goes on,
//       so it cannot end, and its memory cannot go, between the look at it and the signal to it.
//   (d) Priorities: who sleeps lends his to the holder, and to the sleeper who was woken, since both are in his way;
//       and who is woken gets the highest of all that are queued.  This is done under the guard, which a holder with
//       bit 0 takes before it goes on, so that it cannot end meanwhile.  It gives back what was lent when it unlocks,
//       of all mutexes that it holds: the next sleeper would lend it again.
#include "appkernel_impl.h"

#include <base.h>
#include <sys.h>

enum { SPIN_TRIES = 100, MUTEX_TRIES = 40 };
static const uintptr_t SLEEPERS = 1;     // bit 0 of a mutex

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

static bool take_free(struct ak_mutex *m, struct ak_thread *self)
{
    uintptr_t free = 0;
    return __atomic_compare_exchange_n(&m->state, &free, (uintptr_t)self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

// Take it, or say that somebody sleeps.  Gives the holder; NULL: it was free.
static struct ak_thread *take_or_say(struct ak_mutex *m, struct ak_thread *self)
{
    uintptr_t old = __atomic_load_n(&m->state, __ATOMIC_RELAXED);

    while (!__atomic_compare_exchange_n(&m->state, &old, (old != 0 ? old : (uintptr_t)self) | SLEEPERS, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
    }
    return (struct ak_thread *)(old & ~SLEEPERS);
}

static void lend(struct ak_thread *to, uint32_t level)
{
    if (to != NULL && ak_thread_level(to) < level) {
        __atomic_store_n(&to->lent, level, __ATOMIC_SEQ_CST);
        ak_thread_apply(to);
    }
}

static void waiter_add(struct ak_mutex *m, struct ak_waiter *w)
{
    uint32_t level = ak_thread_level(w->thread);

    w->next = NULL;
    w->queued = true;
    m->most = m->first == NULL || level > m->most ? level : m->most;
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
    struct ak_thread *holder;

    for (unsigned tries = 0; ak_system->cpus > 1 && tries < MUTEX_TRIES; tries++) {
        relax();
        if (__atomic_load_n(&m->state, __ATOMIC_ACQUIRE) == 0 && take_free(m, self)) {
            return;
        }
    }
    ak_spin_lock(&m->guard);
    for (;;) {
        if (!w.queued) {
            waiter_add(m, &w);
        }
        holder = take_or_say(m, self);
        if (holder == NULL) {
            break;
        }
        lend(holder, ak_thread_level(self));
        lend(m->waking, ak_thread_level(self));
        ak_spin_unlock(&m->guard);
        (void)ak_block(self, 0);
        ak_spin_lock(&m->guard);
        if (!w.queued) {
            m->waking = NULL;
        }
    }
    waiter_remove(m, &w);
    ak_spin_unlock(&m->guard);
}

bool ak_mutex_try(struct ak_mutex *m, struct ak_thread *self)
{
    return take_free(m, self);
}

void ak_mutex_lock(struct ak_mutex *m, struct ak_thread *self)
{
    if (!take_free(m, self)) {
        lock_slow(m, self);
    }
}

static __attribute__((noinline)) void unlock_slow(struct ak_mutex *m, struct ak_thread *self)
{
    ak_spin_lock(&m->guard);
    struct ak_waiter *w = m->first;
    if (w != NULL && m->waking == NULL) {
        waiter_remove(m, w);
        m->waking = w->thread;
        lend(w->thread, m->most);
        ak_wake(w->thread);
    }
    ak_spin_unlock(&m->guard);
    if (__atomic_exchange_n(&self->lent, 0, __ATOMIC_SEQ_CST) != 0) {
        ak_thread_apply(self);
    }
}

void ak_mutex_unlock(struct ak_mutex *m)
{
    uintptr_t was = __atomic_exchange_n(&m->state, 0, __ATOMIC_SEQ_CST);

    if (was & SLEEPERS) {
        unlock_slow(m, (struct ak_thread *)(was & ~SLEEPERS));
    }
}
