// critical_end.c - critical functions for the end of a thread: exit, join, detach.
//
// The rules are those of critical.c.  A lock is held until the stack has been left: of the free list if the record goes
// there, else done.guard, and who frees the record waits for that (critical_free).  A joiner that waits runs next,
// without a ready list.
#include "block.h"

void body_join(struct thread *self, struct thread *t);
void body_join_any(struct thread *self, struct thread *t, struct switch_frame *frame);
void critical_exit_any(void *value, struct thread *self);

SWITCHING_STRAIGHT(critical_join, body_join);
// The usual case in a straight line: the caller is not a kernel thread, somebody is ready, and t has not ended.
CRITICAL void body_join(struct thread *self, struct thread *t)
{
    struct ready *r;
    struct thread *next;

    if (unusual_pair(&self->after)) {
        GO_ON_WAITING(body_join_any, rdx, "D"(self), "S"(t));
    }
    r = ready_take();
    if (__builtin_expect(r->bits == 0, 0)) {
        guard_give(&r->lock);
        GO_ON_WAITING(body_join_any, rdx, "D"(self), "S"(t));
    }
    next = ready_get(r);
    guard_give(&r->lock);
    announce(self, (struct mutex *)&t->done);
    guard_take(&t->done.guard);
    if (__builtin_expect(t->done.word != 0 || t->done.waiters.last != NULL, 0) || unusual_pair(&self->after)) {
        guard_give(&t->done.guard);
        give_back(next, &self->after);
        GO_ON_WAITING(body_join_any, rdx, "D"(self), "S"(t));
    }
    save_straight(self);
    self->result = THREAD_OK;
    wait_put_only(&t->done.waiters, self);
    switch_to(next, &t->done.guard);
}
CRITICAL void body_join_any(struct thread *self, struct thread *t, struct switch_frame *frame)
{
    struct thread *next = next_thread(self->after & AFTER_MORE);
    uint32_t stop;

    announce(self, (struct mutex *)&t->done);
    guard_take(&t->done.guard);
    if (t->done.word != 0) {
        self->got = t;
        do_not_block(self, THREAD_BUSY, next, &t->done.guard, frame);
    }
    if (t->done.waiters.first != NULL) {
        do_not_block(self, THREAD_INVALID, next, &t->done.guard, frame);
    }
    stop = self->stop & self->stoppable;
    if (stop) {
        do_not_block(self, stop_status(stop), next, &t->done.guard, frame);
    }
    publish(self, &t->done.waiters, frame);
    block(next, &t->done.guard, frame);
}
// Its joiner, who waits no more; else it can be joined from now on.
INLINE struct thread *joiner(struct thread *self)
{
    struct thread *w = self->done.waiters.first;

    if (w != NULL) {
        self->done.waiters.first = self->done.waiters.last = NULL;
        wait_over(w);
    }
    return w;
}
// The usual case in a straight line: somebody waits for it.
CRITICAL void critical_exit(void *value, struct thread *self)
{
    struct thread *w;
    struct ready *r;

    guard_take(&self->done.guard);
    w = self->done.waiters.first;
    if (__builtin_expect(w == NULL, 0) || unusual_pair(&self->detached)) {
        guard_give(&self->done.guard);
        GO_ON(critical_exit_any, "D"(value), "S"(self));
    }
    self->done.waiters.first = self->done.waiters.last = NULL;
    wait_over(w);
    w->got = value;
    guard_give(&self->done.guard);                   // nobody else looks for it now
    r = ready_take();
    self->next = r->free;
    r->free = self;
    hand_to(w, r, &r->lock);
}
CRITICAL void critical_exit_any(void *value, struct thread *self)
{
    struct thread *next = NULL, *w;
    struct free_list free;
    uint32_t after = 0;

    self->value = value;
    for (;;) {
        guard_take(&self->done.guard);
        w = self->done.waiters.first;
        if ((w != NULL) == (next == NULL)) {
            break;
        }
        guard_give(&self->done.guard);
        if (next == NULL) {
            next = next_thread(after);
        } else {                                     // somebody came meanwhile
            give_back(next, &after);
            next = NULL;
        }
    }
    if (w == NULL && !self->detached) {
        __atomic_store_n(&self->done.word, 2, __ATOMIC_RELEASE);
        switch_to(next, &self->done.guard);
    }
    if (w != NULL) {
        w = joiner(self);
        w->got = value;
        w->after |= after;
    }
    guard_give(&self->done.guard);
    free = free_list_of(self);
    guard_take(free.lock);
    self->next = *free.first;
    *free.first = self;
    if (w != NULL) {
        hand_to(w, ready_here(), free.lock);         // it may have moved as it waited for the lock
    }
    switch_to(next, free.lock);
}
CRITICAL void critical_exit_kernel(struct thread *self)
{
    guard_take(&self->done.guard);
    if (self->done.waiters.first != NULL) {
        self->done.waiters.first->result = THREAD_BUSY;
        self->done.waiters.first->got = self;
    }
    self->woken = joiner(self);
    __atomic_store_n(&self->done.word, 2, __ATOMIC_RELEASE);
    guard_give(&self->done.guard);
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
