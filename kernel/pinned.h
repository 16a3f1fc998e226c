// pinned.h - is an object really pinned?
//
// A lock counts only while everything the object depends on is locked too: a thread depends on its kernels and its
// space, a space on its kernels, a kernel on its own space; a mapping on its space, on the thread that gets its
// signals, and, if signals can be sent from it, on every mapping of the frame that has a receiver.
// Locking: the instance lock.  Cache Kernel, 2 and 4.2.
#pragma once
#include "names.h"

// Ask about a kernel, space or thread of the asker's by its id, or about the mapping at va of the space with that id.
// ERR_STALE: there is none; ERR_DENIED: it is not the asker's; ERR_INVAL.
err_t pinned_ask(struct instance *in, const struct appkernel *asker, uint64_t type, oid_t id, va_t va, bool *pinned);
