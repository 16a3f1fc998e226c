// table.h - page tables: a pool of table pages sized at boot, handed to spaces and taken back when empty.
//
// A table exists while it has an entry; the root of a space belongs to its slot.  Locking: the instance lock.
#pragma once
#include "instance.h"
#include "pmap.h"

struct table {
    struct list   link;       // on its space's list, or free
    pte_t        *entries;    // I
    struct space *space;
    struct table *parent;     // NULL: the root
    va_t          base;       // first address it maps
    uint16_t      used;       // entries present
    uint16_t      locked;     // entries whose mapping is locked
    uint16_t      large;      // entries that are large mappings
    uint8_t       level;      // 0 maps pages, 1 large pages or tables, 2 tables
};

struct leaf {                 // an entry that maps memory, or could
    pte_t        *pte;
    struct table *table;
    uint32_t      level;      // 0 or 1
};

// The leaf table that maps va, if it is the one that was used last; else NULL.
static inline struct table *table_last(const struct space *s, va_t va)
{
    return s->last != NULL && s->last->base == (va & ~(va_t)(ABI_LARGE - 1)) ? s->last : NULL;
}
static inline pte_t *table_leaf(const struct table *t, va_t va)
{
    return &t->entries[va >> ABI_PAGE_SHIFT & (PT_ENTRIES - 1)];
}

// The memory is cleared already.
void table_init(struct instance *in, struct table *tables);
// The deepest entry on the way to va, down to `level`; false if a table on the way is missing.
// With level 0 it stops at a large mapping.
bool table_find(struct instance *in, struct space *s, va_t va, uint32_t level, struct leaf *leaf);
// How many tables must be made before an entry of this level exists.
uint32_t table_missing(struct instance *in, struct space *s, va_t va, uint32_t level);
// Make them.  The caller has seen that enough are free, and that no large mapping is in the way.
void table_make(struct instance *in, struct space *s, va_t va, uint32_t level, struct leaf *leaf);
// One bounded step of making a table free for k.  ERR_OK: one table more is free; ERR_RESTART: not yet; ERR_AGAIN: none
// that was looked at may go.
err_t table_room(struct cpu *cpu, const struct appkernel *k);
// Count an entry that was set or cleared; empty tables are taken back, up to the root.
void table_entry_added(struct leaf *leaf, bool locked);
void table_entry_removed(struct instance *in, struct leaf *leaf, bool locked);
// The next entry present at or after *va and before end; *va becomes its address.  When the step
// has no work left it stops with *va where to go on, and gives false.
bool table_next(struct instance *in, struct space *s, va_t *va, va_t end, struct leaf *leaf);

// The mapping of a user's address, if there is one.
static inline bool table_present(struct instance *in, struct space *s, va_t va, struct leaf *leaf)
{
    return va < ABI_USER_END && table_find(in, s, va, 0, leaf) && arch_pte_present(*leaf->pte);
}
// The record of the mapping that an entry is, whose first address is va.
static inline struct record *table_record(struct instance *in, const struct space *s, va_t va, pte_t e)
{
    return pmap_find(in, arch_pte_pa(e) >> ABI_PAGE_SHIFT, s->o.slot, va >> ABI_PAGE_SHIFT);
}
// The entry of a record's mapping, and its address; gives its space.
static inline struct space *table_of_record(struct instance *in, const struct record *r, va_t *va, struct leaf *leaf)
{
    struct space *s = space_at(in, (uint32_t)r->space);

    *va = (va_t)r->vpn << ABI_PAGE_SHIFT;
    bool found = table_find(in, s, *va, r->large ? 1 : 0, leaf);
    assert(found);
    return s;
}
