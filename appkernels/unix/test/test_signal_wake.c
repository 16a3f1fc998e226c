// test_signal_wake.c - signals: which thread gets one, what it wakes, calls that are made again, stops.
#include "signal_steps.h"

static int to_send;                      // by the first sleep

static bool send_once(struct task *t)
{
    (void)t;
    int signal = to_send;
    to_send = 0;
    if (signal != 0) {
        assert_int_equal(kill_it(signal), 0);
    }
    return signal != 0;
}

static void wake_by(int signal)
{
    to_send = signal;
    machine_on_sleep = send_once;
}

static void own_group(void)
{
    assert_int_equal(CALL(task, setpgid, 0, 0), 0);
}

// ---- threads ----------------------------------------------------------------------------------------------

static void process_or_thread(void **state)
{
    struct task *other = machine_thread(task), *third = machine_thread(task);

    (void)state;
    action(task, SIGUSR1, HANDLER, 0, 0);                // shared
    assert_int_equal(CALL(machine_first, tgkill, task->tgid, other->tid, SIGUSR1), 0);
    assert_int_equal(machine_woken, other);
    assert_int_equal(entered(task), 0);
    assert_int_equal(entered(third), 0);
    assert_int_equal(entered(other), SIGUSR1);
    // For the process: the leader, if it wants it.
    kill_it(SIGUSR1);
    assert_ptr_equal(machine_woken, task);
    assert_int_equal(entered(task), SIGUSR1);
    leave_handler(task);
    // Else one that does not block it; `other` does, in its handler.
    mask(task, SIG_SETMASK, SIG_BIT(SIGUSR1));
    kill_it(SIGUSR1);
    assert_ptr_equal(machine_woken, third);
    assert_int_equal(entered(task), 0);
    assert_int_equal(entered(other), 0);
    assert_int_equal(entered(third), SIGUSR1);
    // All block it: it waits, and the first that lets it in has it.
    machine_woken = NULL;
    kill_it(SIGUSR1);
    assert_null(machine_woken);
    assert_true((pending(task) & SIG_BIT(SIGUSR1)) != 0);
    assert_true((pending(other) & SIG_BIT(SIGUSR1)) != 0);
    leave_handler(other);
    assert_int_equal(machine_at(other), HANDLER);
    assert_int_equal(pending(task), 0);
}

static void thread_pending_is_its_own(void **state)
{
    struct task *other = machine_thread(task);

    (void)state;
    mask(task, SIG_SETMASK, ~0ull);
    mask(other, SIG_SETMASK, ~0ull);
    assert_int_equal(CALL(machine_first, tkill, other->tid, SIGUSR2), 0);
    assert_int_equal(pending(task), 0);
    assert_int_equal(pending(other), SIG_BIT(SIGUSR2));
    // One that ends the process ends all of it, whoever takes it.
    mask(other, SIG_SETMASK, 0);
    assert_true(task->process->exiting);
    assert_int_equal(machine_look(task), MACHINE_ENDED);
    assert_true(task->process->zombie);
    assert_int_equal(task->process->status, SIGUSR2);
}

static void kill_ends_all_threads(void **state)
{
    struct task *other = machine_thread(task);

    (void)state;
    mask(other, SIG_SETMASK, ~0ull);
    unsigned interrupts = machine_interrupts;
    CALL(machine_first, tkill, other->tid, SIGKILL);
    assert_int_equal(machine_interrupts, interrupts + 2);
    assert_int_equal(machine_look(other), MACHINE_ENDED);
    assert_false(task->process->zombie);
    assert_int_equal(machine_look(task), MACHINE_ENDED);
    assert_true(task->process->zombie);
    assert_int_equal(task->process->status, SIGKILL);
}

// ---- what is woken ----------------------------------------------------------------------------------------

