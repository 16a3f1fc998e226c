// timer.c - timed waits and rotation: a heap by moment (heap.h), looked at by schedulers and at alarms.
//
// On activations whoever adds a wait sets the alarm of the activation it runs in, and each upcall sets that of its own,
// and its interval.  Kernel threads as processors have one alarm together, and it comes once, to one of them: so often
// that each is interrupted once in an interval, in turn, if all compute.  `threads.alarm` keeps calls few: nobody asks
// for a later one.  It is forgotten at the upcall, before that looks what is next, so what was not asked for then
// is asked for by the upcall.
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
void timers_look(struct thread *self)
{
    if (*(volatile uint64_t *)&threads.first_until <= threads.machine.now()) {
        timers_run(self);
        timers_arm();
    }
}
static void ask(uint64_t until)
{
    uint64_t asked = __atomic_load_n(&threads.alarm, __ATOMIC_RELAXED);

    while (until < asked) {
        if (__atomic_compare_exchange_n(&threads.alarm, &asked, until, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            threads.machine.alarm(until);
            return;
        }
    }
}
static void ask_next(void)
{
    uint64_t until = *(volatile uint64_t *)&threads.first_until, now = threads.machine.now();
    uint64_t turn = threads.setup.interval / threads.machine.activations;

    if (turn != 0 && (until <= now || until > now + turn)) {
        until = now + turn;
    }
    if (until > now) {
        ask(until);                      // else it is run by whoever has this upcall
    }
}
// From now on the supervisor looks at timers; that it is to begin it finds out by a call.
void timers_tick(void)
{
    if (threads.machine.alarm != NULL) {
        ask_next();
    } else if (threads.machine.user->tick == 0) {
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
    if (threads.machine.alarm != NULL) {
        ask(until);
        return;
    }
    __asm__ volatile("movq %%gs:8, %0" : "=r"(user));
    __asm__ volatile("movq %%gs:24, %0" : "=r"(heard));      // activation_kernel.alarm
    user->alarm = until + (until == heard);          // each value is heard once
    timers_tick();
}
void timers_again(void)
{
    __atomic_store_n(&threads.alarm, UINT64_MAX, __ATOMIC_SEQ_CST);
    ask_next();
}
