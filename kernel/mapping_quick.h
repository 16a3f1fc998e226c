// mapping_quick.h - the usual load and the usual unload of one page, inline: each in full, or nothing.
//
// Usual is: small, not locked, no message page, no deferred copy, nothing of it remote, in the leaf table that its
// space used last, and loaded by the space's owner.  Whatever is not usual, or is wrong, is for mapping.c; nothing has
// changed then.  Locking: the instance lock.
#pragma once
#include "pmap_quick.h"
#include "supervisor.h"

static inline uint32_t entry_bits(pte_t e)
{
    return (arch_pte_referenced(e) ? FRAME_REFERENCED : 0u) | (arch_pte_modified(e) ? FRAME_MODIFIED : 0u);
}

// Are these flags the access to a page that has nothing unusual?
static inline bool usual_flags(uint64_t flags)
{
    enum { GOOD = 1 << MAP_READ | 1 << MAP_WRITE | 1 << MAP_EXEC | 1 << (MAP_READ | MAP_WRITE) |
                  1 << (MAP_READ | MAP_EXEC) };

    return flags <= (MAP_READ | MAP_WRITE | MAP_EXEC) && (GOOD >> flags & 1);
}

static inline __attribute__((always_inline)) bool load_quick(struct instance *in, struct appkernel *k, struct space *s,
                                                             va_t va, pa_t pa, uint64_t flags)
{
    struct table *t = table_last(s, va);
    uint64_t pfn = pa >> ABI_PAGE_SHIFT, group = pa >> ABI_GROUP_SHIFT;

    if (t == NULL || s->owner != k || !usual_flags(flags) || ((va | pa) & (ABI_PAGE - 1)) != 0 ||
        k->held[OBJECT_MAPPING] >= k->limits.range[OBJECT_MAPPING].most || group >= in->groups ||
        !rights_of_page(k, group, (flags & MAP_WRITE) != 0) || pfn - k->first_frame >= k->frame_count) {
        return false;
    }
    pte_t *pte = table_leaf(t, va);
    if (arch_pte_present(*pte) || !pmap_insert_quick(in, pfn, va >> ABI_PAGE_SHIFT | s->tag)) {
        return false;
    }
    store_relaxed(pte, arch_pte_leaf(pa, (uint32_t)flags));
    t->used++;
    k->held[OBJECT_MAPPING]++;
    in->stats->loads[OBJECT_MAPPING]++;
    return true;
}

// The entry of t at va, which is present, goes with its record.  Its translation is then in TLBs only.
static inline __attribute__((always_inline)) bool drop_quick(struct instance *in, struct space *s, va_t va,
                                                             struct table *t, pte_t *pte)
{
    struct appkernel *k = s->owner;
    pte_t old = load_relaxed(pte);
    uint64_t pfn = arch_pte_pa(old) >> ABI_PAGE_SHIFT;

    if (t->used == 1 || arch_pte_message(old) || !pmap_take_quick(in, pfn, va >> ABI_PAGE_SHIFT | s->tag)) {
        return false;                             // the last one takes its table along
    }
    old = exchange_acq_rel(pte, 0);               // for the frame it was, with what processors have noted since
    if (arch_pte_referenced(old) || arch_pte_modified(old)) {
        frame_state_note(k, pfn, false, entry_bits(old));
    }
    t->used--;
    k->held[OBJECT_MAPPING]--;
    in->stats->unloads[OBJECT_MAPPING]++;
    return true;
}

// Unload the page at va in full.
static inline __attribute__((always_inline)) bool unload_quick(struct cpu *cpu, struct instance *in,
                                                               struct appkernel *k, struct space *s, va_t va)
{
    struct table *t = table_last(s, va);

    if (t == NULL || s->owner != k || (va & (ABI_PAGE - 1)) != 0) {
        return false;
    }
    pte_t *pte = table_leaf(t, va);
    if (!arch_pte_present(*pte) || !drop_quick(in, s, va, t, pte)) {
        return false;
    }
    tlb_flush_page(cpu, s, va);
    return true;
}
