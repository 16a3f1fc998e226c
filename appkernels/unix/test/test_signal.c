// test_signal.c - signals: masks, queues, what is dropped, handlers and the way back, faults.
#include "signal_steps.h"

// ---- masks ------------------------------------------------------------------------------------------------

static void masks(void **state)
{
    const uint64_t never = SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP);

    (void)state;
    assert_int_equal(mask(task, SIG_SETMASK, ~0ull), 0);
    assert_int_equal(task->blocked, ~never);
    assert_int_equal(mask(task, SIG_UNBLOCK, SIG_BIT(SIGUSR1)), 0);
    assert_int_equal(task->blocked, ~never & ~SIG_BIT(SIGUSR1));
    assert_int_equal(mask(task, SIG_SETMASK, 0), 0);
    assert_int_equal(mask(task, SIG_BLOCK, SIG_BIT(1) | SIG_BIT(64)), 0);
    assert_int_equal(task->blocked, SIG_BIT(1) | SIG_BIT(64));
    assert_int_equal(mask(task, 77, 0), -EINVAL);
    assert_int_equal(CALL(task, rt_sigprocmask, SIG_BLOCK, SLOT(SLOT_SET), 0, 4), -EINVAL);
    assert_int_equal(CALL(task, rt_sigprocmask, SIG_BLOCK, 8, 0, 8), -EFAULT);
    assert_int_equal(task->blocked, SIG_BIT(1) | SIG_BIT(64));
}

static void kill_and_stop_are_not_caught(void **state)
{
    (void)state;
    assert_int_equal(action(task, SIGKILL, HANDLER, 0, 0), -EINVAL);
    assert_int_equal(action(task, SIGSTOP, SIG_HANDLER_IGN, 0, 0), -EINVAL);
    assert_int_equal(action(task, 0, HANDLER, 0, 0), -EINVAL);
    assert_int_equal(action(task, 65, HANDLER, 0, 0), -EINVAL);
    assert_int_equal(action(task, 64, HANDLER, 0, ~0ull), 0);
    // Nor are they blocked by a handler's mask.
    assert_int_equal(task->sighand->action[63].mask, ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP)));
    assert_int_equal(mask(task, SIG_SETMASK, ~0ull), 0);
    assert_int_equal(kill_it(SIGKILL), 0);
    assert_int_equal(machine_look(task), MACHINE_ENDED);
    assert_int_equal(task->process->status, SIGKILL);
}

static void invalid_numbers(void **state)
{
    (void)state;
    assert_int_equal(kill_it(65), -EINVAL);
    assert_int_equal(kill_it(-1), -EINVAL);
    assert_int_equal(kill_it(0), 0);
    assert_int_equal(CALL(task, kill, 31000, 0), -ESRCH);
    assert_int_equal(CALL(task, kill, -31000, SIGUSR1), -ESRCH);
    assert_int_equal(CALL(task, tgkill, task->tgid, 0, 1), -EINVAL);
    assert_int_equal(CALL(task, tgkill, machine_first->tgid, task->tid, 0), -ESRCH);
    assert_int_equal(entered(task), 0);
}

static void who_may_send(void **state)
{
    (void)state;
    machine_first->creds.uid = machine_first->creds.euid = machine_first->creds.suid = 1000;
    assert_int_equal(kill_it(SIGUSR1), -EPERM);
    assert_int_equal(kill_it(0), -EPERM);
    assert_int_equal(kill_it(SIGCONT), 0);               // of the same session
    assert_int_equal(CALL(machine_first, tgkill, task->tgid, task->tid, SIGUSR1), -EPERM);
    task->creds.suid = 1000;
    assert_int_equal(kill_it(0), 0);
    machine_first->creds.uid = machine_first->creds.euid = machine_first->creds.suid = 0;
}

// ---- queues -----------------------------------------------------------------------------------------------

static void ordinary_once_realtime_each(void **state)
{
    struct linux_siginfo info;

    (void)state;
    mask(task, SIG_SETMASK, ~0ull);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(queue_it(SIGUSR1, 100 + i), 0);
        assert_int_equal(queue_it(40, 200 + i), 0);
        assert_int_equal(queue_it(39, 300 + i), 0);
    }
    assert_int_equal(pending(task), SIG_BIT(SIGUSR1) | SIG_BIT(39) | SIG_BIT(40));
    const int order[] = {SIGUSR1, 39, 39, 39, 40, 40, 40};
    const uint64_t values[] = {100, 300, 301, 302, 200, 201, 202};
    for (unsigned i = 0; i < 7; i++) { // the lower number first, of one number the older one
        assert_true(signal_take(task, ~0ull, &info));
        assert_int_equal(info.signo, order[i]);
        assert_int_equal(info.value, values[i]);
        assert_int_equal(info.code, SI_QUEUE);
    }
    assert_false(signal_take(task, ~0ull, &info));
    assert_int_equal(pending(task), 0);
}

