// mapping.c - mappings.
#include "mapping_quick.h"

enum {
    MAP_OWN = MAP_LOCKED | MAP_SIGNAL | MAP_COPY, // flags that are not in a page-table entry
    KEPT = MAP_DEVICE | MAP_LARGE | MAP_MESSAGE | MAP_REMOTE, // when rights are lowered
};

// k has n records more of the pool, or less.
static void count_records(struct appkernel *k, bool locked, uint32_t n)
{
    k->held[OBJECT_MAPPING + locked] += n;
}

// Remove one mapping.  Its translation is in the batch afterwards; the caller flushes it before it unlocks or
// makes a table.  Nobody can send to it any more.
static void drop_one(struct cpu *cpu, struct space *s, va_t va, struct leaf *leaf, uint32_t reason,
                     struct tlb_batch *b)
{
    struct instance *in = cpu->instance;
    pte_t old = exchange_acq_rel(leaf->pte, 0);
    struct record r;

    bool found = pmap_take(in, arch_pte_pa(old) >> ABI_PAGE_SHIFT, s->o.slot, va >> ABI_PAGE_SHIFT, &r);
    assert(found);
    struct appkernel *k = kernel_at(in, (uint32_t)r.loader);
    uint32_t bits = entry_bits(old);
    bool locked = r.locked;
    frame_state_note(k, r.pfn, r.large, bits);
    count_records(k, locked, 0u - (1u + r.signal + r.copy));
    s->copies -= r.copy;
    in->message_version += (arch_pte_access(old) & MAP_MESSAGE) != 0;
    tlb_batch_add(b, va);
    table_entry_removed(in, leaf, locked);
    in->work += r.large ? LARGE_WORTH * WORK_MAPPING : WORK_MAPPING;
    in->stats->unloads[OBJECT_MAPPING]++;
    if (reason == REASON_EVICTED) {
        in->stats->writebacks[OBJECT_MAPPING]++;
        writeback_post_mapping(k, s->cookie, va, bits);
    }
}

static __attribute__((noinline)) bool message_may_go(struct cpu *cpu, const struct space *s, va_t va, pte_t e)
{
    return senders_flush(cpu, table_record(cpu->instance, s, va, e));
}

// The same, in steps if it has a receiver of signals: those who could send must go first.  True: it has gone.
static inline __attribute__((always_inline)) bool mapping_drop(struct cpu *cpu, struct space *s, va_t va,
                                                               struct leaf *leaf, uint32_t reason, struct tlb_batch *b)
{
    if ((arch_pte_access(*leaf->pte) & MAP_MESSAGE) && !message_may_go(cpu, s, va, *leaf->pte)) {
        return false;
    }
    drop_one(cpu, s, va, leaf, reason, b);
    return true;
}

void mapping_evict_alone(struct cpu *cpu, struct space *s, va_t va, struct leaf *leaf)
{
    struct tlb_batch b;

    tlb_batch_init(&b, s);
    drop_one(cpu, s, va, leaf, REASON_EVICTED, &b);
    tlb_flush_locked(cpu, &b);
}

bool mapping_unload(struct cpu *cpu, struct space *s, va_t va, struct leaf *leaf, uint32_t reason)
{
    struct tlb_batch b;

    tlb_batch_init(&b, s);
    bool gone = mapping_drop(cpu, s, va, leaf, reason, &b);
    tlb_flush_locked(cpu, &b);
    cpu->instance->work += WORK_FLUSH;
    return gone;
}

bool mapping_evict_record(struct cpu *cpu, const struct record *r)
{
    struct leaf leaf;
    va_t va;
    struct space *s = table_of_record(cpu->instance, r, &va, &leaf);

    return mapping_unload(cpu, s, va, &leaf, REASON_EVICTED);
}

// Replace an entry that is there by one for the same frame; gives what it was, with what processors have noted.
static pte_t entry_replace(struct leaf *leaf, uint32_t access)
{
    pte_t old = load_relaxed(leaf->pte), fresh = arch_pte_leaf(arch_pte_pa(old), access);

    return exchange_acq_rel(leaf->pte, arch_pte_locked(old) ? arch_pte_set_locked(fresh) : fresh);
}

