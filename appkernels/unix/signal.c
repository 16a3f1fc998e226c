// signal.c - sending signals, and which are pending.
//
// A signal is pending for a task or for a process.  Ordinary ones are pending once; real-time ones (32 to 64) queue.
// `interrupted` of a task says that it has something to do before its program goes on; signal_recalculate()
// derives it, and deliver.c does what there is.  Who makes it true for another task also kicks that task, so that it
// looks: it is woken from a sleep, or brought out of its program.
#include "signal.h"

#include <base.h>

enum { FIRST_REALTIME = 32, QUEUE_MAX = 32768 };

static unsigned queued;                  // entries in all queues, but for this one:
static struct sig_entry ready;           // needs no memory; nearly always free, as most signals are taken at once
static bool ready_used;

static const uint64_t ignored_by_default =
    SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH);

enum default_action signal_default(int signal)
{
    switch (signal) {
    case SIGCHLD: case SIGCONT: case SIGURG: case SIGWINCH:
        return DEFAULT_IGNORE;
    case SIGSTOP: case SIGTSTP: case SIGTTIN: case SIGTTOU:
        return DEFAULT_STOP;
    case SIGQUIT: case SIGILL: case SIGTRAP: case SIGABRT: case SIGBUS: case SIGFPE: case SIGSEGV: case SIGXCPU:
    case SIGXFSZ: case SIGSYS:
        return DEFAULT_CORE;
    default:
        return DEFAULT_END;
    }
}

struct linux_siginfo signal_from(const struct task *t, int signal)
{
    struct linux_siginfo info = {.signo = signal, .code = SI_KERNEL};

    if (t != NULL) {
        info.code = SI_USER;
        info.pid = t->tgid;
        info.uid = t->creds.uid;
    }
    return info;
}

bool signal_ignored(const struct task *t, int signal)
{
    uint64_t handler = t->sighand->action[signal - 1].handler;

    return handler == SIG_HANDLER_IGN ||
           (handler == SIG_HANDLER_DFL && (ignored_by_default & SIG_BIT(signal)));
}

uint64_t signal_pending_set(const struct task *t)
{
    return t->pending.set | t->process->pending.set;
}

void signal_recalculate(struct task *t)
{
    struct process *p = t->process;

    t->interrupted = (signal_pending_set(t) & ~t->blocked) != 0 || p->exiting || p->stopped || t->ending;
}

void signal_hand_on(struct process *p, struct task *t, uint64_t set)
{
    for (struct task *other = p->threads; other != NULL && (set & p->pending.set); other = other->next_thread) {
        if (other != t && (set & p->pending.set & ~other->blocked)) {
            task_kick(other);
        }
    }
}

void signal_set_mask(struct task *t, uint64_t mask)
{
    uint64_t before = t->blocked;

    t->blocked = mask & ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
    signal_recalculate(t);
    signal_hand_on(t->process, t, t->blocked & ~before);
}

void ux_mask_for_call(struct task *t, uint64_t mask)
{
    if (!t->restore_mask) {
        t->saved_mask = t->blocked;
    }
    t->restore_mask = true;
    signal_set_mask(t, mask);
}

// ---- queues -----------------------------------------------------------------------------------------------

static struct sig_entry *entry_new(void)
{
    struct sig_entry *e = &ready;

    if (!ready_used) {
        ready_used = true;
    } else {
        e = queued < QUEUE_MAX ? ak_alloc(sizeof(*e)) : NULL;
        if (e == NULL) {
            return NULL;
        }
        queued++;
    }
    e->next = NULL;
    return e;
}

static void entry_drop(struct sig_entry *e)
{
    if (e == &ready) {
        ready_used = false;
        return;
    }
    queued--;
    ak_free(e, sizeof(*e));
}