static void pause_ends(void **state)
{
    (void)state;
    action(task, SIGUSR1, HANDLER, SA_RESTART, 0);
    action(task, SIGUSR2, SIG_HANDLER_IGN, 0, 0);
    // Ignored and blocked ones do not wake it.
    wake_by(SIGUSR2);
    assert_int_equal(CALL(task, pause, 0), MACHINE_ASLEEP);
    assert_true(machine_again(task, NR_pause));
    mask(task, SIG_SETMASK, SIG_BIT(SIGUSR1));
    wake_by(SIGUSR1);
    assert_int_equal(CALL(task, pause, 0), MACHINE_ASLEEP);
    signal_flush(&task->process->pending, ~0ull);
    mask(task, SIG_SETMASK, 0);
    // A handler ends it for good, whatever it says about restarting.
    wake_by(SIGUSR1);
    assert_int_equal(CALL(task, pause, 0), 0);
    assert_int_equal(machine_at(task), HANDLER);
    leave_handler(task);
    assert_int_equal(task->thread.state->frame[0].rax, -EINTR);
    assert_int_equal(machine_at(task), MACHINE_CODE + 2);
}

static void suspend_puts_the_mask_back(void **state)
{
    const uint64_t none = 0;

    (void)state;
    action(task, SIGUSR1, HANDLER, 0, 0);
    mask(task, SIG_SETMASK, SIG_BIT(SIGUSR1) | SIG_BIT(SIGHUP));
    put(task, SLOT_SET, &none, sizeof(none));
    kill_it(SIGUSR1);                                    // is let in at once
    assert_int_equal(CALL(task, rt_sigsuspend, SLOT(SLOT_SET), 8), 0);
    assert_int_equal(machine_at(task), HANDLER);
    assert_int_equal(task->blocked, SIG_BIT(SIGUSR1));
    leave_handler(task);
    assert_int_equal(task->thread.state->frame[0].rax, -EINTR);
    assert_int_equal(task->blocked, SIG_BIT(SIGUSR1) | SIG_BIT(SIGHUP));
    assert_int_equal(CALL(task, rt_sigsuspend, SLOT(SLOT_SET), 4), -EINVAL);
    assert_int_equal(CALL(task, rt_sigsuspend, SLOT(SLOT_SET), 8), MACHINE_ASLEEP);  // also without a handler
    assert_int_equal(task->blocked, SIG_BIT(SIGUSR1) | SIG_BIT(SIGHUP));
}

static void timedwait_takes(void **state)
{
    const uint64_t set = SIG_BIT(SIGUSR1) | SIG_BIT(40) | SIG_BIT(SIGKILL);
    const struct __kernel_timespec zero = {0}, some = {0, 1000000}, bad = {0, 1000000000};
    struct linux_siginfo info;

    (void)state;
    mask(task, SIG_SETMASK, SIG_BIT(SIGUSR1) | SIG_BIT(40));
    put(task, SLOT_SET, &set, sizeof(set));
    put(task, SLOT_TIME, &zero, sizeof(zero));
    assert_int_equal(CALL(task, rt_sigtimedwait, SLOT(SLOT_SET), 0, SLOT(SLOT_TIME), 8), -EAGAIN);
    queue_it(40, 77);
    kill_it(SIGUSR1);
    assert_int_equal(CALL(task, rt_sigtimedwait, SLOT(SLOT_SET), SLOT(SLOT_INFO), 0, 8), SIGUSR1);
    assert_int_equal(CALL(task, rt_sigtimedwait, SLOT(SLOT_SET), SLOT(SLOT_INFO), 0, 8), 40);
    get(task, SLOT_INFO, &info, sizeof(info));
    assert_int_equal(info.value, 77);
    wake_by(SIGUSR1);                                    // sleeping for it
    assert_int_equal(CALL(task, rt_sigtimedwait, SLOT(SLOT_SET), 0, 0, 8), SIGUSR1);
    assert_int_equal(task->blocked, SIG_BIT(SIGUSR1) | SIG_BIT(40));
    put(task, SLOT_TIME, &some, sizeof(some));
    assert_int_equal(CALL(task, rt_sigtimedwait, SLOT(SLOT_SET), 0, SLOT(SLOT_TIME), 8), -EAGAIN);
    put(task, SLOT_TIME, &bad, sizeof(bad));
    assert_int_equal(CALL(task, rt_sigtimedwait, SLOT(SLOT_SET), 0, SLOT(SLOT_TIME), 8), -EINVAL);
    action(task, SIGHUP, HANDLER, SA_RESTART, 0);        // another one ends it
    wake_by(SIGHUP);
    assert_int_equal(CALL(task, rt_sigtimedwait, SLOT(SLOT_SET), 0, 0, 8), 0);
    assert_int_equal(machine_at(task), HANDLER);
    leave_handler(task);
    assert_int_equal(task->thread.state->frame[0].rax, -EINTR);
}