void mapping_change(struct cpu *cpu, struct space *s, va_t va, struct leaf *leaf, uint64_t flags)
{
    pte_t old = entry_replace(leaf, (uint32_t)flags & ~(uint32_t)MAP_OWN);
    struct record *r = table_record(cpu->instance, s, va, old);
    r->sends = senders_are(flags);
    frame_state_note(kernel_at(cpu->instance, (uint32_t)r->loader), r->pfn, r->large, entry_bits(old));
    tlb_flush_page(cpu, s, va);
}

// Clear the way for a mapping at va: what is there already goes, or is changed in place (*done).
static err_t mapping_displace(struct cpu *cpu, struct appkernel *k, struct space *s, va_t va, pa_t pa,
                              uint64_t flags, struct thread *receiver, bool *done)
{
    struct instance *in = cpu->instance;
    uint32_t level = flags & MAP_LARGE ? 1 : 0;
    struct leaf leaf;

    *done = false;
    if (!table_find(in, s, va, level, &leaf) || !arch_pte_present(*leaf.pte)) {
        return ERR_OK;
    }
    if (level == 1 && !arch_pte_large(*leaf.pte)) { // small mappings where a large one shall be
        uint64_t count = 0;
        va_t from = va;
        return mapping_range_step(cpu, s, &from, va + ABI_LARGE, 0, REASON_UNLOADED, &count);
    }
    va_t at = leaf.level == 1 ? va & ~(va_t)(ABI_LARGE - 1) : va;
    struct record *r = table_record(in, s, at, *leaf.pte);
    if (leaf.level == level && arch_pte_pa(*leaf.pte) == pa && r->loader == k->o.slot &&
        r->locked == ((flags & MAP_LOCKED) != 0) && r->signal == (receiver != NULL) && !r->copy &&
        !(flags & MAP_COPY) && ((arch_pte_access(*leaf.pte) ^ flags) & MAP_MESSAGE) == 0) {
        if (arch_pte_access(*leaf.pte) != (flags & ~(uint64_t)MAP_OWN)) {
            mapping_change(cpu, s, va, &leaf, flags);
        }
        if (receiver != NULL) { // redirected: senders stay
            pmap_signal_set(in, r, receiver);
            r->leaving = 0;
            in->message_version++;
        }
        *done = true;
        return ERR_OK;
    }
    return mapping_unload(cpu, s, at, &leaf, REASON_UNLOADED) ? ERR_OK : (err_t)ERR_RESTART;
}

// Enter a mapping where nothing is.
static void mapping_enter(struct instance *in, struct appkernel *k, struct space *s, va_t va, pa_t pa, uint64_t flags,
                          const struct map_more *more, struct leaf *leaf)
{
    bool locked = flags & MAP_LOCKED;
    struct thread *receiver = more->receiver;
    uint64_t copy_to = pa >> ABI_PAGE_SHIFT;
    uint32_t access = (uint32_t)flags & ~(uint32_t)MAP_OWN;

    if (flags & MAP_COPY) {
        pa = more->source;
        access &= ~(uint32_t)MAP_WRITE;
    }
    pte_t fresh = arch_pte_leaf(pa, access);
    store_relaxed(leaf->pte, locked ? arch_pte_set_locked(fresh) : fresh);
    table_entry_added(leaf, locked);
    struct record *r =
        pmap_insert(in, pa >> ABI_PAGE_SHIFT, va >> ABI_PAGE_SHIFT, s->o.slot, k->o.slot, locked, leaf->level);
    if (flags & MAP_MESSAGE) {
        r->sends = senders_are(flags);
    }
    if (receiver != NULL) {
        pmap_signal_set(in, r, receiver);
    }
    if (flags & MAP_COPY) { // until the first write it maps the source, to be read
        pmap_copy_set(in, r, copy_to);
        s->copies++;
    }
    count_records(k, locked, records_for(flags));
    in->message_version += (flags & MAP_MESSAGE) != 0;
    in->stats->loads[OBJECT_MAPPING]++;
}

