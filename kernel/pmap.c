// pmap.c - the physical-to-virtual map.
#include "pmap_quick.h"

static struct record *record_at(struct instance *in, uint32_t link)
{
    return link == 0 ? NULL : &in->records[link - 1];
}

// First record of the bucket of a frame, and the next in a chain; NULL at the end.  Other frames appear too.
static struct record *bucket_first(struct instance *in, uint64_t pfn)
{
    return record_at(in, *bucket_of(in, pfn));
}

static struct record *bucket_next(struct instance *in, const struct record *r)
{
    return record_at(in, (uint32_t)r->link);
}

void pmap_init(struct instance *in, struct record *records, uint32_t *buckets, uint32_t nbuckets)
{
    in->records = records;
    in->buckets = buckets;
    in->bucket_mask = nbuckets - 1;
    // Chains in rising order, each pool ends with 0.
    for (uint32_t i = 0; i < in->nrecords + in->nlocked; i++) {
        records[i] = (struct record){.link = i + 2};
    }
    records[in->nrecords - 1].link = 0;
    records[in->nrecords + in->nlocked - 1].link = 0;
    in->free_record = 1;
    in->free_locked = in->nrecords + 1;
    in->stats->free_mappings = in->nrecords;
    in->stats->free_locked_mappings = in->nlocked;
}

bool pmap_has_free(const struct instance *in, bool locked, uint32_t count)
{
    return (locked ? in->stats->free_locked_mappings : in->stats->free_mappings) >= count;
}

// Take a free record of a pool.
static struct record *record_take(struct instance *in, bool locked)
{
    uint32_t *head = locked ? &in->free_locked : &in->free_record;
    struct record *r = record_at(in, *head);

    assert(r != NULL && r->type == RECORD_FREE);
    *head = r->link;
    *(locked ? &in->stats->free_locked_mappings : &in->stats->free_mappings) -= 1;
    return r;
}

// Give one back that is in no chain any more.
static void record_put(struct instance *in, struct record *r, bool locked)
{
    uint32_t *head = locked ? &in->free_locked : &in->free_record;

    *r = (struct record){.link = *head};
    *head = (uint32_t)(r - in->records) + 1;
    *(locked ? &in->stats->free_locked_mappings : &in->stats->free_mappings) += 1;
}

static uint32_t index_of(const struct instance *in, const struct record *r)
{
    return (uint32_t)(r - in->records) + 1;
}

struct record *pmap_insert(struct instance *in, uint64_t pfn, uint64_t vpn, uint32_t space, uint32_t loader,
                           bool locked, bool large)
{
    uint32_t *bucket = bucket_of(in, pfn);
    struct record *r = record_take(in, locked);

    *r = (struct record){.pfn = pfn, .link = *bucket, .vpn = vpn, .space = space, .loader = loader,
                         .type = RECORD_MAPPING, .locked = locked, .large = large};
    *bucket = index_of(in, r);
    return r;
}

static struct record *oldest_spare(struct instance *in, uint64_t pfn)
{
    struct record *oldest = NULL;

    for (struct record *r = bucket_first(in, pfn); r != NULL; r = bucket_next(in, r)) {
        if (!r->locked && r->type == RECORD_MAPPING &&
            quota_spares(kernel_at(in, (uint32_t)r->loader), OBJECT_MAPPING)) {
            oldest = r;
        }
    }
    return oldest;
}

struct record *pmap_crowded(struct instance *in, uint64_t pfn)
{
    struct record *oldest = NULL;
    uint32_t count = 0, all = 0;

    for (struct record *r = bucket_first(in, pfn); r != NULL; r = bucket_next(in, r), all++) {
        if (!r->locked && r->type == RECORD_MAPPING) {
            oldest = r;
            count++;
        }
    }
    in->work += all < 4 * PMAP_WAYS ? all : 4 * PMAP_WAYS;       // locked ones too, but less than a step
    if (count < PMAP_WAYS) {
        return NULL;
    }
    struct record *spare = oldest_spare(in, pfn);
    return spare == NULL ? oldest : spare;
}

bool pmap_is_full(struct instance *in, uint64_t pfn)
{
    uint32_t count = 0;

    for (struct record *r = pmap_frame_first(in, pfn); r != NULL && count < PMAP_WAYS; r = pmap_frame_next(in, r)) {
        count++;
    }
    return count == PMAP_WAYS;
}

struct record *pmap_find(struct instance *in, uint64_t pfn, uint32_t space, uint64_t vpn)
{
    struct record *r = bucket_first(in, pfn);
    uint64_t second = vpn | record_tag(space, 0);
    uint32_t count = 0;

    while (r != NULL && !record_is(r, pfn, second)) {
        r = bucket_next(in, r);
        count++;
    }
    // Locked ones come on top of the ways, and are few; they must not use up the step before its work is done.
    in->work += count < PMAP_WAYS ? count : PMAP_WAYS;
    return r;
}

// Take a record out of its chain.
static void unchain(struct instance *in, uint32_t *bucket, struct record *r)
{
    uint32_t index = index_of(in, r);

    if (*bucket == index) {
        *bucket = r->link;
        return;
    }
    struct record *before = record_at(in, *bucket);
    while (before->link != index) {
        before = record_at(in, (uint32_t)before->link);
    }
    before->link = r->link;
}

// ---- second records: receivers of signals, deferred copies --------------------------------------------------

// The second record of a mapping, whose key is the mapping's; NULL if it has none of this type.
static struct record *second_find(struct instance *in, const struct record *mapping, enum record_type type)
{
    uint32_t key = index_of(in, mapping);
    struct record *r = record_at(in, *bucket_of(in, key));

