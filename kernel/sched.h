// sched.h - who runs: fixed priorities, time slices among equals, on each processor.
//
// A ready thread is on the ready list of one processor.  It is put where nobody or somebody on a lower level
// runs, if its affinity allows; an idle processor takes from the others' lists, so none idles while a thread
// that may run there is ready.
// A thread's level is its priority, plus SHARE_WITHIN if its kernel is within its share of that processor
// (share.h): the threads of kernels that are over it come after all others.  A processor that has only such
// threads takes from the others' lists what is within its kernel's share here, as if it were idle.
// Timers are one-shot and armed only for a slice that somebody waits for the end of, for deadlines, and as
// long as somebody runs, for the next moment at which a kernel is over its share or within it again: an idle
// machine halts.
// Locking: the instance lock for everything.  Cache Kernel, 2.3 and 4.3.
#pragma once
#include "names.h"

// A thread is on processor n from now on: ready, running, or to be found there when it will be ready.
void sched_place(struct thread *t, cpu_t n);
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
// The same when it is simple.  False: it is not, and nothing has changed.
bool sched_yield_quick(struct cpu *cpu);
// The running thread waits, and `next`, which waits here, runs at once with the signal va; if that is simple.
bool sched_handoff(struct cpu *cpu, struct thread *next, va_t va);
void sched_set_priority(struct cpu *cpu, struct thread *t, uint32_t priority);
// The timer of this processor: end waits whose deadline has come, end the slice.
void sched_tick(struct cpu *cpu);
// k has come to be over its share of c, or within it again: its threads there change their level.
void sched_regroup(struct cpu *c, struct appkernel *k);
// Ask another processor to look at its thread and its lists again.
void sched_poke(struct cpu *cpu, struct cpu *other);
// A thread that is not on any list is the next one to run here, if nothing comes before it.
void sched_ready_here(struct cpu *cpu, struct thread *t);
// A claim that begins, on no list, and before which nobody comes, runs here at once, where another one has blocked.
void sched_enter_here(struct cpu *cpu, struct thread *t, struct thread *blocked);
// The thread that was to run here does not: its state is not loaded.  The caller says what comes next.
void sched_let_go(struct cpu *cpu);
// The same, as it cannot be loaded.  It is on its way to its owner.
void sched_refuse(struct cpu *cpu, struct thread *t);
// Before going back to user mode: choose, switch if another thread should run, arm the timer.
void sched_exit(struct cpu *cpu);
