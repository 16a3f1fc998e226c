// appkernel.h - the skeleton of an application kernel.
//
// What every application kernel needs and none should have to write: its memory by frames, threads whose
// descriptors may be written back at any moment and are loaded again, and sleeping and waking on top of it.
//
// States of an ak_thread: its descriptor is loaded or not; nobody but the service thread cares.  ak_wake()
// signals a loaded thread; if its id is stale it puts the thread on the reload list and signals the
// service thread, which is locked, takes no lock that a handler can hold, and loads it again.  Wakeups may
// be spurious: callers of ak_block() test their condition again.  The races are told in thread.c and service.c.
//
// Everything here may be called from handlers (general registers only) and from several processors.
// Cache Kernel, 2.3 and 3.
#pragma once
#include <abi/boot.h>
#include <abi/errors.h>
#include <abi/frame.h>
#include <abi/object.h>
#include <abi/types.h>

// ---- given by the program ---------------------------------------------------------------------------------

// Runs on the first thread, after ak_start has set up frames.  What it returns ends the kernel with this value.
int ak_main(const struct kernel_info *info);
// Handlers named in the note by AK_NOTE.  They never return: they end with a call that resumes the program.
//   _Noreturn void trap(struct thread_state *s, uint64_t cookie, unsigned depth)

