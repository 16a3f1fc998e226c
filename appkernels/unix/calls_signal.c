// calls_signal.c - the calls about signals.
#include <base.h>

#include "calls.h"
#include "signal.h"

static bool signal_valid(uint64_t n)
{
    return n >= 1 && n <= LINUX_SIGNALS;
}

long ux_sys_rt_sigaction(struct task *t, const uint64_t a[6])
{
    struct linux_sigaction new, old;

    if (!signal_valid(a[0]) || a[3] != sizeof(uint64_t)) {
        return -EINVAL;
    }
    if (a[1] != 0 && (a[0] == SIGKILL || a[0] == SIGSTOP)) {
        return -EINVAL;
    }
    struct linux_sigaction *action = &t->sighand->action[a[0] - 1];
    old = *action;
    if (a[1] != 0 && ux_copy_in(t, &new, a[1], sizeof(new)) != 0) {
        return -EFAULT;
    }
    if (a[2] != 0 && ux_copy_out(t, a[2], &old, sizeof(old)) != 0) {
        return -EFAULT;
    }
    if (a[1] == 0) {
        return 0;
    }
    new.mask &= ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
    *action = new;
    if (signal_ignored(t, (int)a[0])) {              // what is pending is forgotten
        signal_flush(&t->process->pending, SIG_BIT(a[0]));
        for (struct task *other = t->process->threads; other != NULL; other = other->next_thread) {
            signal_flush(&other->pending, SIG_BIT(a[0]));
        }
    }
    return 0;
}

long ux_sys_rt_sigprocmask(struct task *t, const uint64_t a[6])
{
    uint64_t set, old = t->blocked;

    if (a[3] != sizeof(uint64_t)) {
        return -EINVAL;
    }
    if (a[1] != 0) {
        if (ux_copy_in(t, &set, a[1], sizeof(set)) != 0) {
            return -EFAULT;
        }
        switch ((int)a[0]) {
        case SIG_BLOCK:
            signal_set_mask(t, old | set);
            break;
        case SIG_UNBLOCK:
            signal_set_mask(t, old & ~set);
            break;
        case SIG_SETMASK:
            signal_set_mask(t, set);
            break;
        default:
            return -EINVAL;
        }
    }
    return a[2] != 0 ? ux_copy_out(t, a[2], &old, sizeof(old)) : 0;
}

long ux_sys_rt_sigreturn(struct task *t, const uint64_t a[6])
{
    (void)a;
    return signal_return(t);
}

long ux_sys_rt_sigpending(struct task *t, const uint64_t a[6])
{
    uint64_t set = signal_pending_set(t) & t->blocked;

    if (a[1] > sizeof(set)) {
        return -EINVAL;
    }
    return ux_copy_out(t, a[0], &set, a[1]);
}

long ux_sys_rt_sigsuspend(struct task *t, const uint64_t a[6])
{
    struct waitq nobody = {0};
    uint64_t set;

    if (a[1] != sizeof(set)) {
        return -EINVAL;
    }
    if (ux_copy_in(t, &set, a[0], sizeof(set)) != 0) {
        return -EFAULT;
    }
    ux_mask_for_call(t, set);
    (void)ux_sleep(t, &nobody, 0);
    return -ERESTARTNOHAND;
}

long ux_sys_pause(struct task *t, const uint64_t a[6])
{
    struct waitq nobody = {0};

    (void)a;
    (void)ux_sleep(t, &nobody, 0);
    return -ERESTARTNOHAND;
}

static int give_info(struct task *t, va_t to, const struct linux_siginfo *info)
{
    uint8_t whole[SIGINFO_SIZE] = {0};

    memcpy(whole, info, sizeof(*info));
    return ux_copy_out(t, to, whole, sizeof(whole));
}

// The signals waited for are blocked: they are taken here, and wake the sleep although they do not interrupt it.
long ux_sys_rt_sigtimedwait(struct task *t, const uint64_t a[6])
{
    struct __kernel_timespec ts;
    struct linux_siginfo info;
    struct waitq nobody = {0};
    uint64_t set, deadline = 0;

    if (a[3] != sizeof(set)) {
        return -EINVAL;
    }
    if (ux_copy_in(t, &set, a[0], sizeof(set)) != 0 || (a[2] != 0 && ux_copy_in(t, &ts, a[2], sizeof(ts)) != 0)) {
        return -EFAULT;
    }
    if (a[2] != 0 && !timespec_valid(&ts)) {
        return -EINVAL;
    }
    if (a[2] != 0) {
        deadline = ux_deadline(timespec_ns(&ts));
    }
    set &= ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
    uint64_t blocked = t->blocked;
    t->wanted = set;
    signal_set_mask(t, blocked & ~set);              // so that they interrupt the sleep
    bool found = signal_take(t, set, &info);
    int e = 0;
    if (!found && (a[2] == 0 || timespec_ns(&ts) != 0)) {
        e = ux_sleep(t, &nobody, deadline);
        found = signal_take(t, set, &info);
    }
    t->wanted = 0;
    signal_set_mask(t, blocked);
    if (!found) {
        return e == -EINTR ? -EINTR : -EAGAIN;
    }
    return a[1] != 0 && give_info(t, a[1], &info) != 0 ? -EFAULT : info.signo;
}