err_t mapping_load(struct cpu *cpu, struct appkernel *k, struct space *s, va_t va, pa_t pa, uint64_t flags,
                   const struct map_more *more)
{
    static const struct map_more nothing;
    struct instance *in = cpu->instance;
    uint32_t level = flags & MAP_LARGE ? 1 : 0;
    bool locked = flags & MAP_LOCKED, done;
    struct leaf leaf;

    more = more == NULL ? &nothing : more;
    err_t e = mapping_check(in, k, s, va, pa, flags, more->source);
    if (e != ERR_OK) {
        return e;
    }
    s->remote |= (flags & MAP_REMOTE) != 0;
    in->work += WORK_LOAD;
    struct record *crowd = pmap_crowded(in, (flags & MAP_COPY ? more->source : pa) >> ABI_PAGE_SHIFT);
    if ((crowd != NULL && !mapping_evict_record(cpu, crowd)) ||
        (senders_are(flags) && !senders_admit(cpu, pa >> ABI_PAGE_SHIFT))) {
        return (err_t)ERR_RESTART;
    }
    e = mapping_displace(cpu, k, s, va, pa, flags, more->receiver, &done);
    if (e != ERR_OK || done) {
        return e;
    }
    e = mapping_room_records(cpu, k, locked, records_for(flags));
    if (e != ERR_OK) {
        return e;
    }
    while (in->stats->free_tables < table_missing(in, s, va, level)) {
        e = table_room(cpu, k);
        if (e != ERR_OK) {
            return e;
        }
    }
    table_make(in, s, va, level, &leaf);
    mapping_enter(in, k, s, va, pa, flags, more, &leaf);
    return ERR_OK;
}

bool mapping_copy(struct cpu *cpu, struct space *s, va_t va)
{
    struct instance *in = cpu->instance;
    va_t page = va & ~(va_t)(ABI_PAGE - 1);
    struct leaf leaf;

    if (s->copies == 0 || va >= ABI_USER_END || !table_find(in, s, page, 0, &leaf) || leaf.level != 0 ||
        !arch_pte_present(*leaf.pte)) {
        return false;
    }
    pte_t old = load_relaxed(leaf.pte);
    pa_t source = arch_pte_pa(old);
    struct record *r = table_record(in, s, page, old);
    if (!r->copy) {
        return false;
    }
    struct appkernel *k = kernel_at(in, (uint32_t)r->loader);
    pa_t copy = (pa_t)pmap_copy_of(in, r) << ABI_PAGE_SHIFT;
    if (!rights_to_map(in, k, copy, ABI_PAGE, GROUP_WRITE)) {
        return false;                               // narrowed since the load: the owner hears of the write
    }
    struct record *crowd = pmap_crowded(in, copy >> ABI_PAGE_SHIFT);
    if (crowd != NULL && crowd != r && !mapping_evict_record(cpu, crowd)) {     // r itself stays in its bucket
        return true;                                // not made yet: the next fault goes on
    }
    memcpy(arch_phys(copy), arch_phys(source), ABI_PAGE);
    pte_t fresh = arch_pte_leaf(copy, MAP_READ | MAP_WRITE);
    store_relaxed(leaf.pte, arch_pte_locked(old) ? arch_pte_set_locked(fresh) : fresh);
    frame_state_note(k, source >> ABI_PAGE_SHIFT, false, entry_bits(old));
    pmap_copy_done(in, r);
    count_records(k, r->locked, 0u - 1u);
    s->copies--;
    in->stats->copies++;
    tlb_flush_page(cpu, s, page);
    return true;
}

void mapping_copy_cancel(struct instance *in, struct space *s, struct record *r)
{
    if (r->copy) {
        pmap_copy_cancel(in, r);
        count_records(kernel_at(in, (uint32_t)r->loader), r->locked, 0u - 1u);
        s->copies--;
    }
}

bool mapping_unload_signals(struct cpu *cpu, struct thread *t)
{
    struct record *r = pmap_signal_first(cpu->instance, t);

    while (r != NULL && work_left(cpu->instance)) { // each takes its senders along
        (void)mapping_evict_record(cpu, r);
        r = pmap_signal_first(cpu->instance, t);
    }
    return r == NULL;
}

