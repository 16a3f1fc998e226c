// sched_lists.h - what the parts of the scheduler share: ready lists, and letting a thread run.
//
// For sched.c and settle.c only.  Locking: the instance lock.
#pragma once
#include "slice.h"
#include "supervisor.h"

// t has been placed on c.
static inline void enqueue(struct cpu *c, struct thread *t, bool front)
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

static inline void dequeue(struct cpu *c, struct thread *t)
{
    list_remove(&t->queue);
    c->ready_count--;
    if (list_empty(&c->ready[t->level])) {
        c->ready_mask &= ~(1ull << t->level);
    }
}

static inline uint64_t first_deadline(const struct cpu *cpu)
{
    return list_empty(&cpu->waiting) ? 0 : list_entry(cpu->waiting.next, struct thread, timer)->deadline;
}

static inline bool others_have_time(const struct cpu *cpu)
{
    return (cpu->instance->spare & ~(1ull << cpu->number)) != 0;
}

// Nobody's unload has to be helped along, and it only takes this processor's own lists to see who is next.
static inline __attribute__((always_inline)) bool is_simple(const struct cpu *cpu)
{
    return list_empty(&cpu->instance->unloading) && (cpu->ready_count == 0 || !others_have_time(cpu));
}

static inline struct frame *frame_of(const struct thread *t)
{
    return __builtin_expect(t->depth > 0, 0) ? &t->state->frame[t->depth] : t->state->frame;
}

// Let t run here, unless its state is to be loaded and cannot be: then it is on its way to its owner, and nobody runs.
static inline __attribute__((always_inline)) void enter(struct cpu *cpu, struct thread *t, uint64_t now, bool load)
{
    pa_t root = __builtin_expect(t->depth > 0, 0) ? t->kern->root : t->space->root;

    cpu->thread = t;
    cpu->frame = frame_of(t);
    cpu->since = now;
    t->status = THREAD_RUNNING;
    if (load && __builtin_expect(!arch_state_load(t->state), 0)) {
        sched_refuse(cpu, t);
        return;
    }
    if (cpu->root != root) {
        arch_space_switch(cpu, root);
    }
    cpu->stats->switches++;
}

// The running thread stops running, and is ready: at the front or at the end of its list.
void sched_step_aside(struct cpu *cpu, bool front);
