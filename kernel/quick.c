// quick.c - short ways for the calls that are made most.  See quick.h.
#include "quick.h"

#include "atomic.h"
#include "instance.h"
#include "mapping.h"
#include "sched.h"
#include "signal.h"
#include "syscall.h"
#include "trap.h"

// In a handler: map what the program missed, and go back to it.
static bool load_and_resume(struct cpu *cpu, struct thread *t, struct space *s, oid_t id)
{
    struct frame *f = cpu->frame;

    if (t->depth == 0 || !mapping_load_quick(cpu->instance, t->kern, s, load_relaxed(&f->rsi), load_relaxed(&f->rdx),
                                             load_relaxed(&f->r10))) {
        return false;
    }
    err_t e = trap_resume(cpu, id);
    if (e != ERR_OK) {
        f->rax = e;
    }
    return true;
}

static bool load(struct cpu *cpu, struct thread *t, struct space *s)
{
    struct frame *f = cpu->frame;

    if (!mapping_load_quick(cpu->instance, t->kern, s, load_relaxed(&f->rsi), load_relaxed(&f->rdx),
                            load_relaxed(&f->r10))) {
        return false;
    }
    f->rax = ERR_OK;
    f->rdx = 0;
    return true;
}

static inline bool find_and_load(struct cpu *cpu)
{
    struct space *s = space_find(cpu->instance, load_relaxed(&cpu->frame->rdi));
    return s != NULL && load(cpu, cpu->thread, s);
}

static inline bool find_load_and_resume(struct cpu *cpu)
{
    oid_t id = load_relaxed(&cpu->frame->rdi);
    struct space *s = space_find(cpu->instance, id);
    return s != NULL && load_and_resume(cpu, cpu->thread, s, id);
}

// `attempt` has done all or nothing; then the same thread still runs.
static inline __attribute__((always_inline)) void quick(struct cpu *cpu, bool (*attempt)(struct cpu *), uint64_t number)
{
    instance_lock(cpu);
    if (cpu->thread->o.id != 0 && attempt(cpu)) {
        if (cpu->resched) {
            sched_exit(cpu);
        }
        instance_unlock(cpu);
        return;
    }
    instance_unlock(cpu);
    syscall_run(cpu, cpu->thread, number);
}

// Not inline: kernel_syscall() needs no stack without them.
__attribute__((noinline)) void quick_yield(struct cpu *cpu)
{
    quick(cpu, sched_yield_quick, SYS_yield);
}

__attribute__((noinline)) void quick_signal_wait(struct cpu *cpu)
{
    quick(cpu, signal_handoff, SYS_signal_wait);
}

__attribute__((noinline)) void quick_mapping_load(struct cpu *cpu)
{
    quick(cpu, find_and_load, SYS_mapping_load);
}

__attribute__((noinline)) void quick_mapping_load_and_resume(struct cpu *cpu)
{
    quick(cpu, find_load_and_resume, SYS_mapping_load_and_resume);
}
