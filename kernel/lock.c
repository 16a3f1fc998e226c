// lock.c - waiting for the instance lock.
#include "supervisor.h"

__attribute__((noinline)) void lock_wait(struct lock *l, struct cpu *cpu)
{
    do {
        while (load_relaxed(&l->held) != 0) {
            tlb_answer(cpu);
            arch_relax();
        }
    } while (exchange_acq_rel(&l->held, 1) != 0);
}
