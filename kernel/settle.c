// settle.c - who is next: before a processor goes back to user mode.
#include "allocator.h"
#include "sched_lists.h"

enum { ALLOCATIONS = 8 };      // rounds before the rest is left to the next event

// The ready thread that should run here, if it is on a level above `above`.  Others' lists: if it is over its share.
static inline struct thread *choose(struct cpu *cpu, int above)
{
    int own = highest(cpu->ready_mask);
    struct thread *t = own > above ? list_entry(cpu->ready[own].next, struct thread, queue) : NULL;

    above = own > above ? own : above;
    if (above < SHARE_WITHIN) {
        struct thread *other = place_steal(cpu, above < 0 ? -1 : SHARE_WITHIN - 1);
        t = other != NULL ? other : t;
    }
    return t;
}

// Arm the timer for the soonest of: end of a slice that somebody waits for, first deadline, next change of
// who is over its share.
static inline __attribute__((always_inline)) void arm(struct cpu *cpu, uint64_t now)
{
    struct thread *t = cpu->thread;
    uint64_t when = first_deadline(cpu);

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
    if (share_limited(cpu) && t != NULL) {
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
    timer_by(cpu, when);
    if (t != NULL && t->act == ACT_CLAIM) {
        timer_by(cpu, upcall_timers(cpu, t, now));
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
        sched_step_aside(cpu, true);
    }
}

// Take t off the list that it is ready on, to run it here.
static void take(struct cpu *cpu, struct thread *t)
{
    dequeue(&cpu->instance->cpu[t->cpu], t);
    if (t->cpu != cpu->number) {
        sched_place(t, cpu->number);
    }
}

void sched_enter_here(struct cpu *cpu, struct thread *t, struct thread *blocked)
{
    uint64_t now = cpu->since;

    enter(cpu, t, now, false);
    upcall_begin(cpu, blocked);
    arm(cpu, now);
    cpu->resched = cpu->resched || signal_due(t);        // a timer's event, for one
}

static void note_spare(struct cpu *cpu)
{
    struct instance *in = cpu->instance;
    uint64_t bit = 1ull << cpu->number;

    if (((in->spare & bit) != 0) != (running_level(cpu) < SHARE_WITHIN)) {
        in->spare ^= bit;
        in->realloc = REALLOC_ALL;
    }
    if (cpu->thread == NULL && cpu->root != 0) {
        arch_space_leave(cpu);
    }
}

// Nobody runs here, and the first in line is here: the usual case.
static void choose_quickly(struct cpu *cpu)
{
    struct list *ready = &cpu->ready[highest(cpu->ready_mask)];
    struct thread *t = list_entry(ready->next, struct thread, queue);
    uint64_t now = arch_now();

    cpu->resched = false;
    dequeue(cpu, t);
    if (!list_empty(ready)) {
        slice_begin(cpu, t, now);
    }
    timer_by(cpu, first_deadline(cpu));
    if (cpu->instance->devices.soonest != 0) {
        timer_by(cpu, device_deadline(cpu, 0));
    }
    enter(cpu, t, now, true);
    note_spare(cpu);
}

static void settle(struct cpu *cpu)
{
    if (cpu->thread == NULL && cpu->ready_count > 0 && cpu->limits == 0 && is_simple(cpu)) {
        choose_quickly(cpu);
    }
    while (cpu->resched) {
        uint64_t now = arch_now();
        cpu->resched = false;
        if (share_limited(cpu)) {
            share_renew(cpu, now);
        }
        preempt_if_lower(cpu, now);
        while (cpu->thread == NULL) {
            struct thread *t = choose(cpu, -1);
            if (t == NULL) {
                break;
            }
            take(cpu, t);
            enter(cpu, t, now, !t->entering);
            if (t->entering) {
                upcall_begin(cpu, NULL);
            }
        }
        note_spare(cpu);
        arm(cpu, now);
    }
    if (cpu->thread != NULL && signal_due(cpu->thread) && cpu->thread->depth == 0) {
        signal_enter(cpu);
    }
}

// The same with spaces of activations: shares of processors first, unless a claim in line here has to begin before
// anybody else comes.  What changes shares is also found on the way: a processor that idles, a claim that had to be
// given up.
static __attribute__((noinline)) void settle_shares(struct cpu *cpu)
{
    struct instance *in = cpu->instance;

    in->work = in->work < WORK_ALLOCATE ? in->work : WORK_ALLOCATE;
    bool settled = cpu->thread == NULL && cpu->ready_count > 0;
    if (settled) {
        settle(cpu);
    }
    for (unsigned i = 0; i < ALLOCATIONS; i++, settled = true) {
        if (in->realloc != 0) {
            allocator_run(cpu);
        }
        if (!settled || cpu->resched) {
            settle(cpu);
        }
        if ((in->realloc == 0 && !cpu->resched) || !work_left(in)) {
            break;
        }
    }
    if (in->realloc != 0) {
        timer_by(cpu, arch_now() + in->slice / 32);
    }
}

static __attribute__((noinline)) void choose_claim(struct cpu *cpu)
{
    if (cpu->instance->realloc == 0) {
        settle(cpu);
    }
    if (cpu->instance->realloc != 0 || cpu->resched) {
        settle_shares(cpu);
    }
}

static inline __attribute__((always_inline)) void choose_next(struct cpu *cpu)
{
    if (__builtin_expect(cpu->instance->nclaimants == 0, 1)) {
        settle(cpu);
    } else {
        choose_claim(cpu);
    }
}

void sched_exit(struct cpu *cpu)
{
    choose_next(cpu);
    if (cpu->thread == NULL && !list_empty(&cpu->instance->unloading)) {
        cpu->resched = cache_step_any(cpu) || cpu->resched; // arm() sees to it that the rest is done
        choose_next(cpu);
    }
    if (cpu->ready_count > 0) {
        place_offer(cpu);
    }
}