static int queue_add(struct sig_queue *q, const struct linux_siginfo *info)
{
    uint64_t bit = SIG_BIT(info->signo);

    if (info->signo < FIRST_REALTIME && (q->set & bit)) {
        return 0;
    }
    struct sig_entry *e = entry_new();
    if (e == NULL) {
        // An ordinary signal comes without its story, a queued one cannot come.
        if (info->signo >= FIRST_REALTIME && info->code != SI_USER) {
            return -EAGAIN;
        }
        q->set |= bit;
        return 0;
    }
    e->info = *info;
    *(q->last != NULL ? &q->last->next : &q->first) = e;
    q->last = e;
    q->set |= bit;
    return 0;
}

// Remove the first entry of this signal; the bit stays if there are more.
static void queue_take(struct sig_queue *q, int signal, struct linux_siginfo *info)
{
    struct sig_entry *e = q->first, *before = NULL;

    *info = (struct linux_siginfo){.signo = signal, .code = SI_USER};
    q->set &= ~SIG_BIT(signal);
    while (e != NULL && e->info.signo != signal) {
        before = e;
        e = e->next;
    }
    if (e == NULL) {
        return;
    }
    *info = e->info;
    *(before != NULL ? &before->next : &q->first) = e->next;
    if (q->last == e) {
        q->last = before;
    }
    for (struct sig_entry *more = e->next; more != NULL; more = more->next) {
        if (more->info.signo == signal) {
            q->set |= SIG_BIT(signal);
            break;
        }
    }
    entry_drop(e);
}

void signal_flush(struct sig_queue *q, uint64_t set)
{
    struct linux_siginfo info;

    while (q->set & set) {
        queue_take(q, __builtin_ctzll(q->set & set) + 1, &info);
    }
}

bool signal_take(struct task *t, uint64_t set, struct linux_siginfo *info)
{
    // A fault of the task itself comes first: its registers say where it happened.
    const uint64_t faults = SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGTRAP) |
                            SIG_BIT(SIGFPE) | SIG_BIT(SIGSYS);
    struct sig_queue *q = &t->pending;
    uint64_t found = q->set & set & faults;

    if (found == 0) {
        found = q->set & set;
    }
    if (found == 0) {
        q = &t->process->pending;
        found = q->set & set;
    }
    if (found == 0) {
        return false;
    }
    queue_take(q, __builtin_ctzll(found) + 1, info);
    return true;
}

// ---- sending ----------------------------------------------------------------------------------------------

// Is this the task whose stack we are on?  Then it looks by itself when it leaves.
static bool is_current(const struct task *t)
{
    va_t here = (va_t)__builtin_frame_address(0);
    return here < t->thread.xstack && here >= t->thread.xstack - AK_STACK * ABI_PAGE;
}

void task_kick(struct task *t)
{
    t->interrupted = true;
    if (is_current(t)) {
        return;
    }
    if (t->sharing.blocked) {
        sharing_wake(&t->sharing);
    } else {
        ak_thread_interrupt(&t->thread);
    }
}

static void wake_all(struct process *p)
{
    for (struct task *t = p->threads; t != NULL; t = t->next_thread) {
        task_kick(t);
    }
}

static void process_continue(struct process *p)
{
    const uint64_t stops = SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU);

    signal_flush(&p->pending, stops);
    for (struct task *t = p->threads; t != NULL; t = t->next_thread) {
        signal_flush(&t->pending, stops);
    }
    if (p->stopped) {
        p->stopped = false;
        p->report_stop = false;
        p->report_continue = true;
        ux_wake(&p->stop_wait);
        process_notify(p, CLD_CONTINUED, SIGCONT);
    }
}

// What a signal does at once, whoever will handle it.
static void before_sending(struct process *p, int signal)
{
    if (signal == SIGCONT) {
        process_continue(p);
    } else if (signal_default(signal) == DEFAULT_STOP) {
        signal_flush(&p->pending, SIG_BIT(SIGCONT));
        for (struct task *t = p->threads; t != NULL; t = t->next_thread) {
            signal_flush(&t->pending, SIG_BIT(SIGCONT));
        }
    } else if (signal == SIGKILL && !p->exiting) {
        process_exit(p, SIGKILL);
    }
}

