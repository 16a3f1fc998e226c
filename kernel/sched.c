// sched.c - who runs.
#include "sched.h"

#include "arch.h"
#include "assert.h"
#include "atomic.h"
#include "cache.h"
#include "instance.h"
#include "signal.h"

static bool may_run(const struct thread *t, cpu_t number)
{
    return t->affinity >> number & 1;
}

static int running_priority(const struct cpu *c)
{
    return c->thread == NULL ? -1 : (int)c->thread->priority;
}

void sched_poke(struct cpu *cpu, struct cpu *other)
{
    if (other == cpu) {
        cpu->resched = true;
    } else if (!(fetch_or_acq_rel(&other->request, CPU_RESCHEDULE) &
                 CPU_RESCHEDULE)) { // pairs with kernel_interrupt()
        cpu->stats->ipis++;
        arch_ipi(other->number);
    }
}

// Where a thread that has become ready should wait: where it ran last if it would run at once, else the
// processor that runs the least, else where it ran last.
static struct cpu *place_for(struct cpu *cpu, struct thread *t)
{
    struct instance *in = cpu->instance;
    struct cpu *home = &in->cpu[t->cpu], *best = NULL;

    if (may_run(t, t->cpu) && running_priority(home) < (int)t->priority && home->ready_count == 0) {
        return home;
    }
    for (uint32_t i = 0; i < in->cpus; i++) {
        struct cpu *c = &in->cpu[i];
        if (!may_run(t, i)) {
            continue;
        }
        if (best == NULL || running_priority(c) < running_priority(best) ||
            (running_priority(c) == running_priority(best) && c->ready_count < best->ready_count)) {
            best = c;
        }
    }
    if (running_priority(best) >= (int)t->priority && may_run(t, t->cpu) &&
        home->ready_count <= best->ready_count) {
        return home;
    }
    return best;
}

static void enqueue(struct cpu *c, struct thread *t, bool front)
{
    struct list *l = &c->ready[t->priority];

    t->status = THREAD_READY;
    t->cpu = c->number;
    if (front) {
        list_push(l, &t->queue);
    } else {
        list_append(l, &t->queue);
    }
    c->ready_mask |= 1u << t->priority;
    c->ready_count++;
}

static void dequeue(struct cpu *c, struct thread *t)
{
    list_remove(&t->queue);
    c->ready_count--;
    if (list_empty(&c->ready[t->priority])) {
        c->ready_mask &= ~(1u << t->priority);
    }
}

void sched_ready(struct cpu *cpu, struct thread *t)
{
    struct cpu *c = place_for(cpu, t);

    enqueue(c, t, false);
    // A processor that runs less must choose again; one that runs an equal must start a slice.
    if (running_priority(c) <= (int)t->priority) {
        sched_poke(cpu, c);
    }
}

// Is there a thread on c's ready lists that may run on processor `number`?
static bool has_for(struct cpu *c, cpu_t number)
{
    for (uint32_t mask = c->ready_mask; mask != 0; mask &= mask - 1) {
        struct list *l = &c->ready[__builtin_ctz(mask)];
        for (struct list *n = l->next; n != l; n = n->next) {
            if (may_run(list_entry(n, struct thread, queue), number)) {
                return true;
            }
        }
    }
    return false;
}

// Threads wait here that might run at once elsewhere: tell processors that idle and have not been told.
static void offer(struct cpu *cpu)
{
    struct instance *in = cpu->instance;

    for (uint64_t mask = in->idle & ~(1ull << cpu->number); mask != 0; mask &= mask - 1) {
        struct cpu *c = &in->cpu[__builtin_ctzll(mask)];
        if (!(load_relaxed(&c->request) & CPU_RESCHEDULE) && has_for(cpu, c->number)) {
            sched_poke(cpu, c);
        }
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
    }
    timer_cancel(t);
}

void sched_leave(struct cpu *cpu)
{
    struct thread *t = cpu->thread;

    arch_state_save(cpu, t->state);
    uint64_t now = arch_now();
    t->slice = cpu->slice_end > now ? cpu->slice_end - now : 0;
    cpu->slice_end = 0;
    cpu->thread = NULL;
    cpu->frame = NULL;
    cpu->resched = true;
    t->status = THREAD_WAITING; // on no list; the caller says what comes next
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
    if (deadline != 0 && deadline <= arch_now()) {
        return ERR_TIMEOUT;
    }
    cpu->frame->rax = ERR_OK; // what it will see, unless the deadline changes it
    t->deadline = deadline;
    sched_leave(cpu);
    if (deadline != 0) {
        timer_insert(cpu, t);
    }
    return (err_t)ERR_NO_RESULT;
}

void sched_signal(struct cpu *cpu, struct thread *t)
{
    if (t->status != THREAD_WAITING) {
        t->signalled = true;
        return;
    }
    timer_cancel(t);
    t->slice = 0;
    sched_ready(cpu, t);
}

void sched_yield(struct cpu *cpu)
{
    struct thread *t = cpu->thread;

    if (!(cpu->ready_mask >> t->priority)) {
        return; // nobody of its priority or a higher one waits here
    }
    sched_leave(cpu);
    t->slice = 0;
    enqueue(cpu, t, false);
}

void sched_set_priority(struct cpu *cpu, struct thread *t, uint32_t priority)
{
    if (t->status == THREAD_READY) {
        sched_remove(cpu, t);
        t->priority = priority;
        sched_ready(cpu, t);
        return;
    }
    t->priority = priority;
    if (t->status == THREAD_RUNNING) {
        sched_poke(cpu, &cpu->instance->cpu[t->cpu]);
    }
}

