// wait.c - how tasks and processes end, and how parents learn of it.
//
// task_exit() runs in the context of the task that ends.  The last one of a process makes it a zombie: its
// children lose their parent, groups that nobody can continue any more are hung up on, and the parent is told.
// When the first process ends, everything ends with its value.
#include "signal.h"

#include <base.h>

#include "calls.h"
#include "vm.h"

static bool ignores_children(const struct process *parent)
{
    const struct linux_sigaction *a = &parent->threads->sighand->action[SIGCHLD - 1];
    return a->handler == SIG_HANDLER_IGN || (a->flags & SA_NOCLDWAIT);
}

void process_notify(struct process *p, int code, int status)
{
    struct process *parent = p->parent;
    struct linux_siginfo info = {.signo = SIGCHLD, .code = code, .pid = p->pid, .uid = p->leader->creds.uid,
                                 .status = status};

    if (parent == NULL || parent->zombie) {
        return;
    }
    ux_wake(&parent->child_wait);
    if (parent->threads->sighand->action[SIGCHLD - 1].flags & SA_NOCLDSTOP) {
        return;
    }
    (void)signal_send_process(parent, &info);
}

// The parent hears of the end.  True: nobody will wait for it.
static bool report_end(struct process *p)
{
    struct process *parent = p->parent;

    if (parent == NULL || parent->zombie) {
        return true;
    }
    bool by_signal = p->status & 0x7f;
    struct linux_siginfo info = {.signo = p->exit_signal, .code = by_signal ? CLD_KILLED : CLD_EXITED, .pid = p->pid,
                                 .uid = p->leader->creds.uid,
                                 .status = by_signal ? p->status & 0x7f : p->status >> 8 & 0xff};
    bool forgotten = p->exit_signal == SIGCHLD && ignores_children(parent);
    if (p->exit_signal != 0) {
        (void)signal_send_process(parent, &info);
    }
    ux_wake(&parent->child_wait);
    return forgotten;
}

static void hang_up_orphans(int pgid, const struct process *but)
{
    bool stopped = false;

    for (struct process *p = process_list; p != NULL; p = p->next) {
        stopped |= p != but && p->leader->pgid == pgid && p->stopped;
    }
    if (stopped && signal_group_orphaned(pgid)) {
        ux_signal_group(pgid, SIGHUP);
        ux_signal_group(pgid, SIGCONT);
    }
}

// Children whose parent ends belong to nobody: the emulator takes note of their end.
static void give_children_away(struct process *p)
{
    while (p->children != NULL) {
        struct process *child = p->children;
        process_unlink_child(child);
        child->exit_signal = SIGCHLD;
        if (child->zombie) {
            process_reap(child);
            continue;
        }
        for (struct task *t = child->threads; t != NULL; t = t->next_thread) {
            if (t->death_signal != 0) {
                struct linux_siginfo info = signal_from(p->leader, t->death_signal);
                (void)signal_send_task(t, &info);
            }
        }
        if (child->leader->pgid != p->leader->pgid) {
            hang_up_orphans(child->leader->pgid, p);
        }
    }
}

static void end_session(struct process *p)
{
    struct session *s = p->leader->session;

    if (s == NULL || s->sid != p->pid || s->tty == NULL) {
        return;
    }
    int foreground = session_release_tty(s);
    if (foreground != 0 && !p->is_first) {
        ux_signal_group(foreground, SIGHUP);
        ux_signal_group(foreground, SIGCONT);
    }
}

static void process_end(struct process *p)
{
    clock_process_gone(p);
    signal_flush(&p->pending, ~0ull);
    end_session(p);
    if (p->leader->exe != NULL) {
        inode_put(p->leader->exe);
        p->leader->exe = NULL;
    }
    p->leader->exe_path = NULL;
    ak_free(p->exe_path, p->exe_path_size);
    ak_free(p->command, p->command_size);
    p->exe_path = p->command = NULL;
    p->zombie = true;
    give_children_away(p);
    hang_up_orphans(p->leader->pgid, p);
    if (p->is_first) {
        ak_stop(p->status & 0x7f ? 128 + (p->status & 0x7f) : p->status >> 8 & 0xff);
        return;
    }
    if (report_end(p)) {
        process_reap(p);
    }
}

