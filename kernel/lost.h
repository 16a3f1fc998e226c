// lost.h - consistency faults: frames whose contents are held elsewhere, and frames whose memory has failed.
//
// A mapping is remote because its owner loaded it so (MAP_REMOTE), or because its frame was lost while it was loaded.
// Its entry is there and allows nothing: an access of a user is a fault, an argument of a call there too, and both are
// forwarded with FAULT_CONSISTENCY.  What is lost is also noted in the frame-state table of every kernel that has the
// frame in it; the supervisor itself remembers nothing.
// Locking: the instance lock.  Cache Kernel, 2.1, footnote 1.
#pragma once
#include "names.h"

// What a fault at va in the space that runs here is: `error`, with the bits of a consistency fault if it is one.
uint64_t lost_explain(struct cpu *cpu, uint64_t error, va_t va);