// Without memory there is one entry; then an ordinary signal comes without its story, and one that was to be queued is
// refused.
static void no_memory(void **state)
{
    struct linux_siginfo info = {.signo = 40, .code = SI_QUEUE};

    (void)state;
    mask(task, SIG_SETMASK, ~0ull);
    machine_allow = 0;
    assert_int_equal(signal_send_process(task->process, &info), 0);
    assert_int_equal(signal_send_process(task->process, &info), -EAGAIN);
    assert_true(signal_take(task, SIG_BIT(40), &info));
    assert_false(signal_take(task, SIG_BIT(40), &info));
    assert_int_equal(signal_send_process(task->process, &info), 0);
    assert_int_equal(signal_send_process(task->process, &info), -EAGAIN);
    info.signo = SIGUSR1;
    assert_int_equal(signal_send_process(task->process, &info), 0);
    assert_int_equal(signal_send_process(task->process, &info), 0);
    machine_allow = -1;
    assert_int_equal(pending(task), SIG_BIT(40) | SIG_BIT(SIGUSR1));
    assert_true(signal_take(task, SIG_BIT(SIGUSR1), &info));
    assert_false(signal_take(task, SIG_BIT(SIGUSR1), &info));
    assert_true(signal_take(task, SIG_BIT(40), &info));
}

static void random_queues(void **state)
{
    unsigned count[LINUX_SIGNALS + 1] = {0};
    struct linux_siginfo info;

    (void)state;
    mask(task, SIG_SETMASK, ~0ull);
    size_t objects = machine_objects();
    for (unsigned i = 0; i < 20000; i++) {
        int n = 1 + (int)machine_random(LINUX_SIGNALS);
        uint64_t set = (uint64_t)machine_random(1u << 31) << 33 | machine_random(1u << 31);
        if (n == SIGKILL || n == SIGSTOP || signal_default(n) == DEFAULT_STOP || n == SIGCONT) {
            continue;
        }
        if (machine_random(3) != 0) {
            info = (struct linux_siginfo){.signo = n, .code = SI_QUEUE, .value = i};
            assert_int_equal(signal_send_process(task->process, &info), 0);
            count[n] = n < 32 ? 1 : count[n] + 1;
        } else if (machine_random(50) == 0) {
            signal_flush(&task->process->pending, set);
            for (int k = 1; k <= LINUX_SIGNALS; k++) {
                count[k] = set & SIG_BIT(k) ? 0 : count[k];
            }
        } else if (signal_take(task, set, &info)) {
            assert_true((set & SIG_BIT(info.signo)) != 0 && count[info.signo] > 0);
            count[info.signo]--;
        } else {
            for (int k = 1; k <= LINUX_SIGNALS; k++) {
                assert_true(!(set & SIG_BIT(k)) || count[k] == 0);
            }
        }
        for (int k = 1; k <= LINUX_SIGNALS; k++) {
            assert_int_equal((task->process->pending.set & SIG_BIT(k)) != 0, count[k] != 0);
        }
    }
    signal_flush(&task->process->pending, ~0ull);
    assert_null(task->process->pending.first);
    assert_int_equal(machine_objects(), objects);
}

static void ignored_are_dropped(void **state)
{
    (void)state;
    // By default, by choice; but not while blocked, since the choice may still change.
    kill_it(SIGCHLD);
    kill_it(SIGWINCH);
    assert_int_equal(task->process->pending.set, 0);
    action(task, SIGUSR1, SIG_HANDLER_IGN, 0, 0);
    kill_it(SIGUSR1);
    assert_int_equal(task->process->pending.set, 0);
    mask(task, SIG_SETMASK, SIG_BIT(SIGUSR1) | SIG_BIT(SIGUSR2) | SIG_BIT(40));
    kill_it(SIGUSR1);
    kill_it(SIGUSR2);
    queue_it(40, 1);
    queue_it(40, 2);
    assert_int_equal(pending(task), SIG_BIT(SIGUSR1) | SIG_BIT(SIGUSR2) | SIG_BIT(40));
    action(task, SIGUSR2, SIG_HANDLER_IGN, 0, 0);        // what is pending is forgotten
    action(task, 40, SIG_HANDLER_IGN, 0, 0);
    assert_int_equal(pending(task), SIG_BIT(SIGUSR1));
    mask(task, SIG_SETMASK, 0);
    assert_int_equal(task->process->pending.set, 0);     // taken, and ignored
    assert_int_equal(entered(task), 0);
}

// ---- handlers ---------------------------------------------------------------------------------------------

