// lock.c - the instance lock.
#include "lock.h"

#include "arch.h"
#include "assert.h"
#include "atomic.h"
#include "cpu.h"
#include "instance.h"
#include "tlb.h"

static __attribute__((noinline)) void wait_for(struct lock *l, struct cpu *cpu)
{
    do {
        while (load_relaxed(&l->held) != 0) {
            tlb_answer(cpu);
            arch_relax();
        }
    } while (exchange_acq_rel(&l->held, 1) != 0);
}

void instance_lock(struct cpu *cpu)
{
    struct lock *l = &cpu->instance->lock;

    assert(!cpu->locked);
    if (exchange_acq_rel(&l->held, 1) != 0) {         // pairs with the store in instance_unlock()
        wait_for(l, cpu);
    }
    cpu->locked = true;
}

void instance_unlock(struct cpu *cpu)
{
    struct lock *l = &cpu->instance->lock;

    assert(cpu->locked);
    cpu->locked = false;
    store_release(&l->held, 0);     // pairs with the exchange in instance_lock()
}
