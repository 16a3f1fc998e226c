// wait.c - around every wait: what may end it, its timer, and who has to be let run afterwards.
#include "wait.h"

void wait_timed(struct thread *self, uint64_t until)
{
    self->until = until;
    self->stoppable |= STOP_TIMEOUT;
    self->after |= AFTER_TIMED;
    if (!threads.on_kernel) {
        critical_timer_add(self);
        timers_arm();
    }
}
static void kernel_wait(struct thread *self)
{
    const struct kernel_backend *k = threads.setup.kernel;

    if (self->woken != NULL) {
        woken(self);
    }
    while (__atomic_load_n(&self->list, __ATOMIC_ACQUIRE) != NULL) {
        k->block(self->handle, self->until);
        if (self->until != 0 && threads.machine.now() >= self->until) {
            critical_stop(self, self, STOP_TIMEOUT);
            self->woken = NULL;                      // itself
        }
    }
}
struct thread *wait_after(struct thread *self)
{
    if (self->after & AFTER_KERNEL) {
        kernel_wait(self);
    }
    if (self->after & AFTER_MORE) {
        self->after &= ~(uint32_t)AFTER_MORE;
        more_to_run();
    }
    if (self->after & AFTER_LATE) {
        self->after &= ~(uint32_t)AFTER_LATE;
        thread_yield();
    }
    if (self->after & AFTER_TIMED) {
        self->after &= ~(uint32_t)AFTER_TIMED;
        critical_timer_remove(self);
        __atomic_store_n(&self->on, NULL, __ATOMIC_SEQ_CST);     // pairs with critical_stop()
        wait_looked_at(self);
        __atomic_fetch_and(&self->stop, ~(uint32_t)STOP_TIMEOUT, __ATOMIC_RELAXED);
        self->until = 0;
    }
    return self;
}
// Until nobody looks any more.  Who does may be lower than self: critical_ready() sees to it that it runs.
struct thread *wait_looked_at(struct thread *self)
{
    while (__atomic_load_n(&self->stopping, __ATOMIC_ACQUIRE) != 0) {
        __builtin_ia32_pause();
        wait_moment();
    }
    return self;
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

    *(volatile uint32_t *)&self->looks = LOOKS;
    __atomic_fetch_add(&thread->stopping, 1, __ATOMIC_SEQ_CST);
    critical_stop(self, thread, STOP_CANCEL);
    __atomic_fetch_sub(&thread->stopping, 1, __ATOMIC_RELEASE);  // pairs with wait_end()
    bool first = *(volatile uint32_t *)&self->looks == LOOKS_FIRST;
    *(volatile uint32_t *)&self->looks = 0;
    after_wake(self);
    if (first) {
        thread_yield();
    }
}
void thread_test_cancel(void)
{
    const struct thread *self = thread_self();

    if (__atomic_load_n(&self->stop, __ATOMIC_RELAXED) & self->hears) {
        thread_exit(NULL);
    }
}
bool thread_set_cancel(bool enabled)
{
    struct thread *self = thread_self();
    bool was = self->hears != 0;

    self->hears = enabled ? STOP_CANCEL : 0;
    return was;
}
