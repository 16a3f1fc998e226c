// critical.c - the functions that hold the library's spin locks and switch threads.
//
// All code here is in a section of its own and there is a copy of it (tools/recoverable).  A flow that is stopped
// in the section goes on in the copy, which has the same instructions at the same distances but ends in
// threads_recovery_end; so nothing is added to this code.  The rules that make it possible: no calls; one spin lock
// at a time; a lock may be held until the caller's stack has been left, since a flow can be found by others only
// then; what was taken before a lock is waited for belongs to the caller alone, and stays with it if it is stopped
// there.
//
// A wait is: find who runs next, take the guard, look again, put oneself on the list, switch, give the guard free.
#include "block.h"

void body_yield(void);
void body_lock(struct thread *self, struct mutex *m, struct switch_frame *frame);
void body_condition_wait(struct thread *self, struct mutex *m, struct condition *c);
void body_condition_wait_any(struct thread *self, struct mutex *m, struct condition *c, struct switch_frame *frame);
void body_semaphore_wait(struct thread *self, struct semaphore *s, struct switch_frame *frame);

// ---- yield ----------------------------------------------------------------------------------------------------

SWITCHING_STRAIGHT(critical_yield, body_yield);
CRITICAL void body_yield(void)
{
    struct thread *self = thread_self();
    struct ready *r = ready_take();
    uint32_t p = self->priority;
    uint32_t above = r->bits >> p;

    if (__builtin_expect(above == 1, 1)) {           // only equals: one goes off the list and one on it
        struct thread *next = r->first[p];
        save_straight(self);
        ready_append(r, p, self);
        r->first[p] = next->next;
        switch_to(next, &r->lock);
    }
    if (above == 0) {
        guard_give(&r->lock);
        switch_back_straight();
    }
    save_straight(self);
    ready_put(r, self, false);
    switch_to(ready_get(r), &r->lock);
}

// ---- mutex ----------------------------------------------------------------------------------------------------

SWITCHING(critical_lock, body_lock, rdx);
CRITICAL void body_lock(struct thread *self, struct mutex *m, struct switch_frame *frame)
{
    struct thread *next = next_thread(false);
    uint32_t stop;

    announce(self, m);
    guard_take(&m->guard);
    if (mutex_grant(m, self)) {
        do_not_block(self, THREAD_OK, next, &m->guard, frame);
    }
    stop = self->stop & self->stoppable;
    if (stop) {
        word_quiet(&m->word, &m->waiters);
        do_not_block(self, stop_status(stop), next, &m->guard, frame);
    }
    publish(self, &m->waiters, frame);
    block(next, &m->guard, frame);
}
// The first waiter, who owns m now.
INLINE struct thread *mutex_pass(struct mutex *m)
{
    struct thread *w = m->waiters.first;

    if (w == NULL) {
        __atomic_store_n(&m->word, 0, __ATOMIC_RELEASE);
        return NULL;
    }
    wait_remove_first(&m->waiters, w);
    __atomic_store_n(&m->word, (uint64_t)w | (m->waiters.first != NULL), __ATOMIC_RELEASE);
    return w;
}
CRITICAL enum thread_status critical_unlock(struct thread *self, struct mutex *m)
{
    struct thread *w;

    guard_take(&m->guard);
    if ((m->word & ~1ull) != (uint64_t)self) {
        guard_give(&m->guard);
        return THREAD_INVALID;
    }
    w = mutex_pass(m);
    if (w != NULL) {
        wait_over(w);
    }
    guard_give(&m->guard);
    if (w != NULL) {
        make_ready(self, w);
    }
    return THREAD_OK;
}

// ---- condition ------------------------------------------------------------------------------------------------

// Who waits for the mutex runs next; m's guard is held.
INLINE _Noreturn void pass_and_block(struct thread *self, struct mutex *m, struct switch_frame *frame)
{
    struct thread *w = mutex_pass(m);

    wait_over(w);
    if (threads.on_kernel) {
        self->woken = w;
        block(NULL, &m->guard, frame);
    }
    if (unusual(&self->after)) {
        w->after |= self->after & AFTER_MORE;
    }
    hand_to(w, ready_here(), &m->guard);
}
// Under the guard: whether the caller may wait.
INLINE enum thread_status condition_check(struct thread *self, struct mutex *m, struct condition *c)
{
    uint32_t stop = self->stop & self->stoppable;

    if ((m->word & ~1ull) != (uint64_t)self) {
        return THREAD_INVALID;
    }
    if (c->mutex != m) {
        if (c->waiters.first != NULL) {
            return THREAD_INVALID;
        }
        __atomic_store_n(&c->mutex, m, __ATOMIC_RELAXED);
    }
    return stop == 0 ? THREAD_OK : stop_status(stop);
}
SWITCHING_STRAIGHT(critical_condition_wait, body_condition_wait);
// The usual case in a straight line: somebody waits for the mutex, and runs next.
CRITICAL void body_condition_wait(struct thread *self, struct mutex *m, struct condition *c)
{
    struct thread *w, *other;

    announce(self, m);
    guard_take(&m->guard);
    w = m->waiters.first;
    if (__builtin_expect(w == NULL || m->word != ((uint64_t)self | 1) || c->mutex != m, 0) ||
        unusual_pair(&self->after)) {
        guard_give(&m->guard);
        GO_ON_WAITING(body_condition_wait_any, rcx, "D"(self), "S"(m), "d"(c));
    }
    save_straight(self);
    self->result = THREAD_OK;
    wait_put(&c->waiters, self);
    other = w->next;
    m->waiters.first = other;
    if (__builtin_expect(other == NULL, 1)) {
        m->waiters.last = NULL;
        __atomic_store_n(&m->word, (uint64_t)w, __ATOMIC_RELEASE);
    } else {
        other->prev = NULL;
        __atomic_store_n(&m->word, (uint64_t)w | 1, __ATOMIC_RELEASE);
    }
    wait_over(w);
    hand_to(w, ready_here(), &m->guard);
}
CRITICAL void body_condition_wait_any(struct thread *self, struct mutex *m, struct condition *c,
                                      struct switch_frame *frame)
{
    struct thread *next = NULL;
    enum thread_status status;

