// signal.h - address-valued signals: memory-based messaging.
//
// A signal is sent to an address of a page that the sender maps writable and in message mode.  It reaches every thread
// that is named by a mapping of the same frame, as an address in that mapping's space.  It is put in the queue of the
// thread's state page; from there wait takes it, or the thread's signal function is entered with it.
// Which threads those are takes two look-ups in the physical-to-virtual map; each processor remembers the last answers
// for frames with one receiver (its reverse TLB), as long as no message mapping changes.
// Locking: the instance lock, but for signal_due().  Cache Kernel, 2.2, 4.1 and 4.2.
#pragma once
#include "thread.h"

// Send to an address of the caller's space.  ERR_RESTART with nothing done cannot come; ERR_USER_WRITE: not mapped.
err_t signal_send(struct cpu *cpu, va_t va, uint64_t *receivers);
// signal_wait of the running thread when it has no deadline and is simple: the receiver goes on at once.  False: it is
// not, and nothing has changed.
bool  signal_handoff(struct cpu *cpu);
// A device has written at an address of its page: send from there.  Gives how many receivers there are.
uint64_t signal_raise(struct cpu *cpu, uint64_t pfn, va_t offset);
// Take the oldest queued signal of the running thread, for wait: its address, or 0.
va_t  signal_take(struct thread *t);
// Is one queued for a thread without a signal function?
bool  signal_waits(const struct thread *t);
// The running thread, in its program, is interrupted by its signal function.
void  signal_enter(struct cpu *cpu);
// The function ends: ERR_NO_RESULT.  ERR_DEPTH: none runs.
err_t signal_return(struct cpu *cpu);
// Find out what its state page says when a thread is loaded.
void  signal_queue_load(struct thread *t);

// May its signal function be entered when it gets to its program?  Others set it, and then interrupt its processor.
static inline bool signal_due(const struct thread *t)
{
    return __atomic_load_n(&t->due, __ATOMIC_RELAXED);
}
