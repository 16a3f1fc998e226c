// tlb.c - TLB shoot-down.
#include "supervisor.h"

static void flush_local(const va_t *page, uint32_t count)
{
    if (count > TLB_PAGES) {
        arch_tlb_flush_all();
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        arch_tlb_flush_page(page[i]);
    }
}

void tlb_answer(struct cpu *cpu)
{
    if (!(load_relaxed(&cpu->request) & CPU_FLUSH)) {
        return;
    }
    fetch_and_acq_rel(&cpu->request, (uint32_t)~CPU_FLUSH);   // pairs with fetch_or in ask()
    flush_local(cpu->flush_page, cpu->flush_count);
    store_release(&cpu->flush_done, 1);                       // pairs with the load in tlb_flush_locked()
}

static void ask(struct cpu *cpu, struct cpu *other, const struct tlb_batch *b)
{
    for (uint32_t i = 0; i < b->count && i < TLB_PAGES; i++) {
        other->flush_page[i] = b->page[i];
    }
    other->flush_count = b->count;
    store_relaxed(&other->flush_done, 0);
    fetch_or_acq_rel(&other->request, CPU_FLUSH);             // pairs with fetch_and in tlb_answer()
    cpu->stats->ipis++;
    arch_ipi(other->number);
}

void tlb_flush_locked(struct cpu *cpu, struct tlb_batch *b)
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
            flush_local(b->page, b->count);
        } else {
            ask(cpu, other, b);
            asked |= 1ull << i;
        }
    }
    in->stats->shootdowns += asked != 0;
    for (uint32_t i = 0; asked != 0; i++, asked >>= 1) {
        while ((asked & 1) && load_acquire(&in->cpu[i].flush_done) == 0) {   // pairs with tlb_answer()
            arch_relax();
        }
    }
    b->count = 0;
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
