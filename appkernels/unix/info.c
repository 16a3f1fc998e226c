// info.c - what /proc tells about processes.
#include <base.h>

#include "signal.h"
#include "vm.h"

static char state_of(const struct process *p)
{
    if (p->zombie) {
        return 'Z';
    }
    if (p->stopped) {
        return 'T';
    }
    for (const struct task *t = p->threads; t != NULL; t = t->next_thread) {
        if (!t->sharing.blocked) {
            return 'R';
        }
    }
    return 'S';
}

// The memory of any thread that has not ended.
static const struct vm *vm_of(const struct process *p)
{
    return p->threads != NULL ? p->threads->vm : NULL;
}

static long clock_ticks(uint64_t ticks)
{
    return (long)(ak_ns_from_ticks(ticks) / (1000000000 / LINUX_CLK_TCK));
}

char ux_task_state(struct task *t)
{
    return state_of(t->process);
}

int ux_task_parent(struct task *t)
{
    return t->process->parent != NULL ? t->process->parent->pid : 1;
}

unsigned ux_task_threads(struct task *t)
{
    return t->process->alive;
}

void ux_task_memory(struct task *t, uint64_t *total_pages, uint64_t *resident_pages)
{
    const struct vm *vm = vm_of(t->process);

    *total_pages = vm != NULL ? vm->as.total : 0;
    *resident_pages = vm != NULL ? vm->as.resident : 0;
}

size_t ux_task_stat(struct task *t, char *buffer, size_t size)
{
    const struct process *p = t->process;
    const struct vm *vm = vm_of(p);
    uint64_t ignored = 0, caught = 0;
    int nice = timeshare_nice(&p->leader->sharing.share);

    for (int i = 1; p->threads != NULL && i <= LINUX_SIGNALS; i++) {
        uint64_t handler = p->threads->sighand->action[i - 1].handler;
        ignored |= handler == SIG_HANDLER_IGN ? SIG_BIT(i) : 0;
        caught |= handler > SIG_HANDLER_IGN ? SIG_BIT(i) : 0;
    }
    int n = base_format(buffer, size,
                        "%d (%s) %c %d %d %d 0 -1 0 %lu %lu 0 0 %ld 0 %ld 0 %d %d %u 0 %ld %lu %lu "
                        "18446744073709551615 0 0 0 0 0 %lu %lu %lu %lu 0 0 0 %d 0 0 %d 0 0 0 0 0 0 0 0 0 0 0\n",
                        p->pid, p->leader->comm, state_of(p), p->parent != NULL ? p->parent->pid : 1, p->leader->pgid,
                        p->leader->session != NULL ? p->leader->session->sid : 0,
                        (unsigned long)(p->faults_dead + (p->threads != NULL ? p->threads->faults : 0)),
                        (unsigned long)p->faults_children, clock_ticks(process_cpu(p)), clock_ticks(p->cpu_children),
                        20 + nice, nice, p->alive, clock_ticks(p->started),
                        (unsigned long)(vm != NULL ? vm->as.total * ABI_PAGE : 0),
                        (unsigned long)(vm != NULL ? vm->as.resident : 0), (unsigned long)p->pending.set,
                        (unsigned long)p->leader->blocked, (unsigned long)ignored, (unsigned long)caught,
                        p->exit_signal, sched_policy(p->leader));
    return (size_t)n < size ? (size_t)n : size - 1;
}

size_t ux_task_cmdline(struct task *t, char *buffer, size_t size)
{
    const struct process *p = t->process;
    size_t n = p->command != NULL ? p->command_size : 0;

    n = n < size ? n : size;
    memcpy(buffer, p->command, n);
    return n;
}

// One line of /proc/PID/maps for the first region at or above *at, which is moved behind it.  0: no more.
size_t ux_task_map_line(struct task *t, uint64_t *at, char *buffer, size_t size)
{
    struct vm *vm = (struct vm *)vm_of(t->process);
    struct region *r = vm != NULL ? aspace_find_from(&vm->as, *at) : NULL;

    if (r == NULL) {
        return 0;
    }
    *at = r->end;
    struct inode *i = r->segment != NULL ? segment_inode(r->segment) : NULL;
    const char *name = r->tag & REGION_HEAP ? "[heap]" : r->tag & REGION_STACK ? "[stack]" :
                       i != NULL && i == t->exe && t->exe_path != NULL ? t->exe_path : "";
    int n = base_format(buffer, size, "%lx-%lx %c%c%c%c %08lx 00:01 %lu %s%s\n", (unsigned long)r->start,
                        (unsigned long)r->end, r->access & PROT_READ ? 'r' : '-', r->access & PROT_WRITE ? 'w' : '-',
                        r->access & PROT_EXEC ? 'x' : '-', r->shared ? 's' : 'p',
                        (unsigned long)(i != NULL ? r->page << ABI_PAGE_SHIFT : 0),
                        (unsigned long)(i != NULL ? inode_number(i) : 0), *name != 0 ? "       " : "",
                        name);
    return (size_t)n < size ? (size_t)n : size - 1;
}

void ux_task_signals(const struct task *t, struct signal_sets *s)
{
    *s = (struct signal_sets){.pending = t->pending.set, .shared = t->process->pending.set, .blocked = t->blocked};
    for (int n = 1; n <= LINUX_SIGNALS && t->sighand != NULL; n++) {
        uint64_t handler = t->sighand->action[n - 1].handler, bit = SIG_BIT(n);
        s->ignored |= handler == SIG_HANDLER_IGN ? bit : 0;
        s->caught |= handler != SIG_HANDLER_IGN && handler != SIG_HANDLER_DFL ? bit : 0;
    }
}