void task_release_memory(struct task *t)
{
    struct vm *vm = t->vm;

    futex_exit(t);
    t->vm = NULL;
    vm_put(vm);
    if (t->vfork_parent != NULL) {
        ux_wake(&t->vfork_parent->vfork_wait);
        t->vfork_parent = NULL;
    }
}

void sighand_put(struct sighand *s)
{
    if (--s->users == 0) {
        ak_free(s, sizeof(*s));
    }
}

static void unlink_thread(struct process *p, struct task *t)
{
    struct task **at = &p->threads;

    while (*at != t) {
        at = &(*at)->next_thread;
    }
    *at = t->next_thread;
    p->alive--;
}

_Noreturn void task_exit(struct task *t, int status)
{
    struct process *p = t->process;
    bool leads = p->leader == t;

    if (!p->exiting && p->alive == 1) {
        p->exiting = true;
        p->status = status;
    }
    task_release_memory(t);
    if (t->files != NULL) {
        struct fd_table *files = t->files;
        t->files = NULL;
        fd_table_put(files);
    }
    fs_context_put(t->fs);
    t->fs = NULL;
    signal_flush(&t->pending, ~0ull);
    p->cpu_dead += task_cpu(t);
    p->faults_dead += t->faults;
    unlink_thread(p, t);
    ux_wake(&p->thread_wait);
    signal_hand_on(p, t, ~0ull);
    if (p->alive == 0) {
        process_end(p);                  // p and its leader may be gone afterwards
    }
    sighand_put(t->sighand);
    t->sighand = NULL;
    if (!leads) {
        task_reap(t);
    }
    giant_unlock();
    sharing_exit(&t->sharing);
}

// ---- waiting ----------------------------------------------------------------------------------------------

struct wait_for {
    int      kind, id;                   // P_ALL, P_PID, P_PGID
    int      options;
    int      status;                     // found: as wait4 reports it
    int      code;                       // as siginfo does
    uint32_t uid;
    struct rusage usage;
};

static bool wanted(const struct wait_for *w, const struct process *p)
{
    bool clone = p->exit_signal != SIGCHLD;

    if (!(w->options & __WALL) && clone != ((w->options & __WCLONE) != 0)) {
        return false;
    }
    return w->kind == P_ALL || (w->kind == P_PID ? p->pid == w->id : p->leader->pgid == w->id);
}

void usage_fill(struct rusage *u, uint64_t ticks, uint64_t faults)
{
    uint64_t ns = ak_ns_from_ticks(ticks);

    memset(u, 0, sizeof(*u));
    u->ru_utime.tv_sec = (long)(ns / 1000000000);
    u->ru_utime.tv_usec = (long)(ns % 1000000000 / 1000);
    u->ru_minflt = (long)faults;
}

// Does this child have something to report?  Then it is in w, and, unless WNOWAIT, was reported.
static bool child_reports(struct wait_for *w, struct process *parent, struct process *p)
{
    bool keep = w->options & WNOWAIT;

    if (p->zombie && (w->options & WEXITED)) {
        w->status = p->status;
        w->code = p->status & 0x7f ? CLD_KILLED : CLD_EXITED;
        usage_fill(&w->usage, p->cpu_dead + p->cpu_children, p->faults_dead + p->faults_children);
        if (!keep) {
            parent->cpu_children += p->cpu_dead + p->cpu_children;
            parent->faults_children += p->faults_dead + p->faults_children;
        }
        return true;
    }
    usage_fill(&w->usage, process_cpu(p) + p->cpu_children, p->faults_dead + p->faults_children);
    if (p->report_stop && (w->options & WSTOPPED) && !p->zombie) {
        w->status = p->stop_signal << 8 | 0x7f;
        w->code = CLD_STOPPED;
        p->report_stop = keep;
        return true;
    }
    if (p->report_continue && (w->options & WCONTINUED) && !p->zombie) {
        w->status = 0xffff;
        w->code = CLD_CONTINUED;
        p->report_continue = keep;
        return true;
    }
    return false;
}