static bool wants(const struct task *t, int signal)
{
    return !(t->blocked & SIG_BIT(signal));
}

static bool drops(const struct task *t, int signal)
{
    return wants(t, signal) && !(t->wanted & SIG_BIT(signal)) && signal_ignored(t, signal);
}

int signal_send_task(struct task *t, const struct linux_siginfo *info)
{
    struct process *p = t->process;

    if (p->zombie || p->threads == NULL) {
        return 0;
    }
    before_sending(p, info->signo);
    if (p->exiting || drops(t, info->signo)) {
        return 0;
    }
    int e = queue_add(&t->pending, info);
    if (e == 0 && wants(t, info->signo)) {
        task_kick(t);
    }
    return e;
}

int signal_send_process(struct process *p, const struct linux_siginfo *info)
{
    if (p->zombie || p->threads == NULL) {
        return 0;
    }
    before_sending(p, info->signo);
    struct task *chosen = NULL;
    for (struct task *t = p->threads; t != NULL; t = t->next_thread) {
        if (wants(t, info->signo) && (chosen == NULL || t == p->leader)) {
            chosen = t;
        }
    }
    if (p->exiting || (chosen != NULL && drops(chosen, info->signo))) {
        return 0;
    }
    int e = queue_add(&p->pending, info);
    if (e != 0) {
        return e;
    }
    if (chosen != NULL) {
        task_kick(chosen);
    }
    return 0;
}

void process_exit(struct process *p, int status)
{
    if (p->exiting) {
        return;
    }
    p->exiting = true;
    p->status = status;
    p->stopped = false;
    ux_wake(&p->stop_wait);
    wake_all(p);
}

void process_stop(struct process *p, int signal)
{
    p->stopped = true;
    p->stop_signal = signal;
    p->report_stop = true;
    p->report_continue = false;
    wake_all(p);
    process_notify(p, CLD_STOPPED, signal);
}

void signal_force(struct task *t, int signal, int code, uint64_t address)
{
    struct linux_siginfo info = {.signo = signal, .code = code, .address = address};
    struct linux_sigaction *a = &t->sighand->action[signal - 1];

    if ((t->blocked & SIG_BIT(signal)) || a->handler == SIG_HANDLER_IGN) {
        a->handler = SIG_HANDLER_DFL;    // it cannot go on as if nothing had happened
        t->blocked &= ~SIG_BIT(signal);
    }
    if (queue_add(&t->pending, &info) == 0) {
        t->interrupted = true;
    }
}

void ux_signal_task(struct task *t, int signal)
{
    struct linux_siginfo info = signal_from(t, signal);
    (void)signal_send_task(t, &info);
}

void ux_signal_group(int pgid, int signal)
{
    struct linux_siginfo info = signal_from(NULL, signal);

    for (struct process *p = process_list, *next; p != NULL; p = next) {
        next = p->next;
        if (p->leader->pgid == pgid) {
            (void)signal_send_process(p, &info);
        }
    }
}

// A group is orphaned if no member has a parent in another group of the same session: nobody could continue it.
bool signal_group_orphaned(int pgid)
{
    for (struct process *p = process_list; p != NULL; p = p->next) {
        struct process *parent = p->parent;
        if (p->leader->pgid == pgid && !p->zombie && parent != NULL && parent->leader->pgid != pgid &&
            parent->leader->session == p->leader->session) {
            return false;
        }
    }
    return true;
}

int ux_tty_check(struct task *t, int foreground_pgid, int signal)
{
    if (t->pgid == foreground_pgid) {
        return 0;
    }
    if ((t->blocked & SIG_BIT(signal)) || signal_ignored(t, signal)) {
        return signal == SIGTTOU ? 0 : -EIO;
    }
    if (signal_group_orphaned(t->pgid)) {
        return -EIO;
    }
    ux_signal_group(t->pgid, signal);
    return -ERESTARTSYS;
}
