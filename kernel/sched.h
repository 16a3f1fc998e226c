// sched.h - who runs: fixed priorities, time slices among equals, on each processor.
//
// A ready thread is on the ready list of one processor.  It is put where nobody or somebody of lower
// priority runs, if its affinity allows; an idle processor takes from the others' lists, so none idles
// while a thread that may run there is ready.  Timers are one-shot and armed only for a slice that somebody
// waits for the end of, and for deadlines: an idle machine halts.
// Locking: the instance lock for everything.  Cache Kernel, 2.3 and 4.3.
#pragma once
#include <abi/errors.h>
#include <abi/types.h>

struct cpu;
struct thread;

// A thread that is not on any list may run from now on.
void sched_ready(struct cpu *cpu, struct thread *t);
// Take a READY or WAITING thread off its lists.
void sched_remove(struct cpu *cpu, struct thread *t);
// Take the thread that runs here off the processor, its whole state into its state page.
void sched_leave(struct cpu *cpu);
// wait: the running thread.  OK if it was signalled already, ERR_NO_RESULT if it is now waiting.
err_t sched_wait(struct cpu *cpu, struct thread *t, uint64_t deadline);
void sched_signal(struct cpu *cpu, struct thread *t);
void sched_yield(struct cpu *cpu);
void sched_set_priority(struct cpu *cpu, struct thread *t, uint32_t priority);
// The timer of this processor: end waits whose deadline has come, end the slice.
void sched_tick(struct cpu *cpu);
// Ask another processor to look at its thread and its lists again.
void sched_poke(struct cpu *cpu, struct cpu *other);
// Before going back to user mode: choose, switch if another thread should run, arm the timer.
void sched_exit(struct cpu *cpu);
