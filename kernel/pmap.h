// pmap.h - the physical-to-virtual map: 16 bytes for each mapping, hashed by frame.
//
// A record is a dependency: key (frame), dependent (address), context (space), as in the Cache Kernel, 4.1.  The
// receiver of a message page's signals is a second record, whose key is the record of the mapping: so finding the
// receivers takes two look-ups.
// Records are of two pools: replaceable ones, which the clock hand visits, and lockable ones on top, which
// quotas guard.  Locking: the instance lock.
#pragma once
#include "names.h"

enum record_type { RECORD_FREE, RECORD_MAPPING, RECORD_SIGNAL, RECORD_COPY };

struct record {
    uint64_t pfn    : 40;      // frame; of the first frame if large
    uint64_t link   : 24;      // next in the bucket or free list, index + 1
    uint64_t vpn    : 36;
    uint64_t space  : 12;      // slot
    uint64_t loader : 8;       // slot of the kernel that loaded it, whose rights and quotas it uses
    uint64_t type   : 2;       // enum record_type
    uint64_t sends  : 1;       // senders_are(): signals may be sent from it
    uint64_t leaving : 1;      // its unload waits until its senders have gone: see senders.h
    uint64_t locked : 1;
    uint64_t large  : 1;
    uint64_t signal : 1;       // another record names the receiver of its signals
    uint64_t copy   : 1;       // another record names the frame that a write will go to; this one's is the source
};

struct copy_record {           // the same 16 bytes
    uint64_t key    : 24;      // the mapping's record, index + 1
    uint64_t pad    : 16;
    uint64_t link   : 24;
    uint64_t pfn    : 40;      // of the copy
    uint64_t pad2   : 16;
    uint64_t type   : 2;       // RECORD_COPY
    uint64_t pad3   : 2;
    uint64_t locked : 1;
    uint64_t spare  : 3;
};
_Static_assert(sizeof(struct copy_record) == 16, "a copy record is 16 bytes");

struct signal_record {         // the same 16 bytes
    uint64_t key    : 24;      // the mapping's record, index + 1
    uint64_t thread : 16;      // slot
    uint64_t link   : 24;
    uint64_t next   : 24;      // of the thread's signal records, index + 1
    uint64_t prev   : 24;
    uint64_t pad    : 8;
    uint64_t type   : 2;       // RECORD_SIGNAL
    uint64_t pad2   : 2;
    uint64_t locked : 1;
    uint64_t spare  : 3;
};
_Static_assert(sizeof(struct signal_record) == 16, "a signal record is 16 bytes");
_Static_assert(sizeof(struct record) == 16, "a mapping record is 16 bytes");

// The memory is cleared already.
void pmap_init(struct instance *in, struct record *records, uint32_t *buckets, uint32_t nbuckets);
// Are `count` (1 or 2) records free?
bool pmap_has_free(const struct instance *in, bool locked, uint32_t count);
// Take a free record of the right pool and enter the mapping of a frame.  The caller has seen that there is one.
struct record *pmap_insert(struct instance *in, uint64_t pfn, uint64_t vpn, uint32_t space, uint32_t loader,
                           bool locked, bool large);
// A bucket holds at most PMAP_WAYS replaceable mappings, so that a frame which somebody maps ten thousand times makes
// nobody's look-up long.  The record that must go before this frame gets one more, or NULL: the oldest, if possible
// of a kernel that has more than it is sure of.
enum { PMAP_WAYS = 128 };
struct record *pmap_crowded(struct instance *in, uint64_t pfn);
// Do PMAP_WAYS mappings of this very frame exist, locked ones too?
bool pmap_is_full(struct instance *in, uint64_t pfn);
// The record of this mapping, or NULL.
struct record *pmap_find(struct instance *in, uint64_t pfn, uint32_t space, uint64_t vpn);
// Take the record of this mapping out and free it; false if there is none.
bool pmap_take(struct instance *in, uint64_t pfn, uint32_t space, uint64_t vpn, struct record *out);
// The first mapping of this very frame, and the next one; NULL at the end.
struct record *pmap_frame_first(struct instance *in, uint64_t pfn);
struct record *pmap_frame_next(struct instance *in, const struct record *r);
// Have the signals of a mapping go to t; the caller has seen that a record is free if it had no receiver.
void pmap_signal_set(struct instance *in, struct record *mapping, struct thread *t);
// The receiver of a mapping's signals; its record says `signal`.
struct thread *pmap_signal_of(struct instance *in, const struct record *mapping);
// A mapping whose signals go to t, or NULL.
struct record *pmap_signal_first(struct instance *in, const struct thread *t);
// Make a mapping a deferred copy: its record's frame is the source, a write will go to `pfn`.  A record is free.
void pmap_copy_set(struct instance *in, struct record *mapping, uint64_t pfn);
// The frame of the copy.
uint64_t pmap_copy_of(struct instance *in, const struct record *mapping);
// The copy is made: the mapping is one of that frame now.
void pmap_copy_done(struct instance *in, struct record *mapping);
// There will be none: the mapping stays one of the source.
void pmap_copy_cancel(struct instance *in, struct record *mapping);
