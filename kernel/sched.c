// sched.c - threads become ready, wait, stop.  Who is next: settle.c.
#include "sched_lists.h"

void sched_poke(struct cpu *cpu, struct cpu *other)
{
    if (other == cpu) {
        cpu->resched = true;
    } else if (exchange_acq_rel(&other->request, 1) == 0) { // pairs with kernel_interrupt()
        cpu->stats->ipis++;
        arch_ipi(other->number);
    }
}

void sched_place(struct thread *t, cpu_t n)
{
    t->cpu = n;
    t->share = &t->kern->share[n];
    t->level = t->share->base + t->priority;
}

void sched_ready_here(struct cpu *cpu, struct thread *t)
{
    sched_place(t, cpu->number);
    enqueue(cpu, t, true);
}

void sched_ready(struct cpu *cpu, struct thread *t)
{
    if (t->act == ACT_BLOCKED && !activation_ready(t)) {
        return;
    }
    if (cpu->instance->nclaimants != 0 && t->act == ACT_NONE) {
        cpu->instance->realloc = REALLOC_ALL;
        cpu->resched = true;
    }
    struct cpu *c = place_for(cpu, t);

    sched_place(t, c->number);
    enqueue(c, t, false);
    // A processor that runs less must choose again; one that runs an equal must start a slice.
    int above = (int)t->level - running_level(c);
    if (above > 0 || (above == 0 && (c != cpu || others_have_time(cpu)))) {
        sched_poke(cpu, c);
    } else if (above == 0 && cpu->slice_end == 0) {
        slice_begin(cpu, cpu->thread, arch_now());
    }
}

static void timer_cancel(struct thread *t)
{
    if (t->timed) {
        list_remove(&t->timer);
        t->timed = false;
    }
}

void sched_remove(struct cpu *cpu, struct thread *t)
{
    assert(t->status != THREAD_RUNNING);
    if (t->status == THREAD_READY) {
        dequeue(&cpu->instance->cpu[t->cpu], t);
        cpu->instance->realloc |= REALLOC_ALL;
    }
    timer_cancel(t);
}

// The running thread stops running; its state goes to its state page.  The caller says what comes next: another thread,
// or to choose one.
static void leave(struct cpu *cpu, struct thread *t)
{
    arch_state_save(t->state);
    uint64_t now = arch_now();
    t->slice = cpu->slice_end > now ? cpu->slice_end - now : 0;
    cpu->slice_end = 0;
    uint64_t ran = share_count(cpu, t, now);
    if (cpu->limits != 0) {
        if (share_limited(cpu)) {
            share_pay(cpu, t, ran, now);
        }
        cpu->instance->realloc |= t->act == ACT_NONE ? REALLOC_ALL : 0;
    }
    cpu->thread = NULL;
    cpu->frame = NULL;
    t->status = THREAD_WAITING; // on no list
}

void sched_let_go(struct cpu *cpu)
{
    cpu->thread->status = THREAD_WAITING;
    cpu->thread = NULL;
    cpu->frame = NULL;
    cpu->resched = true;
}

void sched_leave(struct cpu *cpu)
{
    leave(cpu, cpu->thread);
    cpu->resched = true;
}

// Deadlines of one processor, soonest first.
static void timer_insert(struct cpu *c, struct thread *t)
{
    struct list *at = c->waiting.next;

    while (at != &c->waiting && list_entry(at, struct thread, timer)->deadline <= t->deadline) {
        at = at->next;
    }
    list_insert_before(at, &t->timer);
    t->timed = true;
}

err_t sched_wait(struct cpu *cpu, struct thread *t, uint64_t deadline)
{
    if (t->signalled || signal_waits(t)) {
        t->signalled = false;
        return ERR_OK;
    }
    // Signals came for its function between its SYSCALL and the lock: their interrupt shall find it running.
    if (t->function != 0 && t->depth == 0 && signal_due(t)) {
        cpu->resched = true;
        return ERR_OK;
    }
    if (deadline != 0 && deadline <= arch_now()) {
        return ERR_TIMEOUT;
    }
    cpu->frame->rax = ERR_OK; // what it will see, unless the deadline changes it
    t->deadline = deadline;
    leave(cpu, t);
    if (deadline != 0) {
        timer_insert(cpu, t);
    }
    if (t->act != ACT_CLAIM || !activation_blocked(cpu, t)) {
        cpu->resched = true;
        if (t->act == ACT_BLOCKED) {
            activation_handling(t, false);
        }
    }
    return (err_t)ERR_NO_RESULT;
}

