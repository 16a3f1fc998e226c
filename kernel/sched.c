// sched.c - who runs.
#include "sched.h"

#include "arch.h"
#include "assert.h"
#include "atomic.h"
#include "cache.h"
#include "instance.h"
#include "place.h"
#include "share.h"
#include "signal.h"
#include "slice.h"

void sched_poke(struct cpu *cpu, struct cpu *other)
{
    if (other == cpu) {
        cpu->resched = true;
    } else if (!(fetch_or_acq_rel(&other->request, CPU_RESCHEDULE) & CPU_RESCHEDULE)) { // pairs: kernel_interrupt()
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

static uint64_t first_deadline(const struct cpu *cpu)
{
    return list_empty(&cpu->waiting) ? 0 : list_entry(cpu->waiting.next, struct thread, timer)->deadline;
}

static bool others_have_time(const struct cpu *cpu)
{
    return (cpu->instance->spare & ~(1ull << cpu->number)) != 0;
}

void sched_ready(struct cpu *cpu, struct thread *t)
{
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
    }
    timer_cancel(t);
}

// The running thread stops running; its state goes to its state page.
static inline __attribute__((always_inline)) uint64_t stop(struct cpu *cpu, struct thread *t)
{
    arch_state_save(cpu, t->state);
    uint64_t now = arch_now();
    t->slice = cpu->slice_end > now ? cpu->slice_end - now : 0;
    cpu->slice_end = 0;
    share_charge(cpu, t, now);
    return now;
}

void sched_leave(struct cpu *cpu)
{
    struct thread *t = cpu->thread;

    (void)stop(cpu, t);
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

    if (!(cpu->ready_mask >> t->level)) {
        return; // nobody of its priority or a higher one waits here
    }
    sched_leave(cpu);
    t->slice = 0;
    enqueue(cpu, t, false);
}

static struct frame *frame_of(const struct thread *t)
{
    return __builtin_expect(t->depth > 0, 0) ? &t->state->frame[t->depth] : t->state->frame;
}

static __attribute__((noinline)) void refuse(struct cpu *cpu, struct thread *t)
{
    cpu->thread = NULL;
    cpu->frame = NULL;
    cpu->resched = true;
    t->status = THREAD_WAITING;
    thread_doom(cpu, t, REASON_BAD_STATE, 0);
    cache_step(cpu, &t->o);
}

// Let t run here, unless its state cannot be loaded: then it is on its way to its owner, and nobody runs.
static inline __attribute__((always_inline)) void enter(struct cpu *cpu, struct thread *t, uint64_t now)
{
    pa_t root = __builtin_expect(t->depth > 0, 0) ? t->kern->root : t->space->root;

    cpu->thread = t;
    cpu->frame = frame_of(t);
    cpu->since = now;
    t->status = THREAD_RUNNING;
    if (__builtin_expect(!arch_state_load(cpu, t->state), 0)) {
        refuse(cpu, t);
        return;
    }
    if (cpu->root != root) {
        arch_space_switch(cpu, root);
    }
    cpu->stats->switches++;
}

// ---- straight to another thread -----------------------------------------------------------------------------

// The running thread stops on a processor where nobody has a limit, and what is left of its slice does not count.
static inline __attribute__((always_inline)) uint64_t stop_free(struct cpu *cpu, struct thread *t)
{
    arch_state_save(cpu, t->state);
    uint64_t now = arch_now();
    (void)share_count(cpu, t, now);
    return now;
}

// Nobody has a limit here, and nobody's unload has to be helped along.
static inline __attribute__((always_inline)) bool is_free(const struct cpu *cpu)
{
    return cpu->limits == 0 && list_empty(&cpu->instance->unloading);
}

// Does it only take this processor's own lists to see who is next?
static inline __attribute__((always_inline)) bool is_simple(const struct cpu *cpu)
{
    return is_free(cpu) && (cpu->ready_count == 0 || !others_have_time(cpu));
}

bool sched_yield_quick(struct cpu *cpu)
{
    struct thread *t = cpu->thread;
    struct list *ready = &cpu->ready[t->level];

    if (cpu->ready_mask >> t->level != 1 || cpu->resched || !is_free(cpu) || cpu->instance->spare != 0) {
        return false;
    }
    struct thread *next = list_entry(ready->next, struct thread, queue);
    if (signal_due(next)) {
        return false;
    }
    cpu->frame->rax = ERR_OK;
    uint64_t now = stop_free(cpu, t);
    t->slice = 0;
    t->status = THREAD_READY;
    list_remove(&next->queue);
    list_append(ready, &t->queue);
    slice_begin(cpu, next, now);
    enter(cpu, next, now);
    return true;
}

bool sched_handoff(struct cpu *cpu, struct thread *next, va_t va)
{
    struct thread *t = cpu->thread;
    uint32_t level = SHARE_WITHIN + next->priority;      // as nobody has a limit here

    if (next->status != THREAD_WAITING || next->o.state != OBJECT_LOADED || next->timed || next->cpu != cpu->number ||
        t->signalled || signal_waits(t) || cpu->resched || !is_simple(cpu) || cpu->ready_mask >> level != 0) {
        return false;
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
    enter(cpu, next, now);
    return true;
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
static void arm(struct cpu *cpu, uint64_t now)
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
    timer_by(cpu, when);
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
    enter(cpu, t, now);
    note_spare(cpu);
}

static void settle(struct cpu *cpu)
{
    if (cpu->thread == NULL && cpu->ready_count > 0 && is_simple(cpu)) {
        choose_quickly(cpu);
    }
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
        place_offer(cpu);
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