    while (r != NULL && (r->type != type || ((struct copy_record *)r)->key != key)) {
        r = bucket_next(in, r);
    }
    return r;
}

static struct record *second_make(struct instance *in, const struct record *mapping, enum record_type type)
{
    uint32_t key = index_of(in, mapping), *bucket = bucket_of(in, key);
    struct record *r = record_take(in, mapping->locked);

    *r = (struct record){.link = *bucket, .type = (uint64_t)type & 3, .locked = mapping->locked};
    ((struct copy_record *)r)->key = key & 0xffffff;
    *bucket = index_of(in, r);
    return r;
}

static void second_drop(struct instance *in, const struct record *mapping, struct record *r)
{
    unchain(in, bucket_of(in, index_of(in, mapping)), r);
    record_put(in, r, mapping->locked);
}

static struct signal_record *signal_at(struct instance *in, uint32_t index)
{
    return (struct signal_record *)record_at(in, index);
}

static struct signal_record *signal_find(struct instance *in, const struct record *mapping)
{
    return (struct signal_record *)second_find(in, mapping, RECORD_SIGNAL);
}

static void signal_join(struct instance *in, struct signal_record *g, struct thread *t)
{
    uint32_t index = index_of(in, (struct record *)g);

    g->thread = t->o.slot;
    g->prev = 0;
    g->next = t->signals;
    if (t->signals != 0) {
        signal_at(in, t->signals)->prev = index;
    }
    t->signals = index;
}

static void signal_leave(struct instance *in, struct signal_record *g)
{
    if (g->prev != 0) {
        signal_at(in, (uint32_t)g->prev)->next = g->next;
    } else {
        thread_at(in, (uint32_t)g->thread)->signals = (uint32_t)g->next;
    }
    if (g->next != 0) {
        signal_at(in, (uint32_t)g->next)->prev = g->prev;
    }
}

void pmap_signal_set(struct instance *in, struct record *mapping, struct thread *t)
{
    struct signal_record *g;

    if (mapping->signal) {
        g = signal_find(in, mapping);
        signal_leave(in, g);
    } else {
        g = (struct signal_record *)second_make(in, mapping, RECORD_SIGNAL);
        mapping->signal = 1;
    }
    signal_join(in, g, t);
}

struct thread *pmap_signal_of(struct instance *in, const struct record *mapping)
{
    return thread_at(in, (uint32_t)signal_find(in, mapping)->thread);
}

struct record *pmap_signal_first(struct instance *in, const struct thread *t)
{
    return t->signals == 0 ? NULL : record_at(in, (uint32_t)signal_at(in, t->signals)->key);
}

static void signal_drop(struct instance *in, const struct record *mapping)
{
    struct signal_record *g = signal_find(in, mapping);

    signal_leave(in, g);
    second_drop(in, mapping, (struct record *)g);
}

void pmap_copy_set(struct instance *in, struct record *mapping, uint64_t pfn)
{
    ((struct copy_record *)second_make(in, mapping, RECORD_COPY))->pfn = pfn;
    mapping->copy = 1;
}

uint64_t pmap_copy_of(struct instance *in, const struct record *mapping)
{
    return ((struct copy_record *)second_find(in, mapping, RECORD_COPY))->pfn;
}

void pmap_copy_cancel(struct instance *in, struct record *mapping)
{
    second_drop(in, mapping, second_find(in, mapping, RECORD_COPY));
    mapping->copy = 0;
}

void pmap_copy_done(struct instance *in, struct record *mapping)
{
    uint64_t pfn = pmap_copy_of(in, mapping);
    uint32_t *bucket = bucket_of(in, pfn);

    pmap_copy_cancel(in, mapping);
    unchain(in, bucket_of(in, mapping->pfn), mapping);
    mapping->pfn = pfn;
    mapping->link = *bucket;
    *bucket = index_of(in, mapping);
}

bool pmap_take(struct instance *in, uint64_t pfn, uint32_t space, uint64_t vpn, struct record *out)
{
    uint32_t *bucket = bucket_of(in, pfn);
    struct record *before = NULL, *r = record_at(in, *bucket);
    uint64_t second = vpn | record_tag(space, 0);
    uint32_t count = 0;

    while (r != NULL && !record_is(r, pfn, second)) {
        before = r;
        r = record_at(in, (uint32_t)r->link);
        count++;
    }
    in->work += 2 * count;                        // it costs more than to find one
    if (r == NULL) {
        return false;
    }
    *out = *r;
    if (r->signal || r->copy) {                   // the other record may be in this chain too
        if (r->signal) {
            signal_drop(in, r);
        } else {
            pmap_copy_cancel(in, r);
        }
        unchain(in, bucket, r);
    } else if (before == NULL) {
        *bucket = (uint32_t)r->link;
    } else {
        before->link = r->link;
    }
    record_put(in, r, out->locked);
    return true;
}

static struct record *of_frame(struct instance *in, struct record *r, uint64_t pfn)
{
    while (r != NULL && (r->pfn != pfn || r->type != RECORD_MAPPING)) {
        r = bucket_next(in, r);
    }
    return r;
}

struct record *pmap_frame_first(struct instance *in, uint64_t pfn)
{
    return of_frame(in, bucket_first(in, pfn), pfn);
}

struct record *pmap_frame_next(struct instance *in, const struct record *r)
{
    return of_frame(in, bucket_next(in, r), r->pfn);
}
