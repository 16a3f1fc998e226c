// trap.c - forwarding and resuming, and what the machine calls when something happens.
#include <abi/syscalls.h>

#include "quick.h"
#include "supervisor.h"

enum { RED_ZONE = 128, VECTOR_PAGE_FAULT = 14, INITIAL_FLAGS = 0x202 };

// Also for what may happen inside a call, with the lock held: a bad pointer is a fault there.
static __attribute__((noinline)) bool lock_unless_held(struct cpu *cpu)
{
    bool held = cpu->locked;

    if (!held) {
        instance_lock(cpu);
    }
    return held;
}

static __attribute__((noinline)) void unlock_unless_held(struct cpu *cpu, bool held)
{
    if (!held) {
        if (cpu->resched) {
            sched_exit(cpu);
        }
        instance_unlock(cpu);
    }
}

static void thread_die(struct cpu *cpu, struct thread *t, uint32_t reason, uint64_t value)
{
    const struct frame *f = cpu->frame;

    if (t->kern == cpu->instance->first &&
        (reason == REASON_DOUBLE_FAULT || t->o.id == cpu->instance->info->thread)) {
        panic("the first kernel failed: reason %u kind %u vector %u error %lx address %lx rip %lx rsp %lx",
              reason, f->kind, f->vector, (unsigned long)f->error, (unsigned long)f->addr,
              (unsigned long)f->rip, (unsigned long)f->rsp);
    }
    bool held = lock_unless_held(cpu);
    if (t->o.state == OBJECT_LOADED) {
        thread_doom(cpu, t, reason, value);
    }
    cache_step(cpu, &t->o);
    unlock_unless_held(cpu, held);
}

// The thread goes on in a handler of its kernel.  What happened at `depth` is in f.
static inline void enter_handler(struct cpu *cpu, struct thread *t, struct frame *f, uint32_t depth, va_t handler,
                                 va_t rsp)
{
    struct frame *h = f + 1;

    h->kind = FRAME_TRAP; // nothing of value is in RCX and R11 of a fresh handler
    h->rip = handler;
    h->rsp = rsp;
    h->rflags = INITIAL_FLAGS;
    h->rdi = t->state_va;
    h->rsi = t->cookie;
    h->rdx = depth;
    t->depth = depth + 1;
    cpu->frame = h;
    cpu->enter_fresh = 1;
    if (cpu->root != t->kern->root) {
        arch_space_switch(cpu, t->kern->root);
    }
}

void trap_forward(struct cpu *cpu, uint32_t kind, uint32_t vector, uint64_t error, va_t addr)
{
    struct thread *t = cpu->thread;
    struct appkernel *k = t->kern;
    struct frame *f = cpu->frame;
    uint32_t depth = t->depth;

    f->kind = kind;
    f->vector = vector;
    f->error = error;
    f->addr = addr;
    if (depth == ABI_MAX_DEPTH) {
        thread_die(cpu, t, REASON_DOUBLE_FAULT, addr);
        return;
    }
    va_t handler = kind == FRAME_TRAP ? k->trap : kind == FRAME_FAULT ? k->fault : k->exception;
    enter_handler(cpu, t, f, depth, handler, depth == 0 ? t->xstack - 8 : ((f->rsp - RED_ZONE) & ~15ull) - 8);
}

// The handler goes back to an activation that has no processor of its space's: it does not go on by itself.  With
// kinds, no activation does.
static err_t resume_activation(struct cpu *cpu, struct thread *t, struct space *s, uint32_t kinds)
{
    if (t->home != s) {
        if (!activation_index_free(&s->claims, t->index)) {
            return ERR_INVAL;
        }
        thread_set_space(t, s);
        activation_join(t, s);
    }
    t->space = s;
    activation_resume(cpu, t, kinds);
    return (err_t)ERR_NO_RESULT;
}

