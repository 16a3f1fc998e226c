// cache.h - the descriptor cache: making room, choosing victims, carrying unloads to their end.
//
// Order of victims: waiting threads and what only they use; ready in program mode; ready in a handler;
// running.  Never the caller and what it stands on.  What has ready or running threads is safe for a slice
// after its load, and so is, from all but its loader, a space that nobody has run in yet: so two loaders
// cannot evict each other for ever (model/replace.pml).  If nothing else is left, the load answers `again`,
// for a slice at most.  What a kernel is sure of is no victim, and a kernel at its maximum takes one of
// its own: quota.h.  One step looks at a part of a large cache.  A kernel's threads are found by a sweep over all, in
// steps too; a space with more threads than one step looks at is never idle, as far as this is concerned.
// An unload is a chain of bounded steps.  Whoever wants it takes steps by restarting its call; idle
// processors take the rest.  Locking: the instance lock.  Cache Kernel, 4.2.
#pragma once
#include "handle.h"

// OK when a slot of this cache is free for k (NULL: there is no limit); ERR_RESTART: a victim is on its way out, or the
// search for one is not done (k knows how far it is); ERR_AGAIN: none was found.
err_t cache_make_room(struct cpu *cpu, struct cache *c, enum object_type type, struct appkernel *k);
// One step of an unload; true when the slot is free.
bool  cache_step(struct cpu *cpu, struct object *o);
// One step of any unload that is going on; true if one is still left.
bool  cache_step_any(struct cpu *cpu);
// Begin (unless begun) and carry on the unload of an object; OK when it is gone, else ERR_RESTART.
err_t cache_unload(struct cpu *cpu, struct object *o, uint32_t reason);