// ---- calls that are made again ----------------------------------------------------------------------------

static void restart_rules(void **state)
{
    struct frame *f = &task->thread.state->frame[0];
    int fds[2];

    (void)state;
    assert_int_equal(CALL(task, pipe, SLOT(SLOT_OLD)), 0);
    get(task, SLOT_OLD, fds, sizeof(fds));
    action(task, SIGUSR1, HANDLER, SA_RESTART, 0);
    action(task, SIGUSR2, HANDLER, 0, 0);
    wake_by(SIGUSR1);                                    // SA_RESTART: after the handler, again
    (void)CALL(task, read, fds[0], SLOT(SLOT_INFO), 10);
    assert_int_equal(machine_at(task), HANDLER);
    leave_handler(task);
    assert_true(machine_again(task, NR_read));
    assert_int_equal(f->rdi, fds[0]);
    assert_int_equal(f->rdx, 10);
    wake_by(SIGUSR2);                                    // not so: -EINTR
    (void)CALL(task, read, fds[0], SLOT(SLOT_INFO), 10);
    assert_int_equal(machine_at(task), HANDLER);
    leave_handler(task);
    assert_int_equal(machine_at(task), MACHINE_CODE + 2);
    assert_int_equal(f->rax, -EINTR);
    // A call that ended has its result.
    assert_int_equal(CALL(task, write, fds[1], SLOT(SLOT_INFO), 4), 4);
    wake_by(SIGUSR2);
    assert_int_equal(CALL(task, read, fds[0], SLOT(SLOT_INFO), 10), 4);
    to_send = 0;
    machine_on_sleep = NULL;
    kill_it(SIGUSR2);
    (void)CALL(task, getpid, 0);
    assert_int_equal(machine_at(task), HANDLER);
    leave_handler(task);
    assert_int_equal(f->rax, task->tgid);
}

static bool stop_and_go(struct task *t)
{
    static unsigned step;

    (void)t;
    switch (step++ % 3) {
    case 0:
        assert_int_equal(kill_it(SIGSTOP), 0);
        return true;
    case 1:
        assert_true(task->process->stopped);
        assert_int_equal(ux_task_state(task), 'T');
        assert_int_equal(kill_it(SIGUSR1), 0);           // does not get through
        assert_true(task->process->stopped);
        assert_int_equal(kill_it(SIGCONT), 0);
        return true;
    default:
        return false;
    }
}

// A stop without a handler: the call is made again as if nothing had happened, also pause.
static void stop_restarts(void **state)
{
    (void)state;
    own_group();
    action(task, SIGUSR1, SIG_HANDLER_IGN, 0, 0);
    machine_on_sleep = stop_and_go;
    (void)CALL(task, pause, 0);
    assert_true(machine_again(task, NR_pause));
    assert_false(task->process->stopped);
}

// ---- stops ------------------------------------------------------------------------------------------------

static bool go_on(struct task *t)
{
    (void)t;
    assert_int_equal(kill_it(SIGCONT), 0);
    return true;
}