// Find the space to go on in: *id, or the present one if *id is 0.
static err_t resume_find(struct cpu *cpu, const struct thread *t, oid_t *id, struct space **s)
{
    const struct space *present = t->home != NULL ? t->home : t->space;

    if (*id == 0 && present != NULL) {
        *id = present->o.id;
    }
    *s = space_find(cpu->instance, *id);
    if (*s == NULL) {
        return ERR_STALE;
    }
    return (*s)->manager != t->kern ? ERR_DENIED : ERR_OK;
}

// The program goes on in another space than before, or is an activation's.
static __attribute__((noinline)) err_t resume_change(struct cpu *cpu, struct thread *t, oid_t *id)
{
    bool held = lock_unless_held(cpu);
    struct space *s;

    err_t e = resume_find(cpu, t, id, &s);
    if (e == ERR_OK && s != t->space) {
        if (s->claims.schedule == SCHEDULE_ACTIVATIONS) {
            e = resume_activation(cpu, t, s, 0);
        } else {
            thread_set_space(t, s);
        }
    }
    unlock_unless_held(cpu, held);
    return e;
}

err_t trap_upcall(struct cpu *cpu, oid_t id, uint32_t kind, uint64_t value)
{
    struct thread *t = cpu->thread;
    struct space *s;

    if (t->depth != 1) {
        return ERR_DEPTH;
    }
    err_t e = resume_find(cpu, t, &id, &s);
    if (e == ERR_OK && (s->claims.schedule == SCHEDULE_THREADS || activation_disabled(t, s))) {
        e = ERR_DENIED;
    }
    if (e != ERR_OK) {
        return e;
    }
    t->value = kind == UPCALL_OWNER ? value : t->value;
    return resume_activation(cpu, t, s, kind);
}

// A signal came while the thread was in a handler.  One that comes later finds it in its program, and interrupts.
static __attribute__((noinline)) void resume_signalled(struct cpu *cpu)
{
    bool held = lock_unless_held(cpu);

    signal_enter(cpu);
    unlock_unless_held(cpu, held);
}

static void resume_at(struct cpu *cpu, struct thread *t, uint32_t depth)
{
    t->depth = depth;
    cpu->frame = &t->state->frame[depth];
    cpu->stats->resumes++;
}

static inline __attribute__((always_inline)) err_t resume(struct cpu *cpu, oid_t id)
{
    struct thread *t = cpu->thread;
    struct space *s = load_relaxed(&t->space);

    if (t->depth != 1) {
        if (t->depth == 0) {
            return ERR_DEPTH;
        }
        resume_at(cpu, t, t->depth - 1);
        return ERR_OK;
    }
    if (s == NULL || id == 0 || load_relaxed(&s->o.id) != id) {
        err_t e = resume_change(cpu, t, &id);
        if (e != ERR_OK) {
            return e;
        }
        s = t->space;
    }
    // Against the unload of s on another processor: it clears s->o.id, fences, and then looks at t and at
    // cpu->root.  Here cpu->root is stored and the page-table register written, which serialises, before the
    // id is read again.  (a) The id is still there: the unload sees us and interrupts this processor.
    // (b) It is gone: we leave again.
    if (cpu->root != s->root) {
        arch_space_switch(cpu, s->root);
    } else {
        fence_full();
    }
    if (load_relaxed(&s->o.id) != id) {
        arch_space_switch(cpu, t->kern->root);    // stay in the handler
        return ERR_STALE;
    }
    resume_at(cpu, t, 0);
    if (signal_due(t)) {
        resume_signalled(cpu);
    }
    return ERR_OK;
}

__attribute__((noinline)) void trap_resume(struct cpu *cpu, oid_t id)
{
    err_t e = resume(cpu, id);

    if (e != ERR_OK && (uint32_t)e != ERR_NO_RESULT) {
        cpu->frame->rax = e;                      // still the caller's
    }
}

