// tlb.c - TLB shoot-down.
#include "supervisor.h"

static void flush_local(const struct tlb_batch *b)
{
    if (b->count > TLB_PAGES) {
        arch_tlb_flush_all();
        return;
    }
    for (uint32_t i = 0; i < b->count; i++) {
        arch_tlb_flush_page(b->page[i]);
    }
}

void tlb_answer(struct cpu *cpu)
{
    const struct tlb_batch *b = load_acquire(&cpu->flush);    // pairs with the store in tlb_flush_locked()

    if (b != NULL) {
        flush_local(b);
        store_release(&cpu->flush, NULL);                     // pairs with the last load there
    }
}

void tlb_flush_locked(struct cpu *cpu, const struct tlb_batch *b)
{
    struct instance *in = cpu->instance;
    uint64_t asked = 0;

    assert(cpu->locked);
    if (b->count == 0) {
        return;
    }
    fence_full();      // entries are changed before cpu->root is read; pairs with the switch in arch_space_switch()
    for (uint32_t i = 0; i < in->cpus; i++) {
        struct cpu *other = &in->cpu[i];
        if (load_relaxed(&other->root) != b->space->root) {
            continue;
        }
        if (other == cpu) {
            flush_local(b);
        } else {
            store_release(&other->flush, b);                  // pairs with the load in tlb_answer()
            cpu->stats->ipis++;
            arch_ipi(i);
            asked |= 1ull << i;
        }
    }
    in->stats->shootdowns += asked != 0;
    for (uint32_t i = 0; asked != 0; i++, asked >>= 1) {
        while ((asked & 1) && load_acquire(&in->cpu[i].flush) != NULL) {   // pairs with tlb_answer()
            arch_relax();
        }
    }
}

void tlb_flush_page(struct cpu *cpu, struct space *s, va_t va)
{
    struct tlb_batch b;

    if (cpu->instance->cpus == 1) {
        if (cpu->root == s->root) {
            arch_tlb_flush_page(va);
        }
        return;
    }
    tlb_batch_init(&b, s);
    tlb_batch_add(&b, va);
    tlb_flush_locked(cpu, &b);
}
