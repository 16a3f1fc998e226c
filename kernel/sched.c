// sched.c - who runs.
#include "sched.h"

#include "arch.h"
#include "assert.h"
#include "atomic.h"
#include "cache.h"
#include "instance.h"
#include "share.h"
#include "signal.h"

static bool may_run(const struct thread *t, cpu_t number)
{
    return t->affinity >> number & 1;
}

static int running_level(const struct cpu *c)
{
    return c->thread == NULL ? -1 : (int)c->thread->level;
}

// What the level of t would be on processor c.
static uint32_t level_on(const struct cpu *c, const struct thread *t)
{
    return t->kern->share[c->number].base + t->priority;
}

// How far t would be above what runs on c: it runs at once if this is positive.
static int lead_on(const struct cpu *c, const struct thread *t)
{
    return (int)level_on(c, t) - running_level(c);
}

void sched_poke(struct cpu *cpu, struct cpu *other)
{
    if (other == cpu) {
        cpu->resched = true;
    } else if (!(fetch_or_acq_rel(&other->request, CPU_RESCHEDULE) & CPU_RESCHEDULE)) { // pairs: kernel_interrupt()
        cpu->stats->ipis++;
        arch_ipi(other->number);
    }
}

// Where a thread that has become ready should wait: where it ran last if it would run at once, else the processor where
// it is the furthest above what runs, else where it ran last.
static struct cpu *place_for(struct cpu *cpu, struct thread *t)
{
    struct instance *in = cpu->instance;
    struct cpu *home = &in->cpu[t->cpu], *best = NULL;
    int home_lead, best_lead = 0;

    if (in->cpus == 1) {
        return home;
    }
    home_lead = lead_on(home, t);
    if (may_run(t, t->cpu) && home_lead > 0 && home->ready_count == 0) {
        return home;
    }
    for (uint32_t i = 0; i < in->cpus; i++) {
        struct cpu *c = &in->cpu[i];
        if (!may_run(t, i)) {
            continue;
        }
        int lead = lead_on(c, t);
        if (best == NULL || lead > best_lead || (lead == best_lead && c->ready_count < best->ready_count)) {
            best = c;
            best_lead = lead;
        }
    }
    if (best_lead <= 0 && home_lead == best_lead && may_run(t, t->cpu) && home->ready_count <= best->ready_count) {
        return home;
    }
    return best;
}

void sched_place(struct thread *t, cpu_t n)
{
    t->cpu = n;
    t->share = &t->kern->share[n];
    t->level = t->share->base + t->priority;
}

// t has been placed on c.
static void enqueue(struct cpu *c, struct thread *t, bool front)
{
    uint32_t level = t->level;
    struct list *l = &c->ready[level];

    t->status = THREAD_READY;
    if (front) {
        list_push(l, &t->queue);
    } else {
        list_append(l, &t->queue);
    }
    c->ready_mask |= 1ull << level;
    c->ready_count++;
}

static void dequeue(struct cpu *c, struct thread *t)
{
    list_remove(&t->queue);
    c->ready_count--;
    if (list_empty(&c->ready[t->level])) {
        c->ready_mask &= ~(1ull << t->level);
    }
}

void sched_ready(struct cpu *cpu, struct thread *t)
{
    struct cpu *c = place_for(cpu, t);

    sched_place(t, c->number);
    enqueue(c, t, false);
    // A processor that runs less must choose again; one that runs an equal must start a slice.
    if (running_level(c) <= (int)t->level) {
        sched_poke(cpu, c);
    }
}

// The first thread of a list that may run on c and would have a level there above `above`.
static struct thread *first_above(struct list *l, const struct cpu *c, int above)
{
    for (struct list *n = l->next; n != l; n = n->next) {
        struct thread *t = list_entry(n, struct thread, queue);
        if (may_run(t, c->number) && (int)level_on(c, t) > above) {
            return t;
        }
    }
    return NULL;
}

// Is there a thread on cpu's ready lists for c, which idles, or runs what only idle time is for?
static bool has_for(struct cpu *cpu, const struct cpu *c)
{
    int above = c->thread == NULL ? -1 : SHARE_WITHIN - 1;

    for (uint64_t mask = cpu->ready_mask; mask != 0; mask &= mask - 1) {
        if (first_above(&cpu->ready[__builtin_ctzll(mask)], c, above) != NULL) {
            return true;
        }
    }
    return false;
}

