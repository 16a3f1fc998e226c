// writeback.h - telling an owner what was written back (object.h of the ABI: struct channel).
//
// The state itself is in the owner's memory before this is called.  Locking: the instance lock.
#pragma once
#include "names.h"

// An object of k's is gone: enter it in k's channel and signal k's listener.
void writeback_post(struct cpu *cpu, struct appkernel *k, const struct object *o, uint64_t cookie, uint64_t value);
// A mapping that k loaded was replaced: a hint, given while the channel is at most half full.
void writeback_post_mapping(struct appkernel *k, uint64_t cookie, va_t va, uint32_t bits);
