// signal_steps.c - see signal_steps.h.
#include "signal_steps.h"

struct task *task;

int signal_setup(void **state)
{
    (void)state;
    task = machine_fork(machine_first);
    task->thread.state->frame[0].rsp = MACHINE_STACK - 256;
    machine_on_sleep = NULL;
    return 0;
}

int signal_teardown(void **state)
{
    int pid = task->tgid;

    (void)state;
    machine_on_sleep = NULL;
    if (!task->process->zombie) {
        CALL(machine_first, kill, pid, SIGKILL);
        while (task->process->threads != NULL) {
            assert_int_equal(machine_look(task->process->threads), MACHINE_ENDED);
        }
    }
    assert_int_equal(CALL(machine_first, wait4, pid, 0, 0, 0), pid);
    machine_settle();
    signal_flush(&machine_first->process->pending, ~0ull);
    signal_recalculate(machine_first);
    return 0;
}

void put(struct task *t, unsigned slot, const void *bytes, size_t n)
{
    assert_int_equal(ux_copy_out(t, SLOT(slot), bytes, n), 0);
}

void get(struct task *t, unsigned slot, void *bytes, size_t n)
{
    assert_int_equal(ux_copy_in(t, bytes, SLOT(slot), n), 0);
}

long action(struct task *t, int signal, uint64_t handler, uint64_t flags, uint64_t mask)
{
    const struct linux_sigaction a = {handler, flags | SA_RESTORER, RESTORER, mask};

    put(t, SLOT_ACTION, &a, sizeof(a));
    return CALL(t, rt_sigaction, signal, SLOT(SLOT_ACTION), 0, 8);
}

long mask(struct task *t, int how, uint64_t set)
{
    put(t, SLOT_SET, &set, sizeof(set));
    return CALL(t, rt_sigprocmask, how, SLOT(SLOT_SET), 0, 8);
}

uint64_t pending(struct task *t)
{
    uint64_t set = 0;

    assert_int_equal(CALL(t, rt_sigpending, SLOT(SLOT_OLD), 8), 0);
    get(t, SLOT_OLD, &set, sizeof(set));
    return set;
}

long kill_it(int signal)
{
    return CALL(machine_first, kill, task->tgid, signal);
}

long queue_it(int signal, uint64_t value)
{
    const struct linux_siginfo info = {.signo = signal, .code = SI_QUEUE, .value = value};

    put(machine_first, SLOT_INFO, &info, sizeof(info));
    return CALL(machine_first, rt_sigqueueinfo, task->tgid, signal, SLOT(SLOT_INFO));
}

// The task enters a handler now: the number of its signal; 0: none.
int entered(struct task *t)
{
    struct frame *f = &t->thread.state->frame[0];

    f->rip = MACHINE_CODE + 2;
    assert_int_equal(machine_look(t), 0);
    return f->rip == HANDLER ? (int)f->rdi : 0;
}

// The handler returns: RET takes the return address.
void leave_handler(struct task *t)
{
    struct frame *f = &t->thread.state->frame[0];
    uint64_t restorer = 0;

    assert_int_equal(ux_copy_in(t, &restorer, f->rsp, sizeof(restorer)), 0);
    assert_int_equal(restorer, RESTORER);
    f->rsp += 8;
    (void)CALL(t, rt_sigreturn, 0);
}