static void stop_and_continue_undo_each_other(void **state)
{
    (void)state;
    own_group();
    mask(task, SIG_SETMASK, ~0ull);
    kill_it(SIGTSTP);
    kill_it(SIGTTIN);
    assert_int_equal(pending(task), SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN));
    kill_it(SIGCONT);
    assert_int_equal(pending(task), SIG_BIT(SIGCONT));
    CALL(machine_first, tkill, task->tid, SIGTTOU);
    assert_int_equal(pending(task), SIG_BIT(SIGTTOU));
    kill_it(SIGCONT);
    assert_int_equal(pending(task), SIG_BIT(SIGCONT));
    signal_flush(&task->process->pending, ~0ull);
    // SIGSTOP cannot be blocked; SIGCONT goes on also where it is blocked or ignored.
    machine_on_sleep = go_on;
    action(task, SIGCONT, SIG_HANDLER_IGN, 0, 0);
    kill_it(SIGSTOP);
    assert_int_equal(machine_look(task), 0);
    assert_false(task->process->stopped);
    assert_int_equal(entered(task), 0);
}

static void continue_has_a_handler(void **state)
{
    (void)state;
    own_group();
    action(task, SIGCONT, HANDLER, 0, 0);
    machine_on_sleep = go_on;
    kill_it(SIGSTOP);
    assert_int_equal(entered(task), SIGCONT);
    leave_handler(task);
    kill_it(SIGCONT);                                    // also when it was not stopped
    assert_int_equal(entered(task), SIGCONT);
}

static bool kill_stopped(struct task *t)
{
    (void)t;
    assert_true(task->process->stopped);
    assert_int_equal(kill_it(SIGKILL), 0);
    return true;
}

static void kill_ends_a_stopped_one(void **state)
{
    (void)state;
    own_group();
    machine_on_sleep = kill_stopped;
    kill_it(SIGSTOP);
    assert_int_equal(machine_look(task), MACHINE_ENDED);
    assert_int_equal(task->process->status, SIGKILL);
}

// The terminal does not stop a group that nobody could continue; SIGSTOP does.
static void orphaned_group(void **state)
{
    (void)state;
    assert_true(signal_group_orphaned(task->pgid));      // the parent is in the same group
    kill_it(SIGTSTP);
    kill_it(SIGTTIN);
    assert_int_equal(entered(task), 0);
    assert_false(task->process->stopped);
    own_group();
    assert_false(signal_group_orphaned(task->pgid));
    machine_on_sleep = go_on;
    kill_it(SIGTSTP);
    assert_int_equal(entered(task), 0);
    assert_true(task->process->report_continue);         // it was stopped meanwhile
}

static void groups(void **state)
{
    struct task *child = machine_fork(task);

    (void)state;
    own_group();
    assert_int_equal(CALL(task, setpgid, child->tgid, task->tgid), 0);
    action(task, SIGUSR1, HANDLER, 0, 0);
    action(child, SIGUSR1, HANDLER, 0, 0);
    assert_int_equal(CALL(machine_first, kill, -task->tgid, SIGUSR1), 0);
    assert_int_equal(entered(task), SIGUSR1);
    assert_int_equal(entered(child), SIGUSR1);
    assert_int_equal(machine_first->process->pending.set & SIG_BIT(SIGUSR1), 0);
    leave_handler(child);
    assert_int_equal(CALL(child, kill, 0, SIGUSR1), 0);
    assert_int_equal(machine_at(child), HANDLER);
    machine_end(child, 0);
    assert_true(CALL(task, wait4, -1, 0, 0, 0) > 0);
}

static int begin(void **state)
{
    (void)state;
    machine_begin();
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, signal_setup, signal_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(process_or_thread), TEST(thread_pending_is_its_own), TEST(kill_ends_all_threads),
        TEST(pause_ends), TEST(suspend_puts_the_mask_back), TEST(timedwait_takes), TEST(restart_rules),
        TEST(stop_restarts), TEST(stop_and_continue_undo_each_other), TEST(continue_has_a_handler),
        TEST(kill_ends_a_stopped_one), TEST(orphaned_group), TEST(groups),
    };

    machine_seed("signal_wake");
    return cmocka_run_group_tests(tests, begin, NULL);
}
