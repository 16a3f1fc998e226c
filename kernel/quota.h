// quota.h - how many descriptors a kernel may lock, is sure of, and may hold.
//
// For each type a kernel holds so many: spaces and threads that it loaded, and records of the mappings that it loaded
// and did not lock (a receiver of signals or a deferred copy is a record more; locked ones are on top, with a quota of
// their own).  A load never evicts an object of a kernel that holds no more than its minimum, and a kernel at its
// maximum evicts one of its own.  All kernels together are sure of fewer descriptors than there are, so somebody always
// has one to give: "full" does not exist.
// What a victim takes along does not count: threads and mappings go with their space, all goes with a kernel, senders
// go with their receiver.  Two caches are shared without regard to maximums, and to minimums only if there is a choice:
// leaf tables, and the ways of a bucket of the physical-to-virtual map.
// Locking: the instance lock.  Beyond the Cache Kernel, 4.3, which has no quota on cached objects.
#pragma once
#include "appkernel.h"

enum { SLACK_SPACES = 1, SLACK_THREADS = 2, SLACK_MAPPINGS = 16 };  // that nobody is sure of; mappings: a processor

// May k (NULL: one that is not loaded yet) have these limits?  ERR_INVAL, ERR_LIMIT.
err_t quota_check(const struct instance *in, const struct appkernel *k, const struct kernel_limits *l);
// Set them, for a kernel that has no threads yet; or change them: threads above the highest priority come down to it.
// ERR_RESTART: some are left; if nobody carries that on, the next change does.
void  quota_set(struct instance *in, struct appkernel *k, const struct kernel_limits *l);
err_t quota_change(struct cpu *cpu, struct appkernel *k, const struct kernel_limits *l);
// The kernel goes: it is sure of nothing any more.
void  quota_clear(struct instance *in, struct appkernel *k);

// Would it hold more than it may?
static inline bool quota_full(const struct appkernel *k, enum object_type type, uint32_t more)
{
    return k->held[type] + more > k->limits.range[type].most;
}
// Does it hold more than it is sure of?
static inline bool quota_spares(const struct appkernel *k, enum object_type type)
{
    return k->held[type] > k->limits.range[type].least;
}
// May an object of k go?  only: the kernel that is at its maximum and looks for one of its own, or NULL.
static inline bool quota_may_take(const struct appkernel *k, enum object_type type, const struct appkernel *only)
{
    return only != NULL ? k == only : quota_spares(k, type);
}
