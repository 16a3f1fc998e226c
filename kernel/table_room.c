// table_room.c - the clock over page tables: mappings of one are unloaded, a step at a time, so that it becomes free.
//
// Victims are leaf tables, and tables above them for the large mappings that they have: each 2-MiB mapping in a GiB
// of its own holds two tables, and mappings that are not replaced for long would else use up all of them.
// Under the instance lock.
#include "supervisor.h"

enum { SCAN_TABLES = 256 };

// A few of a table's large mappings; the tables under it are victims themselves.
static void evict_large(struct cpu *cpu, struct table *t)
{
    struct space *s = t->space;

    for (uint32_t i = 0; t->large > 0 && work_left(cpu->instance); i++) {
        struct leaf leaf = {&t->entries[i], t, 1};
        if (arch_pte_present(*leaf.pte) && arch_pte_large(*leaf.pte)) {
            // With the last one t is free.
            (void)mapping_unload(cpu, s, t->base + (va_t)i * ABI_LARGE, &leaf, REASON_EVICTED);
        }
        cpu->instance->work++;
    }
}

// Locks keep a table.  They always keep a kernel's own memory mapped: tables for that were counted at boot.
static bool stays(const struct table *t)
{
    bool own = t->level == 1 && t->space != NULL && t->space->kernel != NULL;

    return t->space == NULL || (t->level != 0 && t->large == 0) ||
           (t->locked > 0 && (own || space_pinned(t->space)));
}

// The next table that may go; if possible one whose mappings are more than its kernel is sure of, or are k's.
static struct table *choose(struct instance *in, const struct appkernel *k)
{
    struct table *other = NULL;

    for (uint32_t looked = 0; looked < SCAN_TABLES && looked < in->ntables; looked++) {
        struct table *t = &in->tables[in->table_hand];
        if (!stays(t)) {
            if (t->space->manager == k || quota_spares(t->space->manager, OBJECT_MAPPING)) {
                return t;                           // the hand stays until it is empty
            }
            other = other == NULL ? t : other;
        }
        in->table_hand = (in->table_hand + 1) % in->ntables;
    }
    return other;
}

err_t table_room(struct cpu *cpu, const struct appkernel *k)
{
    struct instance *in = cpu->instance;
    uint32_t before = in->stats->free_tables;
    struct table *t = choose(in, k);

    if (t == NULL) {
        in->stats->again++;
        return ERR_AGAIN;
    }
    if (t->level == 1) {
        evict_large(cpu, t);
    } else {
        va_t va = t->base;
        uint64_t count = 0;
        (void)mapping_range_step(cpu, t->space, &va, t->base + ABI_LARGE, 0, REASON_EVICTED, &count);
    }
    return in->stats->free_tables > before ? ERR_OK : (err_t)ERR_RESTART;
}
