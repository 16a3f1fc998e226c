// lock.c - the instance lock.
#include "lock.h"

#include "arch.h"
#include "assert.h"
#include "atomic.h"
#include "cpu.h"
#include "instance.h"
#include "tlb.h"

void instance_lock(struct cpu *cpu)
{
    struct lock *l = &cpu->instance->lock;

    assert(!cpu->locked);
    uint32_t ticket = fetch_add_relaxed(&l->next, 1);
    while (load_acquire(&l->serving) != ticket) {   // pairs with the store in instance_unlock()
        tlb_answer(cpu);
        arch_relax();
    }
    cpu->locked = true;
}

void instance_unlock(struct cpu *cpu)
{
    struct lock *l = &cpu->instance->lock;

    assert(cpu->locked);
    cpu->locked = false;
    store_release(&l->serving, l->serving + 1);     // pairs with the load in instance_lock()
}
