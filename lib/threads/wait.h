// wait.h - the frame of every wait: wait_begin, a critical function that blocks, wait_end.
#pragma once
#include "threads_impl.h"

// until: 0 for never.  cancel: whether the wait is a safe point.
void wait_begin(struct thread *self, uint64_t until, bool cancel);
// The wait's result; waits here with kernel threads.
enum thread_status wait_end(struct thread *self);
