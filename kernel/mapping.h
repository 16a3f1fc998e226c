// mapping.h - mappings: load, unload, lowering of rights, replacement.
//
// A mapping is an entry of a page table and a record of the physical-to-virtual map; both or none.
// When one goes, its referenced and modified bits are ORed into the frame-state table of the kernel that
// loaded it.  Locking: the instance lock.  Cache Kernel, 2.1, 4.1 and 4.2.
#pragma once
#include "names.h"

// May it be loaded?
err_t mapping_check(struct instance *in, struct appkernel *k, struct space *s, va_t va, pa_t pa, uint64_t flags,
                    pa_t source);
// How many records it takes.
static inline uint32_t records_for(uint64_t flags)
{
    return flags & (MAP_SIGNAL | MAP_COPY) ? 2 : 1;
}
// The usual load: a page of k's in a space of k's, beside the one before, with nothing in the way.  False: it is not
// that, or it is wrong; nothing has changed, and mapping_load() does it or says why not.
bool  mapping_load_quick(struct instance *in, struct appkernel *k, struct space *s, va_t va, pa_t pa, uint64_t flags);
// As many as are usual of an array from its beginning; gives how many.  The array may be where users change it.
uint64_t mapping_load_some(struct instance *in, struct appkernel *k, struct space *s, const struct map_entry *entry,
                           uint64_t count);
struct map_more {              // what few mappings have
    struct thread *receiver;   // with MAP_SIGNAL: a thread of the loader's
    pa_t           source;     // with MAP_COPY
};
// more: NULL if neither flag is set.  ERR_AGAIN, ERR_RESTART: nothing loaded yet.
err_t mapping_load(struct cpu *cpu, struct appkernel *k, struct space *s, va_t va, pa_t pa, uint64_t flags,
                   const struct map_more *more);
// Records are a cache with a clock.  A step looks at some hundreds of them at most, and the hand stays where it
// stopped: a load that found nothing goes on from there when its call is executed again.  ERR_OK when `count` records
// of a pool are free for k.  ERR_RESTART: execute the call again.
err_t mapping_room_records(struct cpu *cpu, const struct appkernel *k, bool locked, uint32_t count);
// A write to va: if a deferred copy is mapped there, make it, or begin to make room for it: then the next fault goes
// on.  False: it is not, or may not be made any more.
bool  mapping_copy(struct cpu *cpu, struct space *s, va_t va);
// An entry of s changes in place, for the same frame: flags are what it shall allow.
void  mapping_change(struct cpu *cpu, struct space *s, va_t va, struct leaf *leaf, uint64_t flags);
// If it is a deferred copy, it stays a mapping of the source.
void  mapping_copy_cancel(struct instance *in, struct space *s, struct record *r);
// One bounded step of unloading the mappings whose signals go to t; true when none is left.
bool  mapping_unload_signals(struct cpu *cpu, struct thread *t);
// One bounded step over [*va, end): unload, or if access is not 0 lower rights to it.  *count grows by the mappings
// unloaded, or by those found modified.  ERR_RESTART with *va where to go on.  If the reason is REASON_EVICTED the
// channel is told.  A large mapping that the range touches goes, or is lowered, as a whole.
err_t mapping_range_step(struct cpu *cpu, struct space *s, va_t *va, va_t end, uint32_t access, uint32_t reason,
                         uint64_t *count);
// Unload a mapping of any space, or replace that of a record, and tell every processor at once.  False: its signals
// have a receiver, and the step ended before all their senders had gone; it is still there.
bool  mapping_unload(struct cpu *cpu, struct space *s, va_t va, struct leaf *leaf, uint32_t reason);
bool  mapping_evict_record(struct cpu *cpu, const struct record *r);
// Replace one that nobody can send to, or that is a sender itself: see senders.h.
void  mapping_evict_alone(struct cpu *cpu, struct space *s, va_t va, struct leaf *leaf);
// The same over a whole space that no processor uses and nobody can name; true when nothing is left.
bool  mapping_unload_all(struct cpu *cpu, struct space *s);
// Unload the mappings of a frame that k loaded and its rights no longer cover; false: the step ended before all were.
bool  mapping_revoke(struct cpu *cpu, struct appkernel *k, uint64_t pfn);
