// timer.c - timed waits: a list by moment, looked at by schedulers and at the alarm of each activation.
//
// Whoever adds one sets the alarm of the activation it runs in; each upcall sets that of its own.
#include "threads_impl.h"

void timers_run(struct thread *self)
{
    struct thread *t;

    uint64_t now = threads.machine.now();

    while (*(volatile uint64_t *)&threads.first_until <= now && (t = critical_timer_due(now)) != NULL) {
        critical_stop(self, t, STOP_TIMEOUT);
        __atomic_fetch_sub(&t->stopping, 1, __ATOMIC_RELEASE);   // pairs with wait_end()
    }
}
// From now on the supervisor looks at timers; that it is to begin it finds out by a call.
void timers_tick(void)
{
    if (threads.machine.user->tick == 0) {
        threads.machine.user->tick = 1;
        threads.machine.processors();
    }
}
void timers_arm(void)
{
    uint64_t until = *(volatile uint64_t *)&threads.first_until, heard;
    struct activation_user *user;

    if (until == UINT64_MAX) {
        return;
    }
    __asm__ volatile("movq %%gs:8, %0" : "=r"(user));
    __asm__ volatile("movq %%gs:24, %0" : "=r"(heard));      // activation_kernel.alarm
    user->alarm = until + (until == heard);          // each value is heard once
    timers_tick();
}
