// threads_machine.h - what a program gives the threads library: memory, a clock, and its space's processors.
#pragma once
#include <abi/activation.h>

struct thread;

// Memory for stacks and control blocks; all of whole pages.  Called by threads, rarely (a free list is before them).
struct threads_memory {
    void *(*allocate)(size_t bytes);             // page-aligned and zero, or NULL
    void (*guard)(void *at, size_t bytes);       // no access from now on
};

// The processors of a space with SCHEDULE_ACTIVATIONS.  The area is in the form of abi/activation.h; the program's
// first thread has not run in it before.  space_desc.upcall is threads_upcall.
struct threads_machine {
    struct space_kernel_page *kernel;            // the area
    struct space_user_page *user;
    struct activation_user *activation;          // area_user_blocks()
    struct upcall_slot *slot;                    // area_slots()
    // As in space_desc.  A handler that is stopped keeps the slot of its stack until it is through, so slots are to be
    // plenty: without any left, a stopped flow that is just giving slots back cannot be told, and others wait for it.
    uint32_t activations, slots;
    void (*processors)(void);                    // sys_processors: `wanted` has changed
    // Code that gives the processor back by the call processor_release, again if that returns.  It is jumped to, has no
    // stack, and its registers are lost: a context that is stopped in it is dropped.
    const char *release, *release_end;
    void (*wait)(uint64_t until);                // sys_wait: the caller is blocked until then; may return too early
    uint64_t (*now)(void);                       // the clock, in ticks
    // Called by the upcall handler for UPCALL_FAULT and UPCALL_OWNER; may be NULL.  It must not block.  The slot is
    // gone afterwards.  A thread with a fault ends, unless this gives true.
    bool (*event)(struct thread *thread, const struct upcall_slot *slot);
};

// The entry of upcalls, for space_desc.upcall.
extern const char threads_upcall[];
