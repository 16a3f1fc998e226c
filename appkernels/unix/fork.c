// fork.c - clone, fork and vfork: new tasks as copies of the caller.
//
// Decode first: everything that can fail (memory) is done before the new task is known to anyone.
#include <base.h>

#include "calls.h"
#include "signal.h"
#include "vm.h"

enum { XSTATE_COMPONENTS = 7 };

static const uint64_t known_flags =
    CSIGNAL | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK | CLONE_PARENT | CLONE_THREAD |
    CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_CHILD_SETTID |
    CLONE_UNTRACED | CLONE_IO;

struct clone {
    uint64_t flags, stack, tls, parent_tid, child_tid;
};

static uint64_t read_fs(void)
{
    uint64_t base;
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

static uint64_t read_gs(void)
{
    uint64_t base;
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    return base;
}

// The child continues where the parent's call returns, with the same extended state, which is in the registers.
static void copy_registers(struct task *child, const struct task *t, const struct clone *c)
{
    struct thread_state *s = child->thread.state;

    s->frame[0] = t->thread.state->frame[0];
    s->frame[0].rax = 0;
    if (c->stack != 0) {
        s->frame[0].rsp = c->stack;
    }
    s->fs_base = c->flags & CLONE_SETTLS ? c->tls : read_fs();
    s->gs_base = read_gs();
    __asm__ volatile("xsave64 %0" : "+m"(s->xstate) : "a"(XSTATE_COMPONENTS), "d"(0));
}

static struct sighand *sighand_copy(const struct sighand *from)
{
    struct sighand *s = ak_alloc(sizeof(*s));

    if (s != NULL) {
        *s = *from;
        s->users = 1;
    }
    return s;
}

// Share or copy what the flags say.  False: no memory; what was made is given back by the caller.
static bool copy_parts(struct task *child, struct task *t, uint64_t flags)
{
    if (flags & CLONE_VM) {
        child->vm = t->vm;
        child->vm->users++;
    } else if ((child->vm = vm_copy(t->vm)) == NULL) {
        return false;
    }
    if (flags & CLONE_SIGHAND) {
        child->sighand = t->sighand;
        child->sighand->users++;
    } else if ((child->sighand = sighand_copy(t->sighand)) == NULL) {
        return false;
    }
    if (flags & CLONE_FS) {
        child->fs = t->fs;
        child->fs->users++;
    } else if ((child->fs = fs_context_copy(t->fs)) == NULL) {
        return false;
    }
    if (flags & CLONE_FILES) {
        child->files = t->files;
        child->files->users++;
    } else if ((child->files = fd_table_copy(t->files)) == NULL) {
        return false;
    }
    return true;
}

static void drop_parts(struct task *child)
{
    vm_put(child->vm);
    if (child->sighand != NULL) {
        sighand_put(child->sighand);
    }
    if (child->fs != NULL) {
        fs_context_put(child->fs);
    }
    if (child->files != NULL) {
        fd_table_put(child->files);
    }
    if (child->process->leader == child) {
        ak_free(child->process->exe_path, child->process->exe_path_size);
        ak_free(child->process->command, child->process->command_size);
    }
    task_free(child);
}

static bool copy_text(char **to, size_t *to_size, const char *from, size_t size)
{
    if (from == NULL) {
        return true;
    }
    *to = ak_alloc(size);
    if (*to == NULL) {
        return false;
    }
    memcpy(*to, from, size);
    *to_size = size;
    return true;
}

static bool copy_process(struct process *to, const struct process *from, uint64_t flags)
{
    to->exit_signal = (int)(flags & CSIGNAL);
    memcpy(to->rlimit, from->rlimit, sizeof(to->rlimit));
    return copy_text(&to->exe_path, &to->exe_path_size, from->exe_path, from->exe_path_size) &&
           copy_text(&to->command, &to->command_size, from->command, from->command_size);
}

// The child runs here first, on its own thread.
static void child_start(void *arg)
{
    struct task *t = arg;

    if (t->set_tid != 0) {
        giant_lock(t);
        (void)ux_copy_out(t, t->set_tid, &t->tid, sizeof(t->tid));
        giant_unlock();
    }
    ux_return(t);
}

static void child_settle(struct task *child, struct task *t, const struct clone *c)
{
    child->creds = t->creds;
    memcpy(child->comm, t->comm, sizeof(child->comm));
    child->blocked = t->blocked;
    task_copy_identity(child, t);
    if (!(c->flags & CLONE_VM) || (c->flags & CLONE_VFORK)) {
        child->alt_sp = t->alt_sp;
        child->alt_size = t->alt_size;
        child->alt_flags = t->alt_flags;
    }
    child->clear_tid = c->flags & CLONE_CHILD_CLEARTID ? c->child_tid : 0;
    child->set_tid = c->flags & CLONE_CHILD_SETTID ? c->child_tid : 0;
    child->thread.affinity = t->thread.affinity;
    copy_registers(child, t, c);
}

static void new_process(struct task *child, struct task *t, uint64_t flags)
{
    struct process *parent = flags & CLONE_PARENT && t->process->parent != NULL ? t->process->parent : t->process;

    process_link_child(parent, child->process);
    if (child->session != NULL) {
        child->session->users++;
    }
    if (child->exe != NULL) {
        inode_get(child->exe);
    }
    child->exe_path = child->process->exe_path;
}

// The parent sleeps until the child has another vm or none.  A signal that kills ends the sleep.
static void wait_vfork(struct task *t, int tid)
{
    for (;;) {
        struct task *child = ux_task_find(tid);
        if (child == NULL || child->vfork_parent != t || t->process->exiting) {
            if (child != NULL && child->vfork_parent == t) {
                child->vfork_parent = NULL;
            }
            return;
        }
        (void)sleep_quietly(t, &t->vfork_wait, ux_deadline(100000000));
    }
}

static long clone_task(struct task *t, const struct clone *c)
{
    uint64_t flags = c->flags;

    if ((flags & ~known_flags) || (flags & CSIGNAL) > LINUX_SIGNALS ||
        ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM)) || ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND)) ||
        ((flags & CLONE_SETTLS) && c->tls >= VM_END) || c->stack >= VM_END) {
        return -EINVAL;
    }
    if (t->process->exiting) {
        return -EINTR;
    }
    struct task *child = task_create(flags & CLONE_THREAD ? t->process : NULL);
    if (child == NULL) {
        return -EAGAIN;
    }
    if (!copy_parts(child, t, flags) || (!(flags & CLONE_THREAD) && !copy_process(child->process, t->process, flags))) {
        drop_parts(child);
        return -ENOMEM;
    }
    child_settle(child, t, c);
    task_insert(child);
    if (!(flags & CLONE_THREAD)) {
        new_process(child, t, flags);
    }
    int tid = child->tid;
    if (flags & CLONE_PARENT_SETTID) {
        (void)ux_copy_out(t, c->parent_tid, &tid, sizeof(tid));
    }
    if (flags & CLONE_VFORK) {
        child->vfork_parent = t;
    }
    signal_recalculate(child);
    sharing_start(&child->sharing, &t->sharing, child_start, child);
    if (flags & CLONE_VFORK) {
        wait_vfork(t, tid);
    }
    return tid;
}

long ux_sys_clone(struct task *t, const uint64_t a[6])
{
    struct clone c = {.flags = a[0] & 0xffffffff, .stack = a[1], .parent_tid = a[2], .child_tid = a[3], .tls = a[4]};
    return clone_task(t, &c);
}

long ux_sys_fork(struct task *t, const uint64_t a[6])
{
    struct clone c = {.flags = SIGCHLD};

    (void)a;
    return clone_task(t, &c);
}

long ux_sys_vfork(struct task *t, const uint64_t a[6])
{
    struct clone c = {.flags = SIGCHLD | CLONE_VFORK | CLONE_VM};

    (void)a;
    return clone_task(t, &c);
}