long ux_sys_sigaltstack(struct task *t, const uint64_t a[6])
{
    va_t sp = t->thread.state->frame[0].rsp;
    bool on = t->alt_size != 0 && sp > t->alt_sp && sp - t->alt_sp <= t->alt_size;
    struct linux_stack new, old = {t->alt_sp, (int32_t)t->alt_flags, 0, t->alt_size};

    old.flags |= t->alt_size == 0 ? SS_DISABLE : on ? SS_ONSTACK : 0;
    if (a[0] != 0) {
        if (ux_copy_in(t, &new, a[0], sizeof(new)) != 0) {
            return -EFAULT;
        }
        uint32_t mode = (uint32_t)new.flags & ~LINUX_SS_AUTODISARM;
        if (on) {
            return -EPERM;
        }
        if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK) {
            return -EINVAL;
        }
        if (mode != SS_DISABLE && new.size < 2048) {
            return -ENOMEM;
        }
    }
    if (a[1] != 0 && ux_copy_out(t, a[1], &old, sizeof(old)) != 0) {
        return -EFAULT;
    }
    if (a[0] != 0) {
        bool off = ((uint32_t)new.flags & ~LINUX_SS_AUTODISARM) == SS_DISABLE;
        t->alt_sp = off ? 0 : new.sp;
        t->alt_size = off ? 0 : new.size;
        t->alt_flags = off ? 0 : (uint32_t)new.flags & LINUX_SS_AUTODISARM;
    }
    return 0;
}

// ---- sending ----------------------------------------------------------------------------------------------

static bool may_send(const struct task *t, const struct process *p, int signal)
{
    const struct creds *to = &p->leader->creds;

    return t->creds.euid == 0 || t->creds.euid == to->suid || t->creds.euid == to->uid || t->creds.uid == to->suid ||
           t->creds.uid == to->uid || (signal == SIGCONT && p->leader->session == t->session);
}

// To each process that `pgid` chooses (0: all but the sender).
static long send_many(struct task *t, int pgid, int signal, const struct linux_siginfo *info)
{
    bool any = false, allowed = false;

    for (struct process *p = process_list, *next; p != NULL; p = next) {
        next = p->next;
        if (pgid != 0 ? p->leader->pgid != pgid : p == t->process) {
            continue;
        }
        any = true;
        if (!may_send(t, p, signal)) {
            continue;
        }
        allowed = true;
        if (signal != 0) {
            (void)signal_send_process(p, info);
        }
    }
    return allowed ? 0 : any ? -EPERM : -ESRCH;
}

long ux_sys_kill(struct task *t, const uint64_t a[6])
{
    int pid = (int)a[0], signal = (int)a[1];

    if (signal < 0 || signal > LINUX_SIGNALS) {
        return -EINVAL;
    }
    struct linux_siginfo info = signal_from(t, signal);
    if (pid == INT32_MIN) {
        return -ESRCH;
    }
    if (pid <= 0) {
        return send_many(t, pid == 0 ? t->pgid : pid == -1 ? 0 : -pid, signal, &info);
    }
    struct task *to = ux_task_find(pid);
    if (pid == 1) {
        return t->creds.euid == 0 ? 0 : -EPERM;      // the emulator itself: it ignores them all, as an init does
    }
    if (to == NULL) {
        return -ESRCH;
    }
    if (!may_send(t, to->process, signal)) {
        return -EPERM;
    }
    return signal != 0 ? signal_send_process(to->process, &info) : 0;
}

static long send_task(struct task *t, int tgid, int tid, int signal, const struct linux_siginfo *info)
{
    if (tid <= 0 || signal < 0 || signal > LINUX_SIGNALS) {
        return -EINVAL;
    }
    struct task *to = ux_task_find(tid);
    if (to == NULL || (tgid != 0 && to->tgid != tgid) || to->sighand == NULL) {
        return to != NULL && to->process->zombie && signal == 0 ? 0 : -ESRCH;
    }
    if (!may_send(t, to->process, signal)) {
        return -EPERM;
    }
    return signal != 0 ? signal_send_task(to, info) : 0;
}

long ux_sys_tkill(struct task *t, const uint64_t a[6])
{
    struct linux_siginfo info = signal_from(t, (int)a[1]);

    info.code = SI_TKILL;
    return send_task(t, 0, (int)a[0], (int)a[1], &info);
}

long ux_sys_tgkill(struct task *t, const uint64_t a[6])
{
    struct linux_siginfo info = signal_from(t, (int)a[2]);

    info.code = SI_TKILL;
    return (int)a[0] <= 0 ? -EINVAL : send_task(t, (int)a[0], (int)a[1], (int)a[2], &info);
}

// Only a negative code, which says that it comes from a program, unless it is for the sender itself.
static long take_info(struct task *t, va_t from, int signal, bool self, struct linux_siginfo *info)
{
    if (ux_copy_in(t, info, from, sizeof(*info)) != 0) {
        return -EFAULT;
    }
    info->signo = signal;
    return (info->code >= 0 || info->code == SI_TKILL) && !self ? -EPERM : 0;
}

long ux_sys_rt_sigqueueinfo(struct task *t, const uint64_t a[6])
{
    struct linux_siginfo info;
    int pid = (int)a[0], signal = (int)a[1];

    long e = take_info(t, a[2], signal, pid == t->tgid, &info);
    if (e != 0) {
        return e;
    }
    if (signal < 0 || signal > LINUX_SIGNALS) {
        return -EINVAL;
    }
    struct task *to = pid > 0 ? ux_task_find(pid) : NULL;
    if (to == NULL) {
        return -ESRCH;
    }
    if (!may_send(t, to->process, signal)) {
        return -EPERM;
    }
    return signal != 0 ? signal_send_process(to->process, &info) : 0;
}

long ux_sys_rt_tgsigqueueinfo(struct task *t, const uint64_t a[6])
{
    struct linux_siginfo info;

    if ((int)a[0] <= 0) {
        return -EINVAL;
    }
    long e = take_info(t, a[3], (int)a[2], (int)a[0] == t->tgid, &info);
    return e != 0 ? e : send_task(t, (int)a[0], (int)a[1], (int)a[2], &info);
}
