// tlb.h - TLB shoot-down: make every processor forget translations of a space.
//
// One initiator at a time: it holds the instance lock while it waits.  Processors answer from user mode and
// the halt by interrupt, and from the lock's wait loop by polling; everything else in the supervisor is
// bounded and ends in one of these.  A processor that switches to the space meanwhile is safe: it stores
// cpu->root before it loads its page-table register, and entries are changed before cpu->root is read here.
#pragma once
#include "names.h"

enum { TLB_PAGES = 8 };

struct tlb_batch {                  // pages of one space whose entries have changed
    struct space *space;
    uint32_t count;                 // more than TLB_PAGES: all
    va_t page[TLB_PAGES];
};

static inline void tlb_batch_init(struct tlb_batch *b, struct space *s)
{
    b->space = s;
    b->count = 0;
}
static inline void tlb_batch_add(struct tlb_batch *b, va_t va)
{
    if (b->count < TLB_PAGES) {
        b->page[b->count] = va;
    }
    b->count++;
}
// Returns when no processor holds an old translation of the batch.  _locked: the instance lock is held.
void tlb_flush_locked(struct cpu *cpu, const struct tlb_batch *b);
// The same for one page, whose entry has changed; short if no other processor exists.
void tlb_flush_page(struct cpu *cpu, struct space *s, va_t va);
// Answer a shoot-down request, if there is one.
void tlb_answer(struct cpu *cpu);