void sched_signal(struct cpu *cpu, struct thread *t)
{
    if (!thread_waits(t)) {
        t->signalled = true;
        return;
    }
    timer_cancel(t);
    t->slice = 0;
    sched_ready(cpu, t);
}

void sched_step_aside(struct cpu *cpu, bool front)
{
    struct thread *t = cpu->thread;

    sched_leave(cpu);
    if (t->act == ACT_CLAIM) {
        activation_preempted(t);
    }
    enqueue(cpu, t, front);
}

void sched_yield(struct cpu *cpu)
{
    struct thread *t = cpu->thread;

    if (!(cpu->ready_mask >> t->level)) {
        return; // nobody of its priority or a higher one waits here
    }
    sched_step_aside(cpu, false);
    t->slice = 0;
}

__attribute__((noinline)) void sched_refuse(struct cpu *cpu, struct thread *t)
{
    sched_let_go(cpu);
    cpu->instance->realloc |= REALLOC_ALL;
    thread_doom(cpu, t, REASON_BAD_STATE, 0);
    cache_step(cpu, &t->o);
}

// ---- straight to another thread -----------------------------------------------------------------------------

// The running thread stops on a processor where nobody has a limit, and what is left of its slice does not count.
static inline __attribute__((always_inline)) uint64_t stop_free(struct cpu *cpu, struct thread *t)
{
    arch_state_save(t->state);
    uint64_t now = arch_now();
    (void)share_count(cpu, t, now);
    return now;
}

// Both claim a processor each, on one level, so with spaces of activations about nobody's share changes.
static bool alike(const struct cpu *cpu, const struct thread *next, uint32_t level)
{
    const struct thread *t = cpu->thread;
    return !share_limited(cpu) && t->act == ACT_NONE && next->act == ACT_NONE && t->level == level;
}

static inline __attribute__((always_inline)) bool yield_quick(struct cpu *cpu, bool claims)
{
    struct thread *t = cpu->thread;
    struct list *ready = &cpu->ready[t->level];

    if (cpu->ready_mask >> t->level != 1 || cpu->resched || !list_empty(&cpu->instance->unloading) ||
        cpu->instance->spare != 0) {
        return false;
    }
    struct thread *next = list_entry(ready->next, struct thread, queue);
    if (signal_due(next) || (claims && !alike(cpu, next, t->level))) {
        return false;
    }
    cpu->frame->rax = ERR_OK;
    uint64_t now = stop_free(cpu, t);
    t->slice = 0;
    t->status = THREAD_READY;
    list_remove(&next->queue);
    list_append(ready, &t->queue);
    slice_begin(cpu, next, now);
    enter(cpu, next, now, true);
    return true;
}

static __attribute__((noinline, cold)) bool yield_claims(struct cpu *cpu)
{
    return yield_quick(cpu, true);
}

bool sched_yield_quick(struct cpu *cpu)
{
    return __builtin_expect(cpu->limits == 0, 1) ? yield_quick(cpu, false) : yield_claims(cpu);
}

static __attribute__((noinline, cold)) bool handoff_claims(struct cpu *cpu, struct thread *next, va_t va);

static inline __attribute__((always_inline)) bool handoff(struct cpu *cpu, struct thread *next, va_t va, bool claims)
{
    struct thread *t = cpu->thread;
    uint32_t level = SHARE_WITHIN + next->priority;      // as nobody has a limit here

    if (next->status != THREAD_WAITING || next->o.state != OBJECT_LOADED || next->timed || next->cpu != cpu->number ||
        t->signalled || signal_waits(t) || signal_due(t) || cpu->resched || !is_simple(cpu) ||
        cpu->ready_mask >> level != 0 || (claims && !alike(cpu, next, level))) {
        return false;
    }
    if (!claims && __builtin_expect(cpu->limits != 0, 0)) {
        return handoff_claims(cpu, next, va);
    }
    cpu->frame->rax = ERR_OK;
    cpu->frame->rdx = 0;
    t->deadline = 0;
    t->status = THREAD_WAITING;
    uint64_t now = stop_free(cpu, t);
    cpu->slice_end = 0;
    frame_of(next)->rdx = va;
    next->slice = 0;
    next->level = level;
    enter(cpu, next, now, true);
    return true;
}

