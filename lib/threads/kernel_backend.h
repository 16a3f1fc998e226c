// kernel_backend.h - what the threads library needs to run its threads on kernel threads, one to one.
//
// The table is filled by the program, from calls that its application kernel offers.  Each thread of the library is
// then a kernel thread, scheduled by the supervisor; the interface (threads.h) and the data are the same, locks
// that nobody waits for cost the same, and everything that blocks, wakes or begins is a call of the table.  For
// comparison: Scheduler Activations, 2.1 and 5.
#pragma once
#include <abi/types.h>

struct kernel_backend {
    // Begin a kernel thread: FS base fs_base, RSP stack (16-byte aligned, its top), at entry(argument), which never
    // returns.  *handle names it for block and wake, and is written first.  priority: of the library, 0 is the lowest.
    // False: no more of them.
    bool (*create)(va_t fs_base, va_t stack, void (*entry)(void *), void *argument, uint32_t priority,
                   uint64_t *handle);
    // The caller ends; it may go on using its stack until then.  *over, in memory of the library's, becomes 1 when the
    // stack is not used any more.  Does not return.
    void (*exit)(uint32_t *over);
    // The caller, which is `handle`, waits until it is woken, or until the clock reaches `until` (0: never).  A wake
    // that came before is not lost (one is kept).  May return too early.
    void (*block)(uint64_t handle, uint64_t until);
    void (*wake)(uint64_t handle);
    // Let others of the caller's priority run first.
    void (*yield)(void);
    // The caller waits for somebody who needs a processor for a moment, and may be a lower one: all others run
    // meanwhile.  No registers but the general ones are touched.
    void (*pause)(void);
    // Counts at once, also for one that runs, or is ready.  Priorities may be the same to the supervisor, if it has
    // fewer; a higher one is never less there.
    void (*set_priority)(uint64_t handle, uint32_t priority);
    uint64_t first;                      // handle of the thread that calls threads_begin
};
