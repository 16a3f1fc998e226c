// slice.h - how long the thread that runs may run on while another one of its level is ready, and the timer for that.
//
// cpu.slice_end is 0 as long as nobody waits for the end.  Locking: the instance lock.
#pragma once
#include "instance.h"

// The two rare parts.
uint64_t slice_random(struct cpu *cpu);
void     slice_timer_set(struct cpu *cpu, uint64_t when);

// A slice in ticks; with a seed (`jitter`) a random one of the same mean, to try many interleavings.
static inline uint64_t slice_length(struct cpu *cpu)
{
    return __builtin_expect(cpu->instance->jitter != 0, 0) ? slice_random(cpu) : cpu->instance->slice;
}

// The timer interrupts at `when` (0: never) at the latest.  Early costs less than arming it again at every switch.
static inline void timer_by(struct cpu *cpu, uint64_t when)
{
    if (when != 0 && (cpu->timer == 0 || when < cpu->timer)) {
        slice_timer_set(cpu, when);
    }
}

// t runs here, and somebody waits for the end of its slice.
static inline __attribute__((always_inline)) void slice_begin(struct cpu *cpu, const struct thread *t, uint64_t now)
{
    cpu->slice_end = now + (t->slice != 0 ? t->slice : slice_length(cpu));
    timer_by(cpu, cpu->slice_end);
}
