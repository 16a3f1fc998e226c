// wait.c - around every wait: what may end it, its timer, and who has to be let run afterwards.
#include "wait.h"

void wait_begin(struct thread *self, uint64_t until, bool cancel)
{
    self->until = until;
    self->stoppable = (cancel && !self->cancel_disabled ? STOP_CANCEL : 0) | (until != 0 ? STOP_TIMEOUT : 0);
    if (until != 0 && !threads.on_kernel) {
        critical_timer_add(self);
        timers_arm();
    }
}
static void let_run(struct thread *self)
{
    if (self->woken != NULL) {
        woken(self);
    }
    if (self->late) {
        self->late = 0;
        thread_yield();
    }
}
static void kernel_wait(struct thread *self)
{
    const struct kernel_backend *k = threads.setup.kernel;

    while (__atomic_load_n(&self->result, __ATOMIC_ACQUIRE) == THREAD_WAITING) {
        k->block(self->handle, self->until);
        if (self->until != 0 && threads.machine.now() >= self->until) {
            critical_stop(self, self, STOP_TIMEOUT);
            self->woken = NULL;                      // itself
        }
    }
}
enum thread_status wait_end(struct thread *self)
{
    let_run(self);
    if (threads.on_kernel) {
        kernel_wait(self);
    }
    if (self->stoppable == 0 && self->on == NULL) {
        return self->result;
    }
    if (self->until != 0) {
        critical_timer_remove(self);
    }
    __atomic_store_n(&self->on, NULL, __ATOMIC_SEQ_CST);         // pairs with critical_stop()
    while (__atomic_load_n(&self->stopping, __ATOMIC_ACQUIRE) != 0) {
        __builtin_ia32_pause();
        thread_yield();
    }
    if (self->until != 0) {
        __atomic_fetch_and(&self->stop, ~(uint32_t)STOP_TIMEOUT, __ATOMIC_RELAXED);
    }
    return self->result;
}
void woken(struct thread *self)
{
    struct thread *w = self->woken;

    self->woken = NULL;
    if (threads.on_kernel) {
        threads.setup.kernel->wake(w->handle);
    } else {
        thread_yield();
    }
}

void thread_cancel(struct thread *thread)
{
    struct thread *self = thread_self();

    __atomic_fetch_add(&thread->stopping, 1, __ATOMIC_SEQ_CST);
    critical_stop(self, thread, STOP_CANCEL);
    __atomic_fetch_sub(&thread->stopping, 1, __ATOMIC_RELEASE);  // pairs with wait_end()
    after_wake(self);
}
void thread_test_cancel(void)
{
    const struct thread *self = thread_self();

    if (__atomic_load_n(&self->stop, __ATOMIC_RELAXED) & STOP_CANCEL && !self->cancel_disabled) {
        thread_exit(NULL);
    }
}
bool thread_set_cancel(bool enabled)
{
    struct thread *self = thread_self();
    bool was = !self->cancel_disabled;

    self->cancel_disabled = !enabled;
    return was;
}
