// critical_lists.c - critical functions that belong to no object: ready lists, free records, timers, handlers.
//
// The rules are those of critical.c.
#include "heap.h"

void body_continue(struct thread *self, struct thread *to, struct switch_frame *frame);
void body_come_back(struct thread *self, struct switch_frame *frame);

// ---- handlers -------------------------------------------------------------------------------------------------

SWITCHING(critical_continue, body_continue, rdx);
CRITICAL void body_continue(struct thread *self, struct thread *to, struct switch_frame *frame)
{
    save_to(self, frame);
    switch_to(to, &to->after);                       // no lock: a word that is 0
}
SWITCHING(critical_come_back, body_come_back, rsi);
CRITICAL void body_come_back(struct thread *self, struct switch_frame *frame)
{
    struct thread *to = self->waiter;

    if (to == NULL) {
        switch_back(frame);
    }
    self->waiter = NULL;
    self->next = to->held;
    to->held = self;
    save_to(self, frame);
    switch_to(to, &to->after);
}
CRITICAL void critical_end_for(struct thread *self, struct thread *to)
{
    self->waiter = NULL;                             // not before: dropped until here, it has one
    switch_and_end(self, to, &to->after);
}
CRITICAL void critical_schedule(struct thread *self, struct ready *from)
{
    guard_take(&from->lock);
    if (from->bits != 0) {
        switch_and_end(self, ready_get(from), &from->lock);
    }
    guard_give(&from->lock);
}

// ---- ready lists ----------------------------------------------------------------------------------------------

CRITICAL void critical_ready(struct thread *self, struct thread *t)
{
    if (unusual(&t->looks)) {            // stopped there, it goes first: a higher one may wait for it (wait_looked_at)
        struct ready *r = ready_take();
        t->looks = LOOKS_FIRST;
        ready_put_at(r, t, THREAD_PRIORITIES - 1, true);
        guard_give(&r->lock);
        return;
    }
    make_ready(self, t);
}
CRITICAL struct thread *critical_take(struct ready *from)
{
    struct thread *t = NULL;

    guard_take(&from->lock);
    if (from->bits != 0) {
        t = ready_get(from);
    }
    guard_give(&from->lock);
    return t;
}
CRITICAL uint32_t critical_listed(struct ready *r)
{
    uint32_t listed = 0;

    guard_take(&r->lock);
    if (r->bits != 0) {
        uint32_t p = (uint32_t)__builtin_ctz(r->bits);
        listed = r->bits == 1u << p && r->first[p] == r->last[p] ? 1 : 2;
    }
    guard_give(&r->lock);
    return listed;
}

// ---- free records ---------------------------------------------------------------------------------------------

CRITICAL struct thread **critical_fork(struct thread *self, struct thread **thread, void *(*fn)(void *), void *argument)
{
    struct ready *r = ready_take();
    struct thread *t = r->free;

    if (__builtin_expect(t == NULL, 0)) {
        guard_give(&r->lock);
        self->forks.fn = fn;
        self->forks.argument = argument;
        return thread;
    }
    r->free = t->next;
    thread_prepare(t, self->priority, fn, argument);
    *thread = t;
    ready_put(r, t, unusual(&threads.lifo));
    r->forks++;
    guard_give(&r->lock);
    return NULL;
}
// With kernel threads a record is free before its stack is: then it is not taken.
CRITICAL struct thread *critical_new(struct ready *from)
{
    struct thread *t;

    guard_take(&from->lock);
    t = from->free;
    if (t != NULL) {
        if (__atomic_load_n(&t->over, __ATOMIC_ACQUIRE)) {       // pairs with kernel_backend.exit
            from->free = t->next;
        } else {
            t = NULL;
        }
    }
    guard_give(&from->lock);
    return t;
}
CRITICAL struct thread *critical_large(size_t stack)
{
    struct thread **at = &threads.large, *t;

    guard_take(&threads.large_lock);
    while ((t = *at) != NULL && (t->stack < stack || !__atomic_load_n(&t->over, __ATOMIC_ACQUIRE))) {
        at = &t->next;
    }
    if (t != NULL) {
        *at = t->next;
    }
    guard_give(&threads.large_lock);
    return t;
}
// t has exited: its guard is free when nobody is on its stack.
CRITICAL void critical_free(struct thread *t)
{
    struct free_list free = free_list_of(t);

    if (__builtin_expect(__atomic_load_n(&t->done.guard, __ATOMIC_ACQUIRE) != 0, 0)) {   // pairs with switch_to()
        guard_take(&t->done.guard);
        guard_give(&t->done.guard);
    }
    guard_take(free.lock);
    t->next = *free.first;
    *free.first = t;
    guard_give(free.lock);
}

// ---- waits that end early ---------------------------------------------------------------------------------------

// t, a waiter of condition, has a result, and waits for the mutex from now on, or owns it.
INLINE bool leave_condition(struct thread *t, struct mutex *m)
{
    t->stoppable = 0;
    if (mutex_grant(m, t)) {
        return true;
    }
    wait_put(&m->waiters, t);
    return false;
}
// `on` cannot go away while t->stopping is counted up (wait_end).
CRITICAL void critical_stop(struct thread *self, struct thread *t, uint32_t reason)
{
    struct mutex *on;
    bool runs = false;

    __atomic_fetch_or(&t->stop, reason, __ATOMIC_SEQ_CST);       // pairs with announce(): one sees the other
    on = __atomic_load_n(&t->on, __ATOMIC_SEQ_CST);
    if (on == NULL) {
        return;
    }
    guard_take(&on->guard);
    if (t->on == on && t->list != NULL && (t->stoppable & reason)) {
        bool plain = t->list == &on->waiters;
        t->result = stop_status(reason);
        wait_remove(t);
        if (plain) {
            word_quiet((uint64_t *)&on->word, &on->waiters);
        }
        runs = plain || leave_condition(t, on);
        if (runs) {
            wait_over(t);
        }
    }
    guard_give(&on->guard);
    if (runs) {
        make_ready(self, t);
    }
}

// ---- timers ---------------------------------------------------------------------------------------------------

CRITICAL void critical_timer_add(struct thread *t)
{
    guard_take(&threads.timer_lock);
    timer_put(t);
    guard_give(&threads.timer_lock);
}
CRITICAL void critical_timer_remove(struct thread *t)
{
    guard_take(&threads.timer_lock);
    if (t->timed) {
        timer_take(t);
    }
    guard_give(&threads.timer_lock);
}
CRITICAL struct thread *critical_timer_due(uint64_t now)
{
    struct thread *t;

    guard_take(&threads.timer_lock);
    t = threads.timers;
    if (t != NULL && t->until <= now) {
        timer_take_first();
        __atomic_fetch_add(&t->stopping, 1, __ATOMIC_SEQ_CST);
    } else {
        t = NULL;
    }
    guard_give(&threads.timer_lock);
    return t;
}
