// lock.h - the instance lock: one spin lock for all edits of objects, mappings and ready lists.
//
// It is the only lock of the supervisor, so there is no order to keep.  It is held for one bounded step
// of one call.  What needs no lock: forwarding a trap or fault, and returning from a handler (trap.c).
// A processor that spins here answers TLB shoot-downs, for the holder may be waiting for its answer.
// Whoever comes first when it is free takes it.  A queue of tickets would be fair, but where the processors are
// virtual and more than the host has, it hands the lock to one that does not run, and all others wait for the host.
#pragma once
#include "names.h"

struct lock {
    uint32_t held;      // a  1: taken
};

// It is held by somebody: wait, then take it.  The two functions for everybody are in instance.h.
void lock_wait(struct lock *l, struct cpu *cpu);