// A page that is mapped does not allow the access.  Gives what to forward, or 0 if it was the first write to a
// deferred copy, which has been made.
static uint64_t fault_present(struct cpu *cpu, uint64_t error, va_t addr)
{
    struct space *s = thread_where(cpu->thread);
    bool copied = false;

    if (((error & FAULT_WRITE) == 0 || load_relaxed(&s->copies) == 0) && !load_relaxed(&s->remote)) {
        return error;
    }
    cpu->frame->kind = FRAME_NONE;                // all registers count
    instance_lock(cpu);
    if (error & FAULT_WRITE) {
        copied = mapping_copy(cpu, s, addr);
    }
    error = copied ? 0 : lost_explain(cpu, error, addr);
    instance_unlock(cpu);
    return error;
}

void kernel_exception(struct cpu *cpu, uint32_t vector, uint64_t error, uint64_t addr)
{
    if (vector == VECTOR_PAGE_FAULT) {
        error &= FAULT_PRESENT | FAULT_WRITE | FAULT_EXEC;
        if (error & FAULT_PRESENT) {
            error = fault_present(cpu, error, addr);
            if (error == 0) {
                return;
            }
        }
        cpu->stats->faults++;
        trap_forward(cpu, FRAME_FAULT, vector, error, addr);
    } else {
        cpu->stats->exceptions++;
        trap_forward(cpu, FRAME_EXCEPTION, vector, error, 0);
    }
}

void kernel_bad_frame(struct cpu *cpu)
{
    thread_die(cpu, cpu->thread, REASON_BAD_STATE, 0);
}

// What others wanted of the thread that runs here, while it could not be touched.
static void answer_requests(struct cpu *cpu)
{
    struct thread *t = cpu->thread;

    if (t == NULL) {
        return;
    }
    struct space *s = t->home != NULL ? t->home : t->space;
    if (t->o.state == OBJECT_UNLOADING) {
        cache_step(cpu, &t->o);
    } else if (t->drop && t->depth == 0) {
        sched_leave(cpu);
        activation_dropped(cpu, t);
    } else if (s != NULL && s->o.state == OBJECT_UNLOADING) {
        if (t->depth > 0) {
            thread_set_space(t, NULL);
        } else {
            cache_unload(cpu, &t->o, s->o.reason);
        }
    }
}

void kernel_interrupt(struct cpu *cpu, enum arch_irq irq)
{
    if (cpu->frame != NULL) {
        cpu->frame->kind = FRAME_NONE;
    }
    cpu->stats->interrupts++;
    tlb_answer(cpu);
    if (irq == ARCH_IRQ_SPURIOUS || (irq == ARCH_IRQ_IPI && load_relaxed(&cpu->request) == 0)) {
        return;
    }
    instance_lock(cpu);
    if (exchange_acq_rel(&cpu->request, 0) != 0) {   // pairs with sched_poke()
        cpu->resched = true;
        answer_requests(cpu);
    }
    if (irq == ARCH_IRQ_TIMER) {
        sched_tick(cpu);
    } else if (irq == ARCH_IRQ_CONSOLE) {
        device_input(cpu, DEVICE_TERMINAL);
    }
    sched_exit(cpu);
    instance_unlock(cpu);
}

void kernel_syscall(struct cpu *cpu)
{
    struct thread *t = cpu->thread;
    struct frame *f = cpu->frame;
    uint64_t number = load_relaxed(&f->rax);

    f->kind = FRAME_TRAP;
    // The space decides what a trap instruction means, never the registers (C33).
    if (t->depth == 0 && t->space->kernel != t->kern &&
        (t->space->rule == TRAP_FORWARD || !syscall_is_any(number))) {
        cpu->stats->traps++;
        enter_handler(cpu, t, f, 0, t->kern->trap, t->xstack - 8);
        return;
    }
    if (number != SYS_resume) {
        if (number < SYS_COUNT && quick_ways[number] != NULL) {
            quick_ways[number](cpu);
        } else {
            syscall_run(cpu, t, number);
        }
        return;
    }
    trap_resume(cpu, f->rdi);                 // the fast path: no lock
}
