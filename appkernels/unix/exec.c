// exec.c - execve: a new program in an old process.
//
// Until the new memory is complete nothing of the old process has changed, so every error goes back to the caller.
// Then the other threads end, and the rest cannot fail.
#include "exec.h"

#include <base.h>

#include "calls.h"
#include "signal.h"

enum { COMMAND_MAX = 4096, INITIAL_MXCSR = 0x1f80, FP_MXCSR = 24, FP_COMPONENTS = 7 };

// ---- scripts ----------------------------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// In a line that was cut off: does a blank follow the first word?
static bool name_is_whole(const char *p)
{
    while (is_blank(*p)) {
        p++;
    }
    while (*p != 0 && !is_blank(*p)) {
        p++;
    }
    return *p != 0;
}

// "#! interpreter argument": the line's words go before those there are already.  1: it is a script; 0; or an error.
static int read_script(struct exec *x, unsigned depth)
{
    char head[SCRIPT_LINE], *p = depth < SCRIPT_DEPTH ? x->line[depth] : head, *end, *argument = NULL;
    long n = inode_read(x->inode, p, 0, SCRIPT_LINE - 1);

    if (n < 0) {
        return (int)n;
    }
    if (n < 2 || p[0] != '#' || p[1] != '!') {
        return 0;
    }
    if (depth >= SCRIPT_DEPTH) {
        return -ELOOP;
    }
    p[n] = 0;
    end = strchr(p, '\n');
    if (end == NULL && n == SCRIPT_LINE - 1 && !name_is_whole(p + 2)) {
        return -ENOEXEC;
    }
    end = end != NULL ? end : p + strlen(p);
    while (end > p + 2 && is_blank(end[-1])) {
        end--;
    }
    *end = 0;
    for (p += 2; is_blank(*p); p++) {
    }
    if (*p == 0) {
        return -ENOEXEC;
    }
    const char *interpreter = p;
    while (*p != 0 && !is_blank(*p)) {
        p++;
    }
    if (*p != 0) {
        for (*p++ = 0; is_blank(*p); p++) {
        }
        argument = p;
    }
    if (x->nwords == 0) {
        x->words[x->nwords++] = x->called;
    }
    if (argument != NULL) {
        x->words[x->nwords++] = argument;
    }
    x->words[x->nwords++] = interpreter;
    return 1;
}

static int open_program(struct exec *x)
{
    return fs_open_exec(x->task, x->path, &x->inode, x->name, LINUX_PATH);
}

static void set_comm(struct task *t, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t n = strnlen(name, sizeof(t->comm) - 1);

    memset(t->comm, 0, sizeof(t->comm));
    memcpy(t->comm, name, n);
}

// ---- the change -------------------------------------------------------------------------------------------

// All other threads of the process end.
static int be_alone(struct task *t)
{
    struct process *p = t->process;

    for (struct task *other = p->threads; other != NULL; other = other->next_thread) {
        if (other != t) {
            other->ending = true;
            task_kick(other);
        }
    }
    while (p->alive > 1) {
        if (p->exiting) {
            return -EINTR;
        }
        (void)sleep_quietly(t, &p->thread_wait, 0);
    }
    if (p->leader != t) {
        task_take_lead(t);
    }
    return p->exiting ? -EINTR : 0;
}

static void reset_registers(struct task *t, const struct exec *x)
{
    struct frame *f = &t->thread.state->frame[0];
    uint8_t fp[XSTATE_SIZE] __attribute__((aligned(64)));

    memset(f, 0, sizeof(*f));
    f->kind = FRAME_TRAP;
    f->rip = x->entry;
    f->rsp = x->sp;
    f->rflags = 0x202;
    memset(fp, 0, sizeof(fp));
    *(uint32_t *)(fp + FP_MXCSR) = INITIAL_MXCSR;
    __asm__ volatile("xrstor64 %0" : : "m"(fp), "a"(FP_COMPONENTS), "d"(0));
    __asm__ volatile("wrfsbase %0" : : "r"(0ull));
    __asm__ volatile("wrgsbase %0" : : "r"(0ull));
}

static void reset_signals(struct task *t)
{
    for (unsigned i = 0; i < LINUX_SIGNALS; i++) {
        struct linux_sigaction *a = &t->sighand->action[i];
        uint64_t handler = a->handler == SIG_HANDLER_IGN ? SIG_HANDLER_IGN : SIG_HANDLER_DFL;
        *a = (struct linux_sigaction){.handler = handler};
    }
    t->alt_sp = t->alt_size = 0;
    t->alt_flags = 0;
}

static void save_command(struct process *p, const struct exec *x)
{
    size_t size = x->environment - x->strings;

    ak_free(p->command, p->command_size);
    p->command_size = size < COMMAND_MAX ? size : COMMAND_MAX;
    p->command = ak_alloc(p->command_size);
    for (size_t done = 0; p->command != NULL && done < p->command_size;) {
        uint64_t entry;
        va_t at = x->strings + done;
        size_t n = ABI_PAGE - (at & (ABI_PAGE - 1));
        n = n < p->command_size - done ? n : p->command_size - done;
        if (vm_page(x->vm, at, E_READ, &entry) != 0) {
            break;
        }
        memcpy(p->command + done, (const uint8_t *)ak_window(entry_frame(entry)) + (at & (ABI_PAGE - 1)), n);
        done += n;
    }
}

