// trap.h - forwarding of traps, faults and exceptions, and the return from a handler.
//
// The same thread goes on in its application kernel's handler, at the next depth of its state page; no
// other thread, no scheduling, and no lock: all that is touched belongs to the thread that runs here.  Its
// kernel cannot be unloaded meanwhile, since that begins with this thread.
// Cache Kernel, 2.1 and 2.3.
#pragma once
#include "names.h"

// Run the handler for what happened.  No frame left: the thread is written back, REASON_DOUBLE_FAULT.
void trap_forward(struct cpu *cpu, uint32_t kind, uint32_t vector, uint64_t error, va_t addr);
// The end of a call: back to the frame below; if that is the program, in space `id` (0: the one it had).  An error is
// the call's result.
void  trap_resume(struct cpu *cpu, oid_t id);
// The same for an activation of that space, into an upcall that tells its context with this kind.  Lock held.
// value: of UPCALL_OWNER.
err_t trap_upcall(struct cpu *cpu, oid_t id, uint32_t kind, uint64_t value);
