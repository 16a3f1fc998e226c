// slice.c - the rare parts of slice.h.
#include "slice.h"

__attribute__((noinline)) uint64_t slice_random(struct cpu *cpu)
{
    const struct instance *in = cpu->instance;

    cpu->random = cpu->random * 6364136223846793005ull + (in->jitter << 8 | cpu->number << 1 | 1);
    return 1 + (cpu->random >> 33) % (2 * in->slice);
}

__attribute__((noinline)) void slice_timer_set(struct cpu *cpu, uint64_t when)
{
    cpu->timer = when;
    arch_timer_arm(when);
}
