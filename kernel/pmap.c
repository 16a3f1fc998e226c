// pmap.c - the physical-to-virtual map.
#include "pmap.h"

#include "assert.h"
#include "instance.h"

static uint32_t *bucket_of(struct instance *in, uint64_t pfn)
{
    return &in->buckets[(pfn ^ pfn >> 13) & in->bucket_mask];
}

static struct record *record_at(struct instance *in, uint32_t link)
{
    return link == 0 ? NULL : &in->records[link - 1];
}

void pmap_init(struct instance *in, struct record *records, uint32_t *buckets, uint32_t nbuckets)
{
    in->records = records;
    in->buckets = buckets;
    in->bucket_mask = nbuckets - 1;
    for (uint32_t i = 0; i < nbuckets; i++) {
        buckets[i] = 0;
    }
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

bool pmap_has_free(const struct instance *in, bool locked)
{
    return (locked ? in->free_locked : in->free_record) != 0;
}

void pmap_insert(struct instance *in, uint64_t pfn, uint64_t vpn, uint32_t space, uint32_t loader, bool locked,
                 bool large)
{
    uint32_t *head = locked ? &in->free_locked : &in->free_record;
    uint32_t *bucket = bucket_of(in, pfn);
    uint32_t link = *head;
    struct record *r = record_at(in, link);

    assert(r != NULL && r->type == RECORD_FREE);
    *head = r->link;
    *r = (struct record){.pfn = pfn, .link = *bucket, .vpn = vpn, .space = space, .loader = loader,
                         .type = RECORD_MAPPING, .locked = locked, .large = large};
    *bucket = link;
    if (locked) {
        in->stats->free_locked_mappings--;
    } else {
        in->stats->free_mappings--;
    }
}

bool pmap_insert_quick(struct instance *in, uint64_t pfn, uint64_t vpn, uint32_t space, uint32_t loader)
{
    uint32_t *bucket = bucket_of(in, pfn), first = *bucket, link = in->free_record;

    if (link == 0 || (first != 0 && in->records[first - 1].link != 0)) {
        return false;
    }
    struct record *r = &in->records[link - 1];
    in->free_record = r->link;
    *r = (struct record){.pfn = pfn, .link = first, .vpn = vpn, .space = space, .loader = loader,
                         .type = RECORD_MAPPING};
    *bucket = link;
    in->stats->free_mappings--;
    return true;
}

struct record *pmap_crowded(struct instance *in, uint64_t pfn)
{
    struct record *oldest = NULL;
    uint32_t count = 0;

    for (struct record *r = pmap_first(in, pfn); r != NULL; r = pmap_next(in, r)) {
        if (!r->locked) {
            oldest = r;
            count++;
        }
    }
    return count < PMAP_WAYS ? NULL : oldest;
}

struct record *pmap_find(struct instance *in, uint64_t pfn, uint32_t space, uint64_t vpn)
{
    for (struct record *r = pmap_first(in, pfn); r != NULL; r = pmap_next(in, r)) {
        if (r->pfn == pfn && r->vpn == vpn && r->space == space) {
            return r;
        }
    }
    return NULL;
}

bool pmap_take(struct instance *in, uint64_t pfn, uint32_t space, uint64_t vpn, struct record *out)
{
    uint32_t *bucket = bucket_of(in, pfn), link = *bucket;
    struct record *before = NULL, *r;

    for (r = record_at(in, link); r != NULL; before = r, link = r->link, r = record_at(in, link)) {
        if (r->pfn == pfn && r->vpn == vpn && r->space == space) {
            break;
        }
    }
    if (r == NULL) {
        return false;
    }
    if (before == NULL) {
        *bucket = r->link;
    } else {
        before->link = r->link;
    }
    *out = *r;
    uint32_t *head = r->locked ? &in->free_locked : &in->free_record;
    *(r->locked ? &in->stats->free_locked_mappings : &in->stats->free_mappings) += 1;
    *r = (struct record){.link = *head};
    *head = link;
    return true;
}

struct record *pmap_first(struct instance *in, uint64_t pfn)
{
    return record_at(in, *bucket_of(in, pfn));
}

struct record *pmap_next(struct instance *in, const struct record *r)
{
    return record_at(in, r->link);
}
