// wait.h - the frame of every wait: wait_begin, a critical function that blocks, wait_end.
#pragma once
#include "threads_impl.h"

void wait_timed(struct thread *self, uint64_t until);
void wait_after(struct thread *self);
void wait_looked_at(struct thread *self);

// until: 0 for never.  cancel: whether the wait is a safe point.
static inline void wait_begin(struct thread *self, uint64_t until, bool cancel)
{
    self->stoppable = cancel ? self->hears : 0;
    if (until != 0) {
        wait_timed(self, until);
    }
}
// The wait's result; waits here with kernel threads.
static inline enum thread_status wait_end(struct thread *self)
{
    if (__builtin_expect(self->after != 0, 0)) {
        wait_after(self);
    }
    __atomic_store_n(&self->on, NULL, __ATOMIC_SEQ_CST);         // pairs with critical_stop()
    if (__builtin_expect(__atomic_load_n(&self->stopping, __ATOMIC_ACQUIRE) != 0, 0)) {
        wait_looked_at(self);
    }
    return self->result;
}
