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

static inline bool attempt(struct cpu *cpu, struct thread *t, uint64_t number)
{
    if (number == SYS_yield) {
        return sched_yield_quick(cpu);
    }
    if (number == SYS_signal_wait) {
        return signal_handoff(cpu);
    }
    oid_t id = load_relaxed(&cpu->frame->rdi);
    struct space *s = space_find(cpu->instance, id);
    return s != NULL && (number == SYS_mapping_load ? load(cpu, t, s) : load_and_resume(cpu, t, s, id));
}

void quick_call(struct cpu *cpu, struct thread *t, uint64_t number)
{
    instance_lock(cpu);
    bool done = t->o.id != 0 && attempt(cpu, t, number);
    if (cpu->resched) {
        sched_exit(cpu);
    }
    instance_unlock(cpu);
    if (!done) {
        syscall_run(cpu, t, number);
    }
}
