// lock.h - the instance lock: one ticket lock for all edits of objects, mappings and ready lists.
//
// It is the only lock of the supervisor, so there is no order to keep.  It is held for one bounded step
// of one call.  What needs no lock: forwarding a trap or fault, and returning from a handler (trap.c).
// A processor that spins here answers TLB shoot-downs, for the holder may be waiting for its answer.
#pragma once
#include <stdint.h>

struct cpu;

struct lock {
    uint32_t next;      // a  ticket to draw
    uint32_t serving;   // a  ticket whose turn it is
};

void instance_lock(struct cpu *cpu);
void instance_unlock(struct cpu *cpu);