    announce(self, m);
    for (;;) {
        guard_take(&m->guard);
        status = condition_check(self, m, c);
        if (__builtin_expect(status != THREAD_OK, 0)) {
            do_not_block(self, status, next, &m->guard, frame);
        }
        bool waited_for = m->waiters.first != NULL;
        if (next == NULL ? waited_for || threads.on_kernel : !waited_for) {
            break;
        }
        guard_give(&m->guard);
        if (next != NULL) {
            give_back(next, &self->after);
            next = NULL;
        } else {
            next = next_thread(unusual(&self->after) && self->after & AFTER_MORE);
        }
    }
    publish(self, &c->waiters, frame);
    if (m->waiters.first != NULL) {
        pass_and_block(self, m, frame);
    }
    __atomic_store_n(&m->word, 0, __ATOMIC_RELEASE);
    block(next, &m->guard, frame);
}
CRITICAL struct condition *critical_signal_one(struct condition *c)
{
    struct mutex *m = __atomic_load_n(&c->mutex, __ATOMIC_RELAXED);
    struct thread *w;

    if (m == NULL || __atomic_load_n(&m->word, __ATOMIC_RELAXED) != (uint64_t)thread_self()) {
        return c;
    }
    guard_take(&m->guard);
    w = c->waiters.first;
    if (__builtin_expect(w != NULL && w->next == NULL && m->waiters.first == NULL, 1)) {
        c->waiters.first = c->waiters.last = NULL;
        w->stoppable = 0;                            // from now on it waits for the mutex
        w->list = &m->waiters;
        m->waiters.first = m->waiters.last = w;
        __atomic_fetch_or(&m->word, 1, __ATOMIC_RELAXED);
        c = NULL;
    }
    guard_give(&m->guard);
    return c;
}
CRITICAL bool critical_signal(struct thread *self, struct condition *c, bool all)
{
    struct mutex *m = __atomic_load_n(&c->mutex, __ATOMIC_RELAXED);
    struct thread *granted = NULL;

    if (m == NULL) {
        return false;
    }
    guard_take(&m->guard);
    for (struct thread *w = c->waiters.first; w != NULL; w = all ? c->waiters.first : NULL) {
        wait_remove_first(&c->waiters, w);
        w->stoppable = 0;                            // from now on it waits for the mutex
        if (mutex_grant(m, w)) {
            wait_over(w);
            granted = w;
        } else {
            wait_put(&m->waiters, w);
        }
    }
    guard_give(&m->guard);
    if (granted != NULL) {
        make_ready(self, granted);
    }
    return granted != NULL;
}

// ---- semaphore ------------------------------------------------------------------------------------------------

SWITCHING(critical_semaphore_wait, body_semaphore_wait, rdx);
CRITICAL void body_semaphore_wait(struct thread *self, struct semaphore *s, struct switch_frame *frame)
{
    struct thread *next = next_thread(false);
    uint64_t word;
    uint32_t stop;

    announce(self, (struct mutex *)s);
    guard_take(&s->guard);
    word = s->word;
    for (;;) {
        if (word >= 2) {
            if (word_swing(&s->word, &word, word - 2)) {
                do_not_block(self, THREAD_OK, next, &s->guard, frame);
            }
        } else if (word & 1 || word_swing(&s->word, &word, word | 1)) {
            break;
        }
    }
    stop = self->stop & self->stoppable;
    if (stop) {
        word_quiet(&s->word, &s->waiters);
        do_not_block(self, stop_status(stop), next, &s->guard, frame);
    }
    publish(self, &s->waiters, frame);
    block(next, &s->guard, frame);
}
// Take off the first waiter, who has his unit.
INLINE struct thread *semaphore_first(struct semaphore *s)
{
    struct thread *w = s->waiters.first;

    if (w != NULL) {
        wait_remove_first(&s->waiters, w);
        word_quiet(&s->word, &s->waiters);
        wait_over(w);
    }
    return w;
}
CRITICAL void critical_post(struct thread *self, struct semaphore *s, uint64_t most)
{
    struct thread *w;

    guard_take(&s->guard);
    w = semaphore_first(s);
    if (w == NULL && s->word < most) {
        __atomic_fetch_add(&s->word, 2, __ATOMIC_RELEASE);
    }
    guard_give(&s->guard);
    if (w != NULL) {
        make_ready(self, w);
    }
}
