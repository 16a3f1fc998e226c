// pmap_quick.h - entering a mapping in the physical-to-virtual map, inline: the usual case of pmap_insert().
//
// Locking: the instance lock.
#pragma once
#include "instance.h"
#include "pmap.h"

static inline uint32_t *bucket_of(struct instance *in, uint64_t pfn)
{
    return &in->buckets[(pfn ^ pfn >> 13) & in->bucket_mask];
}

// A replaceable mapping of a page, if a record is free and the bucket is nearly empty; else false.
static inline __attribute__((always_inline)) bool pmap_insert_quick(struct instance *in, uint64_t pfn, uint64_t vpn,
                                                                    uint32_t space, uint32_t loader)
{
    uint32_t *bucket = bucket_of(in, pfn), first = *bucket, link = in->free_record;

    if (link == 0 || (first != 0 && in->records[first - 1].link != 0)) {
        return false;
    }
    struct record *r = &in->records[link - 1];
    in->free_record = r->link;
    // The fields of struct record in two words: one by one they take four times the instructions.
    const uint64_t words[2] = {pfn | (uint64_t)first << 40,
                               vpn | (uint64_t)space << 36 | (uint64_t)loader << 48 | (uint64_t)RECORD_MAPPING << 56};
    __builtin_memcpy(r, words, sizeof(*r));
    *bucket = link;
    in->stats->free_mappings--;
    return true;
}