// Threads wait here that might run at once elsewhere: tell processors that have time to spare, and do not know yet.
static void offer(struct cpu *cpu)
{
    struct instance *in = cpu->instance;

    for (uint64_t mask = in->spare & ~(1ull << cpu->number); mask != 0; mask &= mask - 1) {
        struct cpu *c = &in->cpu[__builtin_ctzll(mask)];
        if (!(load_relaxed(&c->request) & CPU_RESCHEDULE) && has_for(cpu, c)) {
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
    share_charge(cpu, t, now);
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

    if (!(cpu->ready_mask >> t->level)) {
        return; // nobody of its priority or a higher one waits here
    }
    sched_leave(cpu);
    t->slice = 0;
    enqueue(cpu, t, false);
}

void sched_regroup(struct cpu *c, struct appkernel *k)
{
    uint32_t from = SHARE_WITHIN - k->share[c->number].base;

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
        sched_poke(cpu, c);
    }
    t->priority = priority;
}

void sched_tick(struct cpu *cpu)
{
    uint64_t now = arch_now();

    cpu->timer = 0;
    (void)cache_step_any(cpu);
    device_tick(cpu, now);
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

static int highest(uint64_t mask)
{
    return mask == 0 ? -1 : 63 ^ __builtin_clzll(mask);
}

// The ready thread of another processor's that may run here and would be on the highest level above `above`.
static __attribute__((noinline)) struct thread *steal(struct cpu *cpu, int above)
{
    struct instance *in = cpu->instance;
    struct thread *best = NULL;

    for (uint32_t i = 1; i < in->cpus; i++) {
        struct cpu *other = &in->cpu[(cpu->number + i) % in->cpus];
        for (uint64_t mask = other->ready_mask; mask != 0;) {
            int level = highest(mask);
            mask &= ~(1ull << level);
            struct thread *t = first_above(&other->ready[level], cpu, above);
            if (t != NULL) {
                best = t;
                above = (int)level_on(cpu, t);
            }
        }
    }
    return best;
}

// The ready thread that should run here, if it is on a level above `above`.  Others' lists: if it is over its share.
static inline struct thread *choose(struct cpu *cpu, int above)
{
    int own = highest(cpu->ready_mask);
    struct thread *t = own > above ? list_entry(cpu->ready[own].next, struct thread, queue) : NULL;

    above = own > above ? own : above;
    if (above < SHARE_WITHIN) {
        struct thread *other = steal(cpu, above < 0 ? -1 : SHARE_WITHIN - 1);
        t = other != NULL ? other : t;
    }
    return t;
}

static pa_t root_of(const struct thread *t)
{
    return t->depth > 0 ? t->kern->root : t->space->root;
}

// Let t run here.  False if its state cannot be loaded: then it is on its way to its owner.
static bool enter(struct cpu *cpu, struct thread *t, uint64_t now)
{
    cpu->thread = t;
    cpu->frame = &t->state->frame[t->depth];
    cpu->since = now;
    t->status = THREAD_RUNNING;
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

// Arm the timer for the soonest of: end of a slice that somebody waits for, first deadline, next change of
// who is over its share.
static void arm(struct cpu *cpu, uint64_t now)
{
    struct thread *t = cpu->thread;
    uint64_t when = 0;

    if (!list_empty(&cpu->waiting)) {
        when = list_entry(cpu->waiting.next, struct thread, timer)->deadline;
    }
    if (t != NULL && (cpu->ready_mask >> t->level & 1)) {
        if (cpu->slice_end == 0) {
            cpu->slice_end = now + (t->slice != 0 ? t->slice : slice_length(cpu));
        }
        if (when == 0 || cpu->slice_end < when) {
            when = cpu->slice_end;
        }
    } else {
        cpu->slice_end = 0;
    }
    if (cpu->limits != 0 && t != NULL) {
        uint64_t change = share_next(cpu, now);
        if (when == 0 || (change != 0 && change < when)) {
            when = change;
        }
    }
    if (!list_empty(&cpu->instance->unloading) && (when == 0 || when > now + cpu->instance->slice / 32)) {
        when = now + cpu->instance->slice / 32; // unloads are left to do, perhaps nobody's any more
    }
    if (cpu->instance->devices.soonest != 0) {
        when = device_deadline(cpu, when);
    }
    // An early interrupt costs less than arming again at every switch.
    if (when != 0 && (cpu->timer == 0 || when < cpu->timer)) {
        cpu->timer = when;
        arch_timer_arm(cpu, when);
    }
}

static void preempt_if_lower(struct cpu *cpu, uint64_t now)
{
    struct thread *t = cpu->thread;

    if (t == NULL) {
        return;
    }
    share_charge(cpu, t, now);
    if (choose(cpu, (int)t->level) != NULL) {
        sched_leave(cpu);
        enqueue(cpu, t, true);
    }
}

// Take t off the list that it is ready on, to run it here.
static void take(struct cpu *cpu, struct thread *t)
{
    if (t->cpu == cpu->number) {
        dequeue(cpu, t);
    } else {
        dequeue(&cpu->instance->cpu[t->cpu], t);
        sched_place(t, cpu->number);
    }
}

static void note_spare(struct cpu *cpu)
{
    uint64_t *spare = &cpu->instance->spare, bit = 1ull << cpu->number;

    if (running_level(cpu) >= SHARE_WITHIN) {
        if (*spare & bit) {
            *spare &= ~bit;
        }
        return;
    }
    *spare |= bit;
    if (cpu->thread == NULL && cpu->root != 0) {
        arch_space_switch(cpu, 0);
    }
}

static void settle(struct cpu *cpu)
{
    while (cpu->resched) {
        uint64_t now = arch_now();
        cpu->resched = false;
        if (cpu->limits != 0) {
            share_renew(cpu, now);
        }
        preempt_if_lower(cpu, now);
        while (cpu->thread == NULL) {
            struct thread *t = choose(cpu, -1);
            if (t == NULL) {
                break;
            }
            take(cpu, t);
            enter(cpu, t, now);
        }
        note_spare(cpu);
        arm(cpu, now);
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
        cpu->resched = cache_step_any(cpu) || cpu->resched; // arm() sees to it that the rest is done
        settle(cpu);
    }
}