static void handler_and_back(void **state)
{
    struct frame *f = &task->thread.state->frame[0], before;

    (void)state;
    mask(task, SIG_SETMASK, SIG_BIT(SIGHUP));
    assert_int_equal(action(task, SIGUSR1, HANDLER, SA_SIGINFO, SIG_BIT(SIGUSR2)), 0);
    uint64_t *registers = &f->rax;
    for (unsigned i = 0; i < 16; i++) {
        registers[i] = i == 7 ? f->rsp : 0x1111111111111111ull * i;
    }
    f->rip = MACHINE_CODE + 2;
    f->rflags = 0x202;
    before = *f;
    assert_int_equal(kill_it(SIGUSR1), 0);
    assert_int_equal(machine_look(task), 0);
    assert_int_equal(f->rip, HANDLER);
    assert_int_equal(f->rdi, SIGUSR1);
    assert_int_equal(f->rsp % 16, 8);
    assert_true(f->rsp + sizeof(struct linux_sigframe) <= before.rsp - 128);
    assert_int_equal(task->blocked, SIG_BIT(SIGHUP) | SIG_BIT(SIGUSR1) | SIG_BIT(SIGUSR2));
    struct linux_siginfo info;
    assert_int_equal(ux_copy_in(task, &info, f->rsi, sizeof(info)), 0);
    assert_int_equal(info.signo, SIGUSR1);
    assert_int_equal(info.code, SI_USER);
    assert_int_equal(info.pid, machine_first->tgid);
    kill_it(SIGUSR1);
    assert_int_equal(machine_look(task), 0);
    assert_int_equal(f->rip, HANDLER);                   // not while it runs
    leave_handler(task);
    assert_int_equal(f->rip, HANDLER);                   // but then
    leave_handler(task);
    assert_int_equal(task->blocked, SIG_BIT(SIGHUP));
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(registers[i], (&before.rax)[i]);
    }
    assert_int_equal(f->rip, MACHINE_CODE + 2);
}

static uint32_t mxcsr(void)
{
    uint32_t v;
    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v;
}

// The extended state is where the frame says, which may be anywhere, and the frame where the stack pointer says.
static void frame_elsewhere(void **state)
{
    enum { IN_PLACE, STATE_ELSEWHERE, AT_THE_END, NO_STATE, REFUSED };
    const uint32_t want[] = {0x1f80, 0x3f80, 0x5f80, 0x3f80};
    struct frame *f = &task->thread.state->frame[0];
    struct linux_sigframe frame;
    uint8_t fp[XSTATE_SIZE + 4];
    uint64_t gap[2];
    const va_t sp = f->rsp;

    (void)state;
    action(task, SIGUSR1, HANDLER, 0, 0);
    for (unsigned i = IN_PLACE; i <= REFUSED; i++) {
        kill_it(SIGUSR1);
        assert_int_equal(entered(task), SIGUSR1);
        assert_int_equal(ux_copy_in(task, &frame, f->rsp, sizeof(frame)), 0);
        assert_int_equal(ux_copy_in(task, gap, f->rsp + sizeof(frame), sizeof(gap)), 0);
        assert_true((gap[0] | gap[1]) == 0 && frame.context.fpstate == f->rsp + sizeof(frame) + sizeof(gap));
        assert_int_equal(ux_copy_in(task, fp, frame.context.fpstate, sizeof(fp)), 0);
        *(uint32_t *)(fp + 24) = i == REFUSED ? 0x11f80 : i == NO_STATE ? 0x7f80 : want[i];
        va_t fp_at = i == IN_PLACE ? frame.context.fpstate : SLOT(30);
        assert_int_equal(ux_copy_out(task, fp_at, fp, sizeof(fp)), 0);
        frame.context.fpstate = i == NO_STATE ? 0 : fp_at;
        f->rsp = i >= AT_THE_END ? SLOT(MACHINE_PAGES) - sizeof(frame) : f->rsp;   // no room for the state behind it
        assert_int_equal(ux_copy_out(task, f->rsp, &frame, sizeof(frame)), 0);
        if (i == NO_STATE) {
            __asm__ volatile("ldmxcsr %0" : : "m"(want[i]));
        }
        leave_handler(task);
        if (i < REFUSED) {
            assert_int_equal(mxcsr(), want[i]);
            assert_int_equal(f->rsp, sp);
        }
    }
    assert_true(task->process->zombie);
    assert_int_equal(task->process->status, SIGSEGV);
    __asm__ volatile("ldmxcsr %0" : : "m"(want[IN_PLACE]));
}

