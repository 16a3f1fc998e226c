// mapping_room.c - records for one more mapping: whose mappings go.  See mapping.h.
#include "supervisor.h"

enum {
    SCAN_RECORDS = 256, // records the clock looks at in one step
    LARGE_CHANCE = 31,  // a large mapping that gets a second chance counts for so many records more
};

// One step of the clock over replaceable records: a referenced mapping gets a second chance.  only: see quota.h.
static err_t record_make_room(struct cpu *cpu, const struct appkernel *only)
{
    struct instance *in = cpu->instance;
    struct record *second = NULL;

    for (uint32_t looked = 0; looked < SCAN_RECORDS && work_left(in); looked++) {
        struct record *r = &in->records[in->hand];
        struct appkernel *k = kernel_at(in, (uint32_t)r->loader);
        in->hand = (in->hand + 1) % in->nrecords;
        in->work++;
        if (r->type != RECORD_MAPPING || !quota_may_take(k, OBJECT_MAPPING, only)) {
            continue; // one that names a receiver goes with its mapping
        }
        struct leaf leaf;
        va_t va;
        struct space *s = table_of_record(in, r, &va, &leaf);
        if (!arch_pte_referenced(load_relaxed(leaf.pte))) {
            return mapping_unload(cpu, s, va, &leaf, REASON_EVICTED) ? ERR_OK : (err_t)ERR_RESTART;
        }
        frame_state_note(k, r->pfn, r->large, FRAME_REFERENCED);
        looked += r->large ? LARGE_CHANCE : 0;
        in->work += r->large ? LARGE_WORTH * WORK_LOWER : WORK_LOWER;
        fetch_and_acq_rel(leaf.pte, arch_pte_clear_referenced(~(pte_t)0));
        second = second == NULL ? r : second;
    }
    return second != NULL && mapping_evict_record(cpu, second) ? ERR_OK : (err_t)ERR_RESTART;
}

err_t mapping_room_records(struct cpu *cpu, const struct appkernel *k, bool locked, uint32_t count)
{
    bool full = !locked && quota_full(k, OBJECT_MAPPING, count);
    err_t e = ERR_OK;

    while (e == ERR_OK && (full || !pmap_has_free(cpu->instance, locked, count))) {
        assert(!locked);                            // quotas are below the pool's size
        e = record_make_room(cpu, full ? k : NULL);
        full = quota_full(k, OBJECT_MAPPING, count);
    }
    return e;
}