bool sched_handoff(struct cpu *cpu, struct thread *next, va_t va)
{
    return handoff(cpu, next, va, false);
}

static bool handoff_claims(struct cpu *cpu, struct thread *next, va_t va)
{
    return handoff(cpu, next, va, true);
}

void sched_regroup(struct cpu *c, struct appkernel *k)
{
    uint32_t from = SHARE_WITHIN - k->share[c->number].base;

    c->instance->realloc |= REALLOC_ALL;
    for (uint64_t mask = c->ready_mask >> from & UINT32_MAX; mask != 0; mask &= mask - 1) {
        struct list *l = &c->ready[from + (uint32_t)__builtin_ctzll(mask)], *next;
        for (struct list *n = l->next; n != l; n = next) {
            struct thread *t = list_entry(n, struct thread, queue);
            next = n->next;
            if (t->kern == k) {
                dequeue(c, t);
                sched_place(t, c->number);
                enqueue(c, t, false);
            }
        }
    }
    if (c->thread != NULL && c->thread->kern == k) {
        sched_place(c->thread, c->number);
    }
}

void sched_set_priority(struct cpu *cpu, struct thread *t, uint32_t priority)
{
    if (t->status == THREAD_READY) {
        sched_remove(cpu, t);
        t->priority = priority;
        sched_ready(cpu, t);
        return;
    }
    if (t->status == THREAD_RUNNING) {
        struct cpu *c = &cpu->instance->cpu[t->cpu];
        share_charge(c, t, arch_now());          // so far it ran at the old one
        t->priority = priority;
        sched_place(t, c->number);
        cpu->instance->realloc |= REALLOC_ALL;
        sched_poke(cpu, c);
    }
    t->priority = priority;
}

// End waits whose deadline has come: one, and more as long as the step has work left.  The timer is armed for the rest.
static void wake_due(struct cpu *cpu, uint64_t now)
{
    bool some = false;

    while (!list_empty(&cpu->waiting) && first_deadline(cpu) <= now && (!some || work_left(cpu->instance))) {
        struct thread *t = list_entry(cpu->waiting.next, struct thread, timer);
        timer_cancel(t);
        t->state->frame[t->depth].rax = ERR_TIMEOUT;
        t->slice = 0;
        sched_ready(cpu, t);
        cpu->instance->work += WORK_WAKE;
        some = true;
    }
}

// t had its slice.  A claim then waits on the next processor on which it is not on a lower level, and where nobody on a
// higher one runs, so that what is left over after equal shares goes round.
static void go_round(struct cpu *cpu, struct thread *t)
{
    struct instance *in = cpu->instance;

    for (uint32_t i = 1; i < in->cpus && t->act == ACT_CLAIM && t->status == THREAD_READY; i++) {
        struct cpu *next = &in->cpu[(cpu->number + i) % in->cpus];
        uint32_t level = level_on(next, t);
        if (may_run(t, next->number) && level >= t->level && (int)level >= running_level(next)) {
            dequeue(cpu, t);
            sched_place(t, next->number);
            enqueue(next, t, false);
            sched_poke(cpu, next);
            return;
        }
    }
}

void sched_tick(struct cpu *cpu)
{
    struct thread *runs = cpu->thread;
    uint64_t now = arch_now();

    cpu->timer = 0;
    (void)cache_step_any(cpu);
    device_tick(cpu, now);
    wake_due(cpu, now);
    if (cpu->thread != NULL && cpu->slice_end != 0 && cpu->slice_end <= now) {
        if (upcall_warn(cpu->thread)) {
            cpu->slice_end = now + cpu->instance->slice / 4;
        } else {
            sched_yield(cpu);
            cpu->slice_end = 0;
            go_round(cpu, runs);
        }
    }
    cpu->resched = true;
}