// The pid of a child that reported; 0 with WNOHANG; negative errors.
static long wait_child(struct task *t, struct wait_for *w)
{
    struct process *parent = t->process;

    for (;;) {
        bool any = false;
        for (struct process *p = parent->children; p != NULL; p = p->sibling) {
            if (!wanted(w, p)) {
                continue;
            }
            any = true;
            if (child_reports(w, parent, p)) {
                long pid = p->pid;
                w->uid = p->leader->creds.uid;
                if (p->zombie && !(w->options & WNOWAIT)) {
                    process_reap(p);
                }
                return pid;
            }
        }
        if (!any) {
            return -ECHILD;
        }
        if (w->options & WNOHANG) {
            return 0;
        }
        int e = ux_sleep(t, &parent->child_wait, 0);
        if (e != 0) {
            return -ERESTARTSYS;
        }
    }
}

long ux_sys_wait4(struct task *t, const uint64_t a[6])
{
    int pid = (int)a[0], options = (int)a[2];
    struct wait_for w = {.kind = P_ALL, .options = options | WEXITED};

    if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | (int)__WCLONE | __WALL)) || pid == INT32_MIN) {
        return pid == INT32_MIN ? -ESRCH : -EINVAL;
    }
    if (pid > 0) {
        w.kind = P_PID;
        w.id = pid;
    } else if (pid != -1) {
        w.kind = P_PGID;
        w.id = pid == 0 ? t->pgid : -pid;
    }
    long found = wait_child(t, &w);
    if (found <= 0) {
        return found;
    }
    if (a[1] != 0 && ux_copy_out(t, a[1], &w.status, sizeof(w.status)) != 0) {
        return -EFAULT;
    }
    if (a[3] != 0 && ux_copy_out(t, a[3], &w.usage, sizeof(w.usage)) != 0) {
        return -EFAULT;
    }
    return found;
}

long ux_sys_waitid(struct task *t, const uint64_t a[6])
{
    int options = (int)a[3];
    struct wait_for w = {.kind = (int)a[0], .id = (int)a[1], .options = options};
    struct linux_siginfo info = {0};

    if ((options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | (int)__WCLONE | __WALL)) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)) || w.kind < P_ALL || w.kind > P_PGID ||
        (w.kind == P_PID && w.id <= 0) || (w.kind == P_PGID && w.id < 0)) {
        return -EINVAL;
    }
    if (w.kind == P_PGID && w.id == 0) {
        w.id = t->pgid;
    }
    long found = wait_child(t, &w);
    if (found < 0) {
        return found;
    }
    if (found > 0) {
        int status = w.code == CLD_EXITED || w.code == CLD_STOPPED ? w.status >> 8 & 0xff :
                     w.code == CLD_CONTINUED ? SIGCONT : w.status & 0x7f;
        info = (struct linux_siginfo){.signo = SIGCHLD, .code = w.code, .pid = (int)found, .uid = w.uid,
                                      .status = status};
    }
    uint8_t whole[SIGINFO_SIZE] = {0};
    memcpy(whole, &info, sizeof(info));
    if (a[2] != 0 && ux_copy_out(t, a[2], whole, sizeof(whole)) != 0) {
        return -EFAULT;
    }
    if (a[4] != 0 && ux_copy_out(t, a[4], &w.usage, sizeof(w.usage)) != 0) {
        return -EFAULT;
    }
    return 0;
}