static void save_name(struct task *t, struct exec *x)
{
    struct process *p = t->process;
    size_t size = strlen(x->name) + 1;
    char *copy = ak_alloc(size);

    if (copy != NULL) {
        memcpy(copy, x->name, size);
        ak_free(p->exe_path, p->exe_path_size);
        p->exe_path = copy;
        p->exe_path_size = size;
    }
    if (t->exe != NULL) {
        inode_put(t->exe);
    }
    t->exe = x->inode;                   // its user
    x->inode = NULL;
    t->exe_path = p->exe_path;
}

// Tables that others share become our own.
static int unshare(struct task *t)
{
    if (t->files->users > 1) {
        struct fd_table *files = fd_table_copy(t->files);
        if (files == NULL) {
            return -ENOMEM;
        }
        fd_table_put(t->files);
        t->files = files;
    }
    if (t->sighand->users > 1) {
        struct sighand *s = ak_alloc(sizeof(*s));
        if (s == NULL) {
            return -ENOMEM;
        }
        *s = *t->sighand;
        s->users = 1;
        t->sighand->users--;
        t->sighand = s;
    }
    return 0;
}

static int change(struct task *t, struct exec *x)
{
    int e = be_alone(t);

    e = e != 0 ? e : unshare(t);
    if (e != 0) {
        return e;
    }
    if (t->vm != NULL) {
        task_release_memory(t);
    }
    t->vm = x->vm;
    x->vm = NULL;
    save_name(t, x);
    set_comm(t, x->called);
    reset_signals(t);
    reset_registers(t, x);
    t->process->executed = true;
    t->robust_list = t->clear_tid = 0;
    t->sleep_until = 0;
    fd_table_close_on_exec(t->files);
    signal_recalculate(t);
    return 0;
}

static int make_memory(struct exec *x, va_t argv, va_t envp, const struct exec_strings *own)
{
    struct region stack = {.start = VM_STACK_TOP - 16 * ABI_PAGE, .end = VM_STACK_TOP, .access = PROT_READ | PROT_WRITE,
                           .most = PROT_ALL, .tag = REGION_STACK | REGION_GROWS};

    x->vm = vm_create();
    if (x->vm == NULL) {
        return -ENOMEM;
    }
    x->vm->stack_limit = x->task->process->rlimit[RLIMIT_STACK][0];
    x->sp = VM_STACK_TOP - sizeof(uint64_t);
    int e = vm_map(x->vm, &stack);
    e = e != 0 ? e : exec_push_strings(x, argv, envp, own);
    e = e != 0 ? e : elf_load(x);
    e = e != 0 ? e : exec_build_stack(x);
    x->vm->arguments = x->strings;
    x->vm->arguments_end = x->environment;
    return e;
}

// Find the program; for a script its interpreter, and what goes before the arguments.
static int find_program(struct exec *x)
{
    int e = open_program(x);

    for (unsigned depth = 0; e == 0; depth++) {
        e = read_script(x, depth);
        if (e <= 0) {
            return e;
        }
        inode_put(x->inode);
        x->inode = NULL;
        const char *interpreter = x->words[x->nwords - 1];
        memcpy(x->path, interpreter, strlen(interpreter) + 1);
        e = open_program(x);
    }
    return e;
}

long task_exec(struct task *t, const char *path, va_t argv, va_t envp, const struct exec_strings *own)
{
    struct exec *x = ak_alloc(sizeof(*x));
    char *names = ak_alloc(3 * LINUX_PATH);
    int e = -ENOMEM;

    if (x != NULL && names != NULL) {
        x->task = t;
        x->name = names;
        x->path = names + LINUX_PATH;
        x->called = names + 2 * LINUX_PATH;
        memcpy(x->path, path, strnlen(path, LINUX_PATH - 1));
        memcpy(x->called, path, strnlen(path, LINUX_PATH - 1));
        e = find_program(x);
        e = e != 0 ? e : make_memory(x, argv, envp, own);
        if (e == 0) {
            save_command(t->process, x);
            e = change(t, x);
        }
        if (x->inode != NULL) {
            inode_put(x->inode);
        }
        if (x->interpreter != NULL) {
            inode_put(x->interpreter);
        }
        vm_put(x->vm);
    }
    ak_free(names, 3 * LINUX_PATH);
    ak_free(x, sizeof(*x));
    return e;
}

long ux_sys_execve(struct task *t, const uint64_t a[6])
{
    char *path = ak_alloc(LINUX_PATH);
    long e;

    if (path == NULL) {
        return -ENOMEM;
    }
    e = ux_copy_string(t, path, a[0], LINUX_PATH);
    e = e < 0 ? e : task_exec(t, path, a[1], a[2], NULL);
    ak_free(path, LINUX_PATH);
    return e;
}