// Lower an entry's rights; true if it had been modified.
static bool mapping_lower(struct cpu *cpu, struct space *s, va_t va, struct leaf *leaf, uint32_t access,
                          struct tlb_batch *b)
{
    struct instance *in = cpu->instance;
    uint32_t keep = arch_pte_access(*leaf->pte) & (access | KEPT | MAP_READ);
    pte_t old = entry_replace(leaf, keep | (arch_pte_lost(*leaf->pte) ? MAP_LOST : 0u));
    struct record *r = table_record(in, s, va, old);
    struct appkernel *k = kernel_at(in, (uint32_t)r->loader);
    if (!(access & MAP_WRITE)) {
        mapping_copy_cancel(in, s, r);
    }
    r->sends = r->sends && senders_are(keep);
    frame_state_note(k, r->pfn, r->large, entry_bits(old));
    tlb_batch_add(b, va);
    cpu->instance->work += r->large ? LARGE_WORTH * WORK_LOWER : WORK_LOWER;
    return arch_pte_modified(old);
}

err_t mapping_range_step(struct cpu *cpu, struct space *s, va_t *va, va_t end, uint32_t access, uint32_t reason,
                         uint64_t *count)
{
    struct instance *in = cpu->instance;
    struct tlb_batch b;
    struct leaf leaf;

    tlb_batch_init(&b, s);
    while (table_next(in, s, va, end, &leaf)) {
        if (access != 0) {
            *count += mapping_lower(cpu, s, *va, &leaf, access, &b);
        } else if (reason != REASON_EVICTED && leaf.level == 0 && drop_quick(in, s, *va, leaf.table, leaf.pte)) {
            tlb_batch_add(&b, *va);
            in->work += WORK_MAPPING;
            (*count)++;
        } else {
            if (!mapping_drop(cpu, s, *va, &leaf, reason, &b)) {
                break;
            }
            (*count)++;
        }
        *va += leaf.level == 1 ? ABI_LARGE : ABI_PAGE;
    }
    tlb_flush_locked(cpu, &b);
    return *va < end ? (err_t)ERR_RESTART : ERR_OK;
}

bool mapping_unload_all(struct cpu *cpu, struct space *s)
{
    uint64_t count = 0;

    if (list_empty(&s->tables)) {
        return true;
    }
    // A table is newer than the one above it, so the first one of the list has mappings, not tables; or, if it has
    // tables too, they are next.
    struct table *t = list_entry(s->tables.next, struct table, link);
    va_t at = s->unload_at, va = t->level == 0 && (at & ~(va_t)(ABI_LARGE - 1)) == t->base ? at : t->base;
    mapping_range_step(cpu, s, &va, t->base + ((va_t)ABI_PAGE << 9 * (t->level + 1)), 0, s->o.reason, &count);
    s->unload_at = va;
    return list_empty(&s->tables);
}

// Did k load this record, and have its rights changed so that it could not now?
static bool is_uncovered(struct instance *in, const struct appkernel *k, const struct record *r)
{
    struct leaf leaf;
    va_t va;

    if (r->loader != k->o.slot) {
        return false;
    }
    in->work += WORK_LOWER;
    (void)table_of_record(in, r, &va, &leaf);
    bool write = arch_pte_access(*leaf.pte) & MAP_WRITE;
    uint64_t size = r->large ? ABI_LARGE : ABI_PAGE;
    return !rights_cover(in, k, (pa_t)r->pfn << ABI_PAGE_SHIFT, size, write ? GROUP_WRITE : GROUP_READ);
}

bool mapping_revoke(struct cpu *cpu, struct appkernel *k, uint64_t pfn)
{
    struct instance *in = cpu->instance;
    struct record *r = pmap_frame_first(in, pfn);

    for (struct record *next; r != NULL; r = next) {
        next = pmap_frame_next(in, r);
        in->work++;
        if (!is_uncovered(in, k, r)) {
            continue;
        }
        bool alone = !r->signal;
        // Not before one has gone: the next step looks at the others again.
        if (!mapping_evict_record(cpu, r) || !work_left(in)) {
            return false;
        }
        next = alone ? next : pmap_frame_first(in, pfn);        // senders have gone too
    }
    return true;
}