static void handler_flags(void **state)
{
    struct frame *f = &task->thread.state->frame[0];
    const struct linux_stack stack = {.sp = SLOT(20), .size = 8 * ABI_PAGE};

    (void)state;
    action(task, SIGUSR1, HANDLER, SA_NODEFER | SA_RESETHAND, 0);
    kill_it(SIGUSR1);
    assert_int_equal(entered(task), SIGUSR1);
    assert_int_equal(task->blocked, 0);
    assert_int_equal(task->sighand->action[SIGUSR1 - 1].handler, SIG_HANDLER_DFL);
    leave_handler(task);
    put(task, SLOT_SET, &stack, sizeof(stack));
    assert_int_equal(CALL(task, sigaltstack, SLOT(SLOT_SET), 0), 0);
    action(task, SIGUSR2, HANDLER, SA_ONSTACK, 0);
    uint64_t sp = f->rsp;
    kill_it(SIGUSR2);
    assert_int_equal(entered(task), SIGUSR2);
    assert_true(f->rsp > stack.sp && f->rsp < stack.sp + stack.size);
    assert_int_equal(CALL(task, sigaltstack, SLOT(SLOT_SET), 0), -EPERM);    // not while it is in use
    leave_handler(task);
    assert_int_equal(f->rsp, sp);
    // No room for the frame: the end.
    f->rsp = 4096;
    action(task, SIGHUP, HANDLER, 0, 0);
    kill_it(SIGHUP);
    assert_int_equal(machine_look(task), MACHINE_ENDED);
    assert_int_equal(task->process->status, SIGSEGV);
}

static void defaults(void **state)
{
    static const struct { int signal; enum default_action what;
    } list[] = {
        {SIGHUP, DEFAULT_END},    {SIGTERM, DEFAULT_END},     {SIGUSR1, DEFAULT_END},
        {SIGPIPE, DEFAULT_END},   {SIGALRM, DEFAULT_END},     {SIGIO, DEFAULT_END},
        {SIGPWR, DEFAULT_END},    {SIGSTKFLT, DEFAULT_END},   {34, DEFAULT_END},
        {64, DEFAULT_END},        {SIGQUIT, DEFAULT_CORE},    {SIGABRT, DEFAULT_CORE},
        {SIGSYS, DEFAULT_CORE},   {SIGTRAP, DEFAULT_CORE},    {SIGCHLD, DEFAULT_IGNORE},
        {SIGURG, DEFAULT_IGNORE}, {SIGWINCH, DEFAULT_IGNORE}, {SIGCONT, DEFAULT_IGNORE},
        {SIGTSTP, DEFAULT_STOP},  {SIGTTIN, DEFAULT_STOP},    {SIGTTOU, DEFAULT_STOP},
        {SIGSTOP, DEFAULT_STOP},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        assert_int_equal(signal_default(list[i].signal), list[i].what);
    }
    kill_it(SIGTERM);
    assert_int_equal(machine_look(task), MACHINE_ENDED);
    assert_int_equal(task->process->status, SIGTERM);
}

// A fault is not ignored or put off: then it ends the process.
static void forced(void **state)
{
    struct linux_siginfo info;

    (void)state;
    action(task, SIGSEGV, HANDLER, 0, 0);
    signal_force(task, SIGSEGV, SEGV_MAPERR, 0x1234);
    kill_it(SIGHUP);
    action(task, SIGHUP, HANDLER, 0, 0);
    assert_int_equal(machine_at(task), HANDLER);
    assert_true(signal_ignored(machine_first, SIGCHLD));
    mask(task, SIG_SETMASK, ~0ull);
    signal_force(task, SIGSEGV, SEGV_ACCERR, 0x5678);
    assert_false(task->blocked & SIG_BIT(SIGSEGV));
    assert_int_equal(task->sighand->action[SIGSEGV - 1].handler, SIG_HANDLER_DFL);
    assert_true((task->pending.set & SIG_BIT(SIGSEGV)) != 0);
    // A fault is taken before other signals of the task, whatever their number.
    ux_signal_task(task, SIGHUP);
    assert_true(signal_take(task, ~0ull, &info));
    assert_int_equal(info.signo, SIGSEGV);
    assert_int_equal(info.address, 0x5678);
    signal_force(task, SIGSEGV, SEGV_ACCERR, 0);
    assert_int_equal(machine_look(task), MACHINE_ENDED);
    assert_int_equal(task->process->status, SIGSEGV);
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
        TEST(masks), TEST(kill_and_stop_are_not_caught), TEST(invalid_numbers), TEST(who_may_send),
        TEST(ordinary_once_realtime_each), TEST(no_memory), TEST(random_queues),
        TEST(ignored_are_dropped), TEST(handler_and_back), TEST(frame_elsewhere), TEST(handler_flags),
        TEST(defaults), TEST(forced),
    };

    machine_seed("signal");
    return cmocka_run_group_tests(tests, begin, NULL);
}
