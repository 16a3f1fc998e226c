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
#include "guard.h"

void body_yield(struct thread *self, struct switch_frame *frame);
void body_lock(struct thread *self, struct mutex *m, struct switch_frame *frame);
void body_condition_wait(struct thread *self, struct mutex *m, struct condition *c, struct switch_frame *frame);
void body_semaphore_wait(struct thread *self, struct semaphore *s, struct switch_frame *frame);
void body_exit(struct thread *self, struct switch_frame *frame);

// ---- who runs next --------------------------------------------------------------------------------------------

// An idle flow that nobody uses; there are more than activations, so there is one.
INLINE struct thread *idle_claim(void)
{
    for (uint32_t i = 0;; i = i + 1 < threads.idles ? i + 1 : 0) {
        struct thread *idle = threads.idle[i];
        uint32_t left = PHASE_LEFT;
        if (idle->phase == PHASE_LEFT && __atomic_compare_exchange_n(&idle->phase, &left, PHASE_SCHEDULING, false,
                                                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            struct switch_frame *frame = (struct switch_frame *)((char *)idle - 16) - 1;
            frame->mxcsr = 0x1f80;
            frame->control = 0x37f;
            frame->ret = threads_idle_start;
            idle->saved = frame;
            return idle;
        }
    }
}
// With kernel threads NULL: the caller blocks by itself.
INLINE struct thread *next_thread(void)
{
    struct thread *next = NULL;
    struct ready *r;

    if (threads.on_kernel) {
        return NULL;
    }
    r = ready_here();
    if (r->bits != 0) {
        guard_take(&r->lock);
        if (r->bits != 0) {
            next = ready_get(r);
        }
        guard_give(&r->lock);
    }
    return next != NULL ? next : idle_claim();
}
INLINE void give_back(struct thread *next)
{
    if (next == NULL) {
        return;
    }
    if (next->kind == FLOW_IDLE) {
        __atomic_store_n(&next->phase, PHASE_LEFT, __ATOMIC_RELEASE);
    } else {
        struct ready *r = ready_here();
        guard_take(&r->lock);
        ready_put(r, next, true);
        guard_give(&r->lock);
    }
}
// ---- waiting --------------------------------------------------------------------------------------------------

INLINE void publish(struct thread *self, struct wait_list *list, struct switch_frame *frame)
{
    self->saved = frame;
    self->pending = THREAD_OK;
    self->result = THREAD_WAITING;
    wait_put(list, self);
}
// The guard of what the caller waits for is held; it is on the list.
INLINE _Noreturn void block(struct thread *next, uint32_t *guard, struct switch_frame *frame)
{
    if (next != NULL) {
        switch_to(next, guard);
    }
    guard_give(guard);
    switch_back(frame);
}
INLINE _Noreturn void do_not_block(struct thread *self, enum thread_status result, struct thread *next,
                                   uint32_t *guard, struct switch_frame *frame)
{
    self->result = result;
    guard_give(guard);
    give_back(next);
    switch_back(frame);
}
// The caller is going to look at what it waits for under this guard; who wants to end the wait sees that or is seen.
INLINE void announce(struct thread *self, struct mutex *on)
{
    __atomic_store_n(&self->on, on, __ATOMIC_RELAXED);
}

// ---- yield ----------------------------------------------------------------------------------------------------

SWITCHING(critical_yield, body_yield, rsi);
CRITICAL void body_yield(struct thread *self, struct switch_frame *frame)
{
    struct ready *r = ready_here();

    if (r->bits >> self->priority == 0) {
        switch_back(frame);
    }
    guard_take(&r->lock);
    self->saved = frame;
    if (r->bits >> self->priority == 1) {            // only equals: one goes off the list and one on it
        struct wait_list *level = &r->level[self->priority];
        struct thread *next = level->first;
        self->next = NULL;
        level->last->next = self;
        level->last = self;
        level->first = next->next;
        switch_to(next, &r->lock);
    }
    ready_put(r, self, false);
    switch_to(ready_get(r), &r->lock);
}

// ---- mutex ----------------------------------------------------------------------------------------------------

SWITCHING(critical_lock, body_lock, rdx);
CRITICAL void body_lock(struct thread *self, struct mutex *m, struct switch_frame *frame)
{
    struct thread *next = next_thread();
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
    wait_remove(w);
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

// Who waits for the mutex runs next, without a ready list; m's guard is held.
INLINE _Noreturn void pass_and_block(struct thread *self, struct mutex *m, struct switch_frame *frame)
{
    struct thread *w = mutex_pass(m);

    wait_over(w);
    if (threads.on_kernel) {
        self->woken = w;
        block(NULL, &m->guard, frame);
    }
    w->late = (ready_here()->bits >> w->priority) > 1;
    switch_to(w, &m->guard);
}
SWITCHING(critical_condition_wait, body_condition_wait, rcx);
CRITICAL void body_condition_wait(struct thread *self, struct mutex *m, struct condition *c,
                                  struct switch_frame *frame)
{
    struct thread *next = NULL;
    uint32_t stop;

    announce(self, m);
    for (;;) {
        guard_take(&m->guard);
        if ((m->word & ~1ull) != (uint64_t)self || (c->waiters.first != NULL && c->mutex != m)) {
            do_not_block(self, THREAD_INVALID, next, &m->guard, frame);
        }
        stop = self->stop & self->stoppable;
        if (stop) {
            do_not_block(self, stop_status(stop), next, &m->guard, frame);
        }
        bool waited_for = m->waiters.first != NULL;
        if (next == NULL ? waited_for || threads.on_kernel : !waited_for) {
            break;
        }
        guard_give(&m->guard);
        if (next != NULL) {
            give_back(next);
            next = NULL;
        } else {
            next = next_thread();
        }
    }
    __atomic_store_n(&c->mutex, m, __ATOMIC_RELAXED);
    publish(self, &c->waiters, frame);
    if (m->waiters.first != NULL) {
        pass_and_block(self, m, frame);
    }
    __atomic_store_n(&m->word, 0, __ATOMIC_RELEASE);
    block(next, &m->guard, frame);
}
CRITICAL void critical_signal(struct thread *self, struct condition *c, bool all)
{
    struct mutex *m = __atomic_load_n(&c->mutex, __ATOMIC_RELAXED);
    struct thread *granted = NULL;

    if (m == NULL) {
        return;
    }
    guard_take(&m->guard);
    for (struct thread *w = c->waiters.first; w != NULL; w = all ? c->waiters.first : NULL) {
        wait_remove(w);
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
}

// ---- semaphore ------------------------------------------------------------------------------------------------

SWITCHING(critical_semaphore_wait, body_semaphore_wait, rdx);
CRITICAL void body_semaphore_wait(struct thread *self, struct semaphore *s, struct switch_frame *frame)
{
    struct thread *next = next_thread();
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
        wait_remove(w);
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

// ---- the end of a thread ----------------------------------------------------------------------------------------

// A joiner runs next, without a ready list.  done.guard is held until the stack has been left, and who frees the
// record takes it once (critical_free).
INLINE _Noreturn void exit_to(struct thread *self, struct thread *w, struct switch_frame *frame)
{
    if (threads.on_kernel) {
        self->woken = w;
        block(NULL, &self->done.guard, frame);
    }
    w->late = (ready_here()->bits >> w->priority) > 1;
    switch_to(w, &self->done.guard);
}
SWITCHING(critical_exit, body_exit, rsi);
CRITICAL void body_exit(struct thread *self, struct switch_frame *frame)
{
    struct thread *next = NULL, *w;
    struct free_list free;

    for (;;) {
        guard_take(&self->done.guard);
        w = self->detached ? NULL : semaphore_first(&self->done);
        if (w != NULL && next == NULL) {
            exit_to(self, w, frame);
        }
        if (w != NULL || next != NULL || threads.on_kernel) {
            break;
        }
        guard_give(&self->done.guard);
        next = next_thread();
    }
    if (w != NULL) {                                 // who came meanwhile; `next` is not needed
        guard_give(&self->done.guard);
        give_back(next);
        guard_take(&self->done.guard);
        exit_to(self, w, frame);
    }
    if (!self->detached) {
        __atomic_fetch_add(&self->done.word, 2, __ATOMIC_RELEASE);
        block(next, &self->done.guard, frame);
    }
    guard_give(&self->done.guard);
    if (next == NULL) {
        switch_back(frame);                          // its kernel thread ends before the record is free
    }
    free = free_list_of(self);
    guard_take(free.lock);
    self->next = *free.first;
    *free.first = self;
    switch_to(next, free.lock);
}
CRITICAL bool critical_detach(struct thread *t, bool *exited)
{
    bool done;

    guard_take(&t->done.guard);
    done = !t->detached;
    t->detached = 1;
    *exited = done && t->done.word >= 2;
    guard_give(&t->done.guard);
    return done;
}
