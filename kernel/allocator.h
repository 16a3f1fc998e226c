// allocator.h - which space of activations gets how many processors.
//
// The mechanism; the policy is fair.h. A space's claims are activations: as many as the policy says are ready or
// running, and the scheduler runs them like threads of their priority (sched.h). So claims and threads wait for each
// other by the same rules, an idle processor takes a claim from wherever it waits, and what is left over after equal
// shares goes round by time slices. Whatever may change a share says so in instance.realloc: of one space
// (claims.changed) a call, an event, a handler; of all, threads that become ready or stop, levels, a processor that
// idles.  Before any processor goes back to user mode spaces that have changed are asked what they want; only if that,
// or the threads, are not what the policy has been told before, the shares are computed again. Then claims are added,
// and processors are taken back where a space has more than its share, at once; from a handler, when it goes back to
// its program. All of it is bounded by work (instance.h): what is left is done by the next step, for which the timer is
// armed. A space with events that no claim is about to tell is interrupted on the processor where its program does the
// least important thing. Locking: the instance lock. Scheduler Activations, 4.1.
#pragma once
#include "names.h"

void allocator_run(struct cpu *cpu);
// s has an event more: see to it at once if that is all, else when allocator_run() does.
void allocator_event(struct cpu *cpu, struct space *s);
