// allocator.h - which space of activations gets how many processors.
//
// The mechanism; the policy is fair.h. A space's claims are activations: as many as the policy says are ready or
// running, and the scheduler runs them like threads of their priority (sched.h). So claims and threads wait for each
// other by the same rules, an idle processor takes a claim from wherever it waits, and what is left over after equal
// shares goes round by time slices. Whatever may change a share sets instance.realloc: a call of a space, an event to
// be told, a thread that becomes ready, a processor that idles. Then, before any processor goes back to user mode,
// the shares are computed again, claims are added, and processors are taken back where a space has more than its
// share, at once. A space with events that no claim is about to tell is interrupted on the processor where its
// program does the least important thing. Locking: the instance lock. Scheduler Activations, 4.1.
#pragma once

struct cpu;

void allocator_run(struct cpu *cpu);
