// threads_machine.h - what a program gives the threads library: memory, a clock, and its space's processors.
#pragma once
#include <abi/activation.h>

struct thread;

// Memory for stacks and control blocks.  Called by threads, rarely (a free list is before it).
struct threads_memory {
    void *(*allocate)(size_t bytes);             // whole pages of zeros; the page below is not accessible.  Or NULL
};
enum { THREADS_RECORD = 2048 };                  // bytes for a handler's record

// The processors of a space with SCHEDULE_ACTIVATIONS.  The area is in the form of abi/activation.h; the program's
// first thread has not run in it before.  space_desc.upcall is threads_upcall.
struct threads_machine {
    struct space_kernel_page *kernel;            // the area
    struct space_user_page *user;
    struct activation_user *activation;          // area_user_blocks()
    // area_slots().  Those whose `stack` is not NULL have been given already, with THREADS_RECORD bytes of zeros
    // above it, and more than UPCALL_STACK below.
    struct upcall_slot *slot;
    // As in space_desc.  A handler that is stopped keeps the slot of its stack until it is
    // through, so slots are to be plenty: with few left, contexts that were preempted go on by themselves only.
    uint32_t activations, slots;
    void (*processors)(void);                    // sys_processors: `wanted` has changed
    // Code that gives the processor back by the call processor_release, again if that returns.  It is jumped to, has no
    // stack, and its registers are lost: a context that is stopped in it is dropped.  NULL: threads_processor.
    const char *release, *release_end;
    void (*wait)(uint64_t until);                // sys_wait: the caller is blocked until then; may return too early
    uint64_t (*now)(void);                       // the clock, in ticks
    // Called by the upcall handler for UPCALL_FAULT and UPCALL_OWNER; may be NULL.  It must not block.  The slot is
    // gone afterwards.  A thread with a fault ends, unless this gives true.
    bool (*event)(struct thread *thread, const struct upcall_slot *slot);
    uint32_t cpus;                               // numbers of processors are below; 0: ABI_MAX_CPUS
    // A refused access that no thread can be ended for: in an upcall handler, also in `event`, or where a handler
    // brings a thread to the end of a critical section.  Nothing can be relied upon then: it says what happened and
    // where, and ends the program; it does not come back.  It may be called again, for a fault of its own.  NULL: a
    // trap instead.
    void (*fail)(const struct upcall_slot *slot);
    // With threads_processor: have one of the processors interrupted at that moment, or at an earlier one that was
    // asked for: an upcall with UPCALL_ALARM (native_alarm in lib/native/native.h).  Else NULL: alarms are words of the
    // area.
    void (*alarm)(uint64_t until);
};

// On kernel threads as processors, which know nothing of the library's threads (the FastThreads before activations):
// `release` is NULL, `alarm` is there, `activations` says how many processors there are, the area is memory of the
// program's own, kernel->held is that number and kernel->holds has its bits; and each processor begins here, with a
// block of its own, which is its GS base from then on.  They look for work for ever; one that blocks is lost meanwhile.
// No upcall tells of that, or of a processor that is stopped: alarms are all there is, for timed waits and rotation.
_Noreturn void threads_processor(const struct activation_kernel *block);

// The entry of upcalls, for space_desc.upcall.
extern const char threads_upcall[];