// One of these in the program: makes the ELF note.  xstack_top is a symbol of the library.
#define AK_NOTE(trap_fn, fault_fn, exception_fn)                                                            \
    __asm__(".pushsection .note.quoin,\"a\",@note\n.align 4\n.long 6, 32, 1\n.asciz \"Quoin\"\n.align 4\n"   \
            ".quad " #trap_fn ", " #fault_fn ", " #exception_fn ", ak_xstack_top\n.popsection")

// ---- what the starter said --------------------------------------------------------------------------------

extern const struct kernel_info *ak_info;
extern const struct system_info *ak_system;      // read-only, shared
extern const struct system_stats *ak_stats;      // read-only, written by the supervisor

static inline void *ak_window(pa_t pa)           // memory of the kernel's page groups
{
    return (void *)(ABI_WINDOW + pa);
}
static inline pa_t ak_window_pa(const void *p)
{
    return (pa_t)p - ABI_WINDOW;
}
static inline uint64_t ak_now(void)              // the clock, in ticks
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
uint64_t ak_ticks_from_ns(uint64_t ns);
uint64_t ak_ns_from_ticks(uint64_t ticks);

// ---- frames -----------------------------------------------------------------------------------------------

// Frames of the granted memory, each with a count of its users.  One whose memory has failed (FRAME_LOST) is not given.
pa_t     ak_frame_alloc(void);                   // one frame, count 1, contents undefined; 0: none free
pa_t     ak_frame_alloc_run(unsigned count);     // adjacent frames, each with count 1
pa_t     ak_frame_alloc_large(void);             // the 512 of an aligned 2 MiB, each with count 1
// One of this cluster's memory (memory_range.cluster), or of another one's if that has none.
enum { AK_CLUSTER_ANY = UINT32_MAX };
pa_t     ak_frame_alloc_in(uint32_t cluster);
// All frames of a page group, the unit of rights, each with count 1; given back one by one.  0: no group is free.
pa_t     ak_group_alloc(uint32_t cluster);
void     ak_frame_get(pa_t frame);               // one more user; frames outside the grant are ignored
void     ak_frame_put(pa_t frame);               // one user less; the last one frees it
unsigned ak_frame_users(pa_t frame);             // for copy-on-write; frames outside the grant: 2
uint64_t ak_frames_free(void);
// More memory: a range that the window shows and the kernel may write, aligned to pages.  Its frames are given after
// those there were before.  False: there are too many ranges.
bool     ak_frames_add(pa_t base, uint64_t length);
// The range that was added at this address is no more, if all its frames are free; false: they are not.
bool     ak_frames_remove(pa_t base);

// Small objects on frames.  NULL when there is no memory.  ak_alloc clears what it gives.
void *ak_alloc(size_t size);
void  ak_free(void *p, size_t size);

// ---- threads ----------------------------------------------------------------------------------------------

struct ak_thread {
    struct thread_state *state;                  // I  through the window
    va_t      xstack;                            // I  top of the exception stack
    uint32_t  priority;                          // a  changed by ak_thread_set_priority
    uint32_t  lent;                              // a  a higher one that it has while others wait for what it holds
    uint32_t  flags;                             // I  LOAD_LOCKED
    uint64_t  affinity;                          // a  0: every processor; looked at when it is loaded
    // How its program goes on, for a thread that has one: never returns, ends with ak_resume.  It runs at depth
    // 1 on an empty exception stack whenever the thread had to be loaded again while in its program.
    void    (*resume)(struct ak_thread *t);      // I  set before ak_thread_run; NULL: no program
    bool      scheduled;                         // I  loaded by ak_thread_load only (lib/processing)
    // Told by the service thread that it has to be loaded and is not; sees to ak_thread_load.  NULL: the service thread
    // loads it, in turn with the others.
    void    (*load)(struct ak_thread *t);        // I  set before ak_thread_run
    oid_t     id;                                // a  0: not loaded; written by the service thread only
    oid_t     space;                             // its own: the program's space
    uint32_t  woken;                             // a  a wakeup that ak_block has not taken yet
    uint32_t  interrupt;                         // a  ak_thread_interrupt found it unloaded
    uint32_t  failed;                            // a  REASON_BAD_STATE: its program's registers were bad
    uint32_t  dying;                             // a  ak_thread_exit was called
    uint32_t  queued;                            // a  on the reload list, or buried
    struct ak_thread *next_queued;               // owned by whoever set queued
    struct ak_thread *next, *prev;               // s  all threads; s: the service thread only
    struct ak_thread *next_ready;                // s
    bool      known, ready, parked;              // s
};

enum { AK_STACK = 4 };                           // frames of an exception stack

// Allocate the state page and the exception stack.  ERR_LIMIT: no memory.
err_t ak_thread_create(struct ak_thread *t, uint32_t priority, uint32_t flags);
// Give back the memory of a thread that never ran.
void  ak_thread_destroy(struct ak_thread *t);
// Run fn(arg) in the kernel's own space on the thread's exception stack, as if its program had made a call.
// Once for each thread.  Never blocks: the service thread loads it.
void  ak_thread_run(struct ak_thread *t, void (*fn)(void *), void *arg);
// End the calling thread.  Its memory is given back by ak_thread_collect.
_Noreturn void ak_thread_exit(struct ak_thread *t);
// One thread that has ended since, or NULL; its state page and stack are free again, and nothing refers to it
// any more.  One caller at a time.
struct ak_thread *ak_thread_collect(void);
// Make a thread that runs its program, or is about to return to it, enter resume() soon.  One that is in a
// handler is not disturbed: it looks for work when it returns.  Never the calling thread.
void  ak_thread_interrupt(struct ak_thread *t);

// The calling thread leaves its processor and is loaded again, with what has changed (affinity).
void  ak_thread_reload(struct ak_thread *t);

// Give it another priority; in place, if it is loaded.  From any thread.  Never blocks.
void  ak_thread_set_priority(struct ak_thread *t, uint32_t priority);
// The one that it has: its own or one that is lent to it, at most the kernel's highest.
uint32_t ak_thread_level(const struct ak_thread *t);
// For poll() of ak_service only: all threads that were run and are not buried, in no order.  NULL starts and ends.
struct ak_thread *ak_thread_next(const struct ak_thread *after);

// For poll() of ak_service only, and for threads that are `scheduled` or have `load`: load one that is not (t->id is
// 0).  It goes on where it was; a wait returns at once.  ERR_AGAIN: no room just now.
err_t ak_thread_load(struct ak_thread *t);

// Block the calling thread (which must be t) until woken or the clock reaches deadline (0: never).
// ERR_TIMEOUT or OK; OK may be spurious.
err_t ak_block(struct ak_thread *t, uint64_t deadline);
void  ak_wake(struct ak_thread *t);
// Wait for a moment: somebody else has to run first.
void  ak_pause(void);

// The last steps of a handler of t's program.  Before it looks whether something was asked of the thread, it calls
// ak_returning; from there on it may be started again in resume() at any moment.  Then ak_resume or
// ak_map_and_resume, which come back only if the program's space has to be loaded again (ERR_STALE), or with the
// error of the mapping.
enum { AK_RETURNING = FRAME_OWNER };
static inline void ak_returning(struct ak_thread *t)
{
    *(volatile uint32_t *)&t->state->frame[0].kind |= AK_RETURNING;
}
// No: the handler has to do something first.
static inline void ak_staying(struct ak_thread *t)
{
    *(volatile uint32_t *)&t->state->frame[0].kind &= ~(uint32_t)AK_RETURNING;
}
err_t ak_resume(struct ak_thread *t);
err_t ak_map_and_resume(struct ak_thread *t, va_t va, pa_t pa, uint64_t flags);
// Be sure that a space is gone, with all its translations: for one that answered `stale`.
void  ak_space_finish(oid_t space);

// The service thread's loop, on the first thread of the kernel (loaded locked by the starter): reads the
// writeback channel, loads threads again, keeps deadlines of unloaded threads, calls poll() after each wakeup
// (for device input).  Ends when ak_stop(value) was called, and gives its value.
int  ak_service(void (*poll)(void));
void ak_service_until(uint64_t time);            // for poll(): it is called again at this time at the latest; 0: never
void ak_service_kick(void);                      // make the service thread look again
// Called by the service thread with the address of each address-valued signal that comes to it: it may wake threads.
extern void (*ak_signalled)(va_t va);
void ak_stop(int value);

// ---- locks ------------------------------------------------------------------------------------------------

// A spin lock for a few instructions: whoever finds it held spins a little, then waits for a moment, since the
// holder may have been preempted or written back.  Never taken by the service thread, which has to load him.
void ak_spin_lock(uint32_t *lock);
void ak_spin_unlock(uint32_t *lock);

// A mutex for handlers and kernel threads: spins a little, then sleeps.  Never taken by the service thread.  While
// somebody sleeps, the holder has the highest priority of those who do, so that nobody between the two is in their way.
struct ak_mutex {
    uintptr_t state;                             // a  0 free; else the holder, with bit 0 if somebody sleeps
    uint32_t guard;                              // a  spin lock of the queue
    uint32_t most;                               // guard  at least the priority of each that is queued
    struct ak_thread *waking;                    // guard  a sleeper was woken and has not tried again yet
    struct ak_waiter *first, *last;              // guard
};
void ak_mutex_lock(struct ak_mutex *m, struct ak_thread *self);
// Take it if it is free; for a thread that may not sleep on it.
bool ak_mutex_try(struct ak_mutex *m, struct ak_thread *self);
void ak_mutex_unlock(struct ak_mutex *m);

// ---- log --------------------------------------------------------------------------------------------------

extern const char ak_name[];                     // begins every line; a kernel defines its own
// To the system's log, with the kernel's name.
void ak_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
// The same, and to where errors go: what whoever runs a program is to know.
void ak_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Ends the kernel, with the reason in the log.
_Noreturn void ak_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
