// pmap.h - the physical-to-virtual map: 16 bytes for each mapping, hashed by frame.
//
// A record is a dependency: key (frame), dependent (address), context (space), as in the Cache Kernel, 4.1.
// Records are of two pools: replaceable ones, which the clock hand visits, and lockable ones on top, which
// quotas guard.  Locking: the instance lock.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct instance;

enum record_type { RECORD_FREE, RECORD_MAPPING };

struct record {
    uint64_t pfn    : 40;      // frame; of the first frame if large
    uint64_t link   : 24;      // next in the bucket or free list, index + 1
    uint64_t vpn    : 36;
    uint64_t space  : 12;      // slot
    uint64_t loader : 8;       // slot of the kernel that loaded it, whose rights and quotas it uses
    uint64_t type   : 4;       // enum record_type
    uint64_t locked : 1;
    uint64_t large  : 1;
    uint64_t spare  : 2;
};
_Static_assert(sizeof(struct record) == 16, "a mapping record is 16 bytes");

void pmap_init(struct instance *in, struct record *records, uint32_t *buckets, uint32_t nbuckets);
bool pmap_has_free(const struct instance *in, bool locked);
// Take a free record of the right pool and enter the mapping of a frame.  The caller has seen that there is one.
void pmap_insert(struct instance *in, uint64_t pfn, uint64_t vpn, uint32_t space, uint32_t loader, bool locked,
                 bool large);
// The same for a replaceable mapping of a page, if a record is free and the bucket is nearly empty; else false.
bool pmap_insert_quick(struct instance *in, uint64_t pfn, uint64_t vpn, uint32_t space, uint32_t loader);
// A bucket holds at most PMAP_WAYS replaceable records, so that a frame which somebody maps ten thousand times makes
// nobody's look-up long.  The record that must go before this frame gets one more, or NULL.
enum { PMAP_WAYS = 128 };
struct record *pmap_crowded(struct instance *in, uint64_t pfn);
// The record of this mapping, or NULL.
struct record *pmap_find(struct instance *in, uint64_t pfn, uint32_t space, uint64_t vpn);
// Take the record of this mapping out and free it; false if there is none.
bool pmap_take(struct instance *in, uint64_t pfn, uint32_t space, uint64_t vpn, struct record *out);
// First record of the bucket of a frame, and the next in a chain; NULL at the end.  Other frames appear too.
struct record *pmap_first(struct instance *in, uint64_t pfn);
struct record *pmap_next(struct instance *in, const struct record *r);