void sched_tick(struct cpu *cpu)
{
    uint64_t now = arch_now();

    cpu->timer = 0;
    while (!list_empty(&cpu->waiting)) {
        struct thread *t = list_entry(cpu->waiting.next, struct thread, timer);
        if (t->deadline > now) {
            break;
        }
        timer_cancel(t);
        t->state->frame[t->depth].rax = ERR_TIMEOUT;
        t->slice = 0;
        sched_ready(cpu, t);
    }
    if (cpu->thread != NULL && cpu->slice_end != 0 && cpu->slice_end <= now) {
        sched_yield(cpu);
        cpu->slice_end = 0;
    }
    cpu->resched = true;
}

static int highest(uint32_t mask)
{
    return mask == 0 ? -1 : 31 - __builtin_clz(mask);
}

// A ready thread of another processor's that may run here and is of higher priority than `above`, or NULL.
static struct thread *steal(struct cpu *cpu, int above)
{
    struct instance *in = cpu->instance;
    struct thread *best = NULL;

    for (uint32_t i = 1; i < in->cpus; i++) {
        struct cpu *other = &in->cpu[(cpu->number + i) % in->cpus];
        for (int p = highest(other->ready_mask); p > above; p--) {
            struct list *l = &other->ready[p];
            for (struct list *n = l->next; n != l; n = n->next) {
                struct thread *t = list_entry(n, struct thread, queue);
                if (may_run(t, cpu->number)) {
                    best = t;
                    above = p;
                    break;
                }
            }
        }
    }
    return best;
}

static struct thread *choose(struct cpu *cpu)
{
    int own = highest(cpu->ready_mask);
    struct thread *t = own >= 0 ? list_entry(cpu->ready[own].next, struct thread, queue) : NULL;

    if (own < 0) {
        t = steal(cpu, -1);
    }
    return t;
}

static pa_t root_of(const struct thread *t)
{
    return t->depth > 0 ? t->kern->root : t->space->root;
}

// Let t run here.  False if its state cannot be loaded: then it is on its way to its owner.
static bool enter(struct cpu *cpu, struct thread *t)
{
    cpu->thread = t;
    cpu->frame = &t->state->frame[t->depth];
    t->status = THREAD_RUNNING;
    t->cpu = cpu->number;
    if (!arch_state_load(cpu, t->state)) {
        cpu->thread = NULL;
        cpu->frame = NULL;
        t->status = THREAD_WAITING;
        thread_doom(cpu, t, REASON_BAD_STATE, 0);
        cache_step(cpu, &t->o);
        return false;
    }
    if (cpu->root != root_of(t)) {
        arch_space_switch(cpu, root_of(t));
    }
    cpu->stats->switches++;
    return true;
}

// A slice in ticks; with a seed (`jitter`) a random one of the same mean, to try many interleavings.
static uint64_t slice_length(struct cpu *cpu)
{
    const struct instance *in = cpu->instance;

    if (in->jitter == 0) {
        return in->slice;
    }
    cpu->random = cpu->random * 6364136223846793005ull + (in->jitter << 8 | cpu->number << 1 | 1);
    return 1 + (cpu->random >> 33) % (2 * in->slice);
}

// Arm the timer for the soonest of: end of a slice that somebody waits for, first deadline.
static void arm(struct cpu *cpu, uint64_t now)
{
    struct thread *t = cpu->thread;
    uint64_t when = 0;

    if (!list_empty(&cpu->waiting)) {
        when = list_entry(cpu->waiting.next, struct thread, timer)->deadline;
    }
    if (t != NULL && (cpu->ready_mask >> t->priority & 1)) {
        if (cpu->slice_end == 0) {
            cpu->slice_end = now + (t->slice != 0 ? t->slice : slice_length(cpu));
        }
        if (when == 0 || cpu->slice_end < when) {
            when = cpu->slice_end;
        }
    } else {
        cpu->slice_end = 0;
    }
    // An early interrupt costs less than arming again at every switch.
    if (when != 0 && (cpu->timer == 0 || when < cpu->timer)) {
        cpu->timer = when;
        arch_timer_arm(cpu, when);
    }
}

static void preempt_if_lower(struct cpu *cpu)
{
    struct thread *t = cpu->thread;

    if (t != NULL && highest(cpu->ready_mask) > (int)t->priority) {
        sched_leave(cpu);
        enqueue(cpu, t, true);
    }
}

static void settle(struct cpu *cpu)
{
    while (cpu->resched) {
        cpu->resched = false;
        preempt_if_lower(cpu);
        while (cpu->thread == NULL) {
            struct thread *t = choose(cpu);
            if (t == NULL) {
                break;
            }
            dequeue(&cpu->instance->cpu[t->cpu], t);
            enter(cpu, t);
        }
        if (cpu->thread == NULL) {
            cpu->instance->idle |= 1ull << cpu->number;
            if (cpu->root != 0) {
                arch_space_switch(cpu, 0);
            }
        } else {
            cpu->instance->idle &= ~(1ull << cpu->number);
        }
        arm(cpu, arch_now());
    }
    if (cpu->thread != NULL && signal_due(cpu->thread) && cpu->thread->depth == 0) {
        signal_enter(cpu);
    }
    if (cpu->ready_count > 0) {
        offer(cpu);
    }
}

void sched_exit(struct cpu *cpu)
{
    settle(cpu);
    if (cpu->thread == NULL && !list_empty(&cpu->instance->unloading)) {
        if (cache_step_any(cpu)) {
            // Unloads are left to do: halt only for a moment.
            cpu->timer = arch_now() + cpu->instance->slice / 32;
            arch_timer_arm(cpu, cpu->timer);
        }
        settle(cpu);
    }
}
