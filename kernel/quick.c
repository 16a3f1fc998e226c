// quick.c - short ways for the calls that are made most.  See quick.h.
#include "mapping_quick.h"
#include "quick.h"

// Load the mapping that a call's registers name.
static inline __attribute__((always_inline)) bool load(struct cpu *cpu, oid_t id)
{
    struct instance *in = cpu->instance;
    const struct thread *t = cpu->thread;
    const struct frame *f = cpu->frame;
    struct space *s;

    if (!instance_try(cpu)) {
        return false;
    }
    bool done = t->o.id != 0 && space_get(in, id, &s) &&
                load_quick(in, t->kern, s, load_relaxed(&f->rsi), load_relaxed(&f->rdx), load_relaxed(&f->r10));
    instance_unlock(cpu);
    return done;
}

static void load_way(struct cpu *cpu)
{
    if (load(cpu, load_relaxed(&cpu->frame->rdi))) {
        cpu->frame->rax = ERR_OK;
        cpu->frame->rdx = 0;
    } else {
        syscall_run(cpu, cpu->thread, SYS_mapping_load);
    }
}

// In a handler: map what the program missed, and go back to it.  The second part needs no lock.
static void load_and_resume_way(struct cpu *cpu)
{
    oid_t id = load_relaxed(&cpu->frame->rdi);

    if (cpu->thread->depth > 0 && load(cpu, id)) {
        trap_resume(cpu, id);
    } else {
        syscall_run(cpu, cpu->thread, SYS_mapping_load_and_resume);
    }
}

// One page, from the beginning.
static void unload_way(struct cpu *cpu)
{
    struct instance *in = cpu->instance;
    struct frame *f = cpu->frame;
    va_t va = load_relaxed(&f->rsi);

    if (load_relaxed(&f->rdx) == ABI_PAGE && (load_relaxed(&f->r8) | load_relaxed(&f->r9)) == 0 && instance_try(cpu)) {
        struct space *s;
        bool done = cpu->thread->o.id != 0 && space_get(in, load_relaxed(&f->rdi), &s) &&
                    unload_quick(cpu, in, cpu->thread->kern, s, va);
        instance_unlock(cpu);
        if (done) {
            f->rax = ERR_OK;
            f->rdx = 1;
            f->r8 = 1;
            f->r9 = va + ABI_PAGE;
            return;
        }
    }
    syscall_run(cpu, cpu->thread, SYS_mapping_unload);
}

// Calls that switch to another thread; `quick` has done all or nothing, and then the same thread still runs.
static inline __attribute__((always_inline)) void switch_way(struct cpu *cpu, uint64_t number,
                                                             bool (*quick)(struct cpu *))
{
    struct thread *t = cpu->thread;

    instance_lock(cpu);
    if (t->o.id != 0 && quick(cpu)) {
        if (cpu->resched) {
            sched_exit(cpu);
        }
        instance_unlock(cpu);
        return;
    }
    instance_unlock(cpu);
    syscall_run(cpu, t, number);
}

static void yield_way(struct cpu *cpu)
{
    switch_way(cpu, SYS_yield, sched_yield_quick);
}

static void signal_wait_way(struct cpu *cpu)
{
    switch_way(cpu, SYS_signal_wait, signal_handoff);
}

// There is nothing to wait for in vain, as far as can be seen; else nothing has changed.
static bool wait_quick(struct cpu *cpu)
{
    cpu->frame->rdx = 0;
    return !cpu->thread->signalled &&
           sched_wait(cpu, cpu->thread, load_relaxed(&cpu->frame->rdi)) == (err_t)ERR_NO_RESULT;
}

static void wait_way(struct cpu *cpu)
{
    switch_way(cpu, SYS_wait, wait_quick);
}

const quick_way quick_ways[SYS_COUNT] = {
    [SYS_mapping_load] = load_way,
    [SYS_mapping_load_and_resume] = load_and_resume_way,
    [SYS_mapping_unload] = unload_way,
    [SYS_signal_wait] = signal_wait_way,
    [SYS_wait] = wait_way,
    [SYS_yield] = yield_way,
};
