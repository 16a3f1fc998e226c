// pmap_quick.h - mappings of the usual kind in the physical-to-virtual map, inline: in and out again.
//
// Usual is a page that is not locked, whose signals go to nobody, and that is no deferred copy: its record is two
// words, the frame with the link, and the page with a tag that all such mappings of one loader in one space share.
// Locking: the instance lock.
#pragma once
#include "supervisor.h"

typedef uint64_t __attribute__((may_alias)) record_word;

enum { RECORD_LINK = 40, RECORD_SPACE = 36, RECORD_LOADER = 48, RECORD_TYPE = 56 };     // bits of the fields

static inline uint64_t record_tag(uint32_t space, uint32_t loader)
{
    return (uint64_t)space << RECORD_SPACE | (uint64_t)loader << RECORD_LOADER |
           (uint64_t)RECORD_MAPPING << RECORD_TYPE;
}

// Is this the record of a mapping with this frame, and with this second word but for its loader and its kind?
static inline bool record_is(const struct record *r, uint64_t pfn, uint64_t second)
{
    const uint64_t compared = ~(0x3full << (RECORD_TYPE + 2) | 0xffull << RECORD_LOADER);
    const record_word *word = (const record_word *)r;

    return (word[0] ^ pfn) << (64 - RECORD_LINK) == 0 && ((word[1] ^ second) & compared) == 0;
}

static inline record_word *record_words(struct instance *in, uint32_t link)
{
    return (record_word *)&in->records[link - 1];
}

// The frames of a page group have buckets in a row.
static inline uint32_t *bucket_of(struct instance *in, uint64_t pfn)
{
    return &in->buckets[(pfn ^ pfn >> 13 << 7) & in->bucket_mask];
}

// A replaceable mapping of a page, if a record is free and the bucket is nearly empty; else false.
// second: the page's number with a tag.
static inline __attribute__((always_inline)) bool pmap_insert_quick(struct instance *in, uint64_t pfn, uint64_t second)
{
    uint32_t *bucket = bucket_of(in, pfn), first = *bucket, link = in->free_record;

    if (link == 0 || (first != 0 && in->records[first - 1].link != 0)) {
        return false;
    }
    record_word *word = record_words(in, link);
    in->free_record = (uint32_t)(word[0] >> RECORD_LINK);
    word[0] = pfn | (uint64_t)first << RECORD_LINK;
    word[1] = second;
    *bucket = link;
    in->stats->free_mappings--;
    return true;
}

// Take this very record out, if it is the first one of its bucket; else false.
static inline __attribute__((always_inline)) bool pmap_take_quick(struct instance *in, uint64_t pfn, uint64_t second)
{
    uint32_t *bucket = bucket_of(in, pfn), first = *bucket;

    if (first == 0) {
        return false;
    }
    record_word *word = record_words(in, first);
    uint64_t frame_and_link = word[0];
    if ((frame_and_link ^ pfn) << (64 - RECORD_LINK) != 0 || word[1] != second) {
        return false;
    }
    *bucket = (uint32_t)(frame_and_link >> RECORD_LINK);
    word[0] = (uint64_t)in->free_record << RECORD_LINK;
    word[1] = 0;
    in->free_record = first;
    in->stats->free_mappings++;
    return true;
}
