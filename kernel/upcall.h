// upcall.h - beginning an upcall: events are put in slots, a context begins.
//
// Locking: the instance lock.  Scheduler Activations, 3.1; abi/activation.h.
#pragma once
#include "activation.h"

// The activation that runs here, in its program, has `upcall` set or something to tell: it begins an upcall with as
// many events as there are slots for; or goes on, if there is nothing to tell, no slot, or upcalls are disabled; or
// leaves its processor, if it is to.
void upcall_enter(struct cpu *cpu);
// The claim that is to run here, whose state has not been loaded, begins an upcall, or goes on if it was paused.  One
// that would have to begin and cannot gives the processor up.  `blocked`: NULL, or the one that has just blocked here,
// whose event is on no list yet.
void upcall_begin(struct cpu *cpu, struct thread *blocked);
// The timers that its program has set.  Gives when to look again at the latest; 0: never.
uint64_t upcall_timers(struct cpu *cpu, struct thread *t, uint64_t now);
// Its slice is over and an equal waits.  True: it is warned first, and has a quarter of a slice more.
bool upcall_warn(struct thread *t);
