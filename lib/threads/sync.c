// sync.c - mutexes, conditions and semaphores: what is not in their fast ways (threads.h) and not critical.
#include "wait.h"

// ---- mutex ----------------------------------------------------------------------------------------------------

void mutex_init(struct mutex *m)
{
    *m = (struct mutex){0};
}
void mutex_lock_slow(struct mutex *m)
{
    mutex_lock_until(m, 0);
}
enum thread_status mutex_lock_until(struct mutex *m, uint64_t until)
{
    struct thread *self = thread_self();

    if (mutex_swing(m, 0, (uintptr_t)self)) {
        return THREAD_OK;
    }
    wait_begin(self, until, false);
    critical_lock(self, m);
    return wait_end(self);
}
enum thread_status mutex_unlock_slow(struct mutex *m)
{
    struct thread *self = thread_self();
    enum thread_status status = critical_unlock(self, m);

    after_wake(self);
    return status;
}

// ---- condition ------------------------------------------------------------------------------------------------

void condition_init(struct condition *c)
{
    *c = (struct condition){0};
}
enum thread_status condition_wait_until(struct condition *c, struct mutex *m, uint64_t until)
{
    struct thread *self = thread_self();

    wait_begin(self, until, true);
    critical_condition_wait(self, m, c);
    return wait_end(self);
}
enum thread_status condition_wait(struct condition *c, struct mutex *m)
{
    return condition_wait_until(c, m, 0);
}
static __attribute__((noinline)) void signal_any(struct condition *c, bool all)
{
    struct thread *self = thread_self();

    if (critical_signal(self, c, all)) {
        after_wake(self);
    }
}
void condition_signal_slow(struct condition *c)
{
    signal_any(c, false);
}
void condition_broadcast(struct condition *c)
{
    signal_any(c, true);
}

// ---- semaphore ------------------------------------------------------------------------------------------------

void semaphore_init(struct semaphore *s, uint32_t units)
{
    *s = (struct semaphore){.word = (uint64_t)units * 2};
}
enum thread_status semaphore_try(struct semaphore *s)
{
    uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);

    while (word >= 2) {
        if (__atomic_compare_exchange_n(&s->word, &word, word - 2, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return THREAD_OK;
        }
    }
    return THREAD_BUSY;
}
enum thread_status semaphore_wait_until(struct semaphore *s, uint64_t until)
{
    struct thread *self = thread_self();

    if (semaphore_try(s) == THREAD_OK) {
        return THREAD_OK;
    }
    wait_begin(self, until, true);
    critical_semaphore_wait(self, s);
    return wait_end(self);
}
enum thread_status semaphore_wait(struct semaphore *s)
{
    return semaphore_wait_until(s, 0);
}
void semaphore_post(struct semaphore *s)
{
    struct thread *self = thread_self();
    uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);

    while (!(word & 1)) {
        if (__atomic_compare_exchange_n(&s->word, &word, word + 2, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
            return;
        }
    }
    critical_post(self, s, UINT64_MAX);
    after_wake(self);
}

// ---- blocking by hand -------------------------------------------------------------------------------------------

enum thread_status thread_block(uint64_t until)
{
    return semaphore_wait_until(&thread_self()->token, until);
}
void thread_unblock(struct thread *thread)
{
    struct thread *self = thread_self();

    critical_post(self, &thread->token, 2);
    after_wake(self);
}
enum thread_status thread_sleep(uint64_t until)
{
    struct semaphore never = {0};
    enum thread_status status = semaphore_wait_until(&never, until);

    return status == THREAD_TIMEOUT ? THREAD_OK : status;
}
