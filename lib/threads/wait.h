// wait.h - the frame of every wait: wait_begin, a critical function that blocks, wait_end.
#pragma once
#include "threads_impl.h"

// Somebody else gets on, perhaps a lower one.
static inline void wait_moment(void)
{
    if (threads_pause != NULL) {
        threads_pause();
    } else {
        thread_yield();
    }
}
void wait_timed(struct thread *self, uint64_t until);
struct thread *wait_after(struct thread *self);          // gives self
struct thread *wait_looked_at(struct thread *self);      // likewise

// until: 0 for never.  cancel: whether the wait is a safe point.
static inline void wait_begin(struct thread *self, uint64_t until, bool cancel)
{
    self->stoppable = cancel ? self->hears : 0;
    if (until != 0) {
        wait_timed(self, until);
    }
}
// The wait is over, and has self->result; waits here with kernel threads.  Gives self, so that nothing is kept over
// what is rarely called.
static inline struct thread *wait_end_of(struct thread *self)
{
    if (unusual(&self->after)) {
        self = wait_after(self);
    }
    __atomic_store_n(&self->on, NULL, __ATOMIC_SEQ_CST);         // pairs with critical_stop()
    if (unusual(&self->stopping)) {
        self = wait_looked_at(self);
    }
    return self;
}
static inline enum thread_status wait_end(struct thread *self)
{
    return wait_end_of(self)->result;
}
