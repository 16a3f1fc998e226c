// cpu.h - what the supervisor keeps for each processor.
//
// Reached through the processor's base register (arch_cpu()).  The first fields are known to assembly;
// arch/x86_64 asserts their offsets.
// Fields: I immutable after boot  p this processor only  l instance lock  a atomic
#pragma once
#include <abi/frame.h>
#include <abi/boot.h>

#include "list.h"
#include "names.h"

enum { LIMIT_SPACE = 1 << 16 };             // in cpu.limits

enum { CPU_LEVELS = 2 * ABI_PRIORITIES, REVERSE_ENTRIES = 16 };

struct reverse {                            // a message frame with one receiver
    uint64_t pfn, version;                  // good while instance.message_version is this
    va_t     va;                            // of the page, in the receiver's mapping
    uint64_t cookie;                        // of that mapping's space
    struct thread *thread;
};

struct cpu {
    struct cpu   *self;                     // I   offset 0
    struct frame *frame;                    // p   offset 8: user registers are saved here; NULL: idle
    uint64_t      stack_top;                // I   offset 16: the supervisor's stack
    uint64_t      scratch;                  // p   offset 24: for entry code
    uint32_t      enter_fresh;              // p   offset 32: see arch.h
    cpu_t         number;                   // I   offset 36
    struct instance *instance;              // I

    struct thread *thread;                  // p   running here, or NULL; others read it under the lock
    pa_t          root;                     // p   page tables in use, 0 for the supervisor's own
    uint32_t      request;                  // a   1: choose again; set by others, taken by this one, by exchange
    uint64_t      slice_end;                // p   0: no slice running
    uint64_t      random;                   // p   of random slices
    uint64_t      timer;                    // p   what the timer is armed for, 0: not
    bool          resched;                  // p   choose again before going back to user mode
    bool          locked;                   // p   this processor holds the instance lock

    uint64_t      ready_mask;               // l   levels with a ready thread
    uint32_t      ready_count;              // l
    struct list   ready[CPU_LEVELS];        // l   by level, see sched.h
    uint32_t      limits;                   // l   reasons to take no short way: loaded kernels whose share here is
                                            //     less than 100, and in units of LIMIT_SPACE spaces of activations
    struct list   over;                     // l   kernels over their share here, the soonest to return first
    uint64_t      since;                    // l   the running thread has been charged up to this moment
    struct list   waiting;                  // l   threads whose wait has a deadline, kept by this processor's timer

    // TLB shoot-down, one initiator at a time (it holds the instance lock).
    const struct tlb_batch *flush;          // a   to be forgotten here, then NULL is the answer

    struct reverse reverse[REVERSE_ENTRIES]; // l  see signal.c

    struct cpu_stats *stats;                // p   this processor's line of the system pages
    uint64_t      arch[25];                 // p   for the machine's own use
};
_Static_assert(sizeof(struct cpu) == 2048, "a processor is found by a shift");
