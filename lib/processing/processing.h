// processing.h - threads of an application kernel, scheduled by loading and unloading them, and by their priority.
//
// The scheduler thread is the kernel's first thread, loaded locked at its highest priority: it runs ak_service(), with
// processing_poll() in it.  It alone knows the policy and its queues, so there are no locks: others leave it
// news.  The policy (policy.h) says who is active on which processor.  There are two kinds of threads:
//   - one that is not resident is loaded only while it is active, on that processor alone, and unloaded at the end
//     of its slice or when it blocks;
//   - a resident one is loaded once, locked if its flags say so, and stays; while it is active it has the
//     priority of active threads, while it has to wait the lowest one.  Nothing has to be loaded for it to go on, so
//     nobody else's threads can be in the way.
// Whatever the supervisor writes back of an active or resident thread is loaded again.
// Cache Kernel, 2.3 (scheduling thread, co-scheduling) and 3 (processing library).
#pragma once
#include <appkernel.h>

#include "policy.h"

struct processing_thread {
    struct ak_thread thread;             // first: its address is the cookie
    struct scheduled turn;               // its fields for the policy are set before processing_start
    bool     resident;                   // I
    uint32_t news;                       // a  what the scheduler thread has not heard of yet
    uint32_t told;                       // a  on the list of news
    struct processing_thread *next_told; // owned by whoever set told
    uint64_t until;                      // a  of its present block
    uint32_t blocks;                     // a  how often it has blocked; written by itself
    uint32_t answered;                   // a  the last of them that is over; written by the scheduler thread
    uint32_t heard;                      // s  the last of them that it has heard of
    bool     token;                      // s  woken while it was not blocked; s: the scheduler thread only
    uint32_t level;                      // s  its present priority
    bool     started;                    // s
    unsigned loads;                      // s  how often it has been loaded
    struct processing_thread *next;      // s  all resident threads
};

// Before ak_service(processing_poll), or in poll() while no thread is started.  slice: in ticks; priority: of active
// threads, at most the highest of the kernel less one, so that the scheduler thread comes first.
void processing_begin(const struct scheduler_operations *policy, uint64_t slice, uint32_t priority);
// The scheduler, for edf_admit before threads are started.
struct scheduler *processing_scheduler(void);
// To be called by poll() of ak_service, or to be it.  Gives back to ak_service until when it may sleep.
void processing_poll(void);

// Clear *t and allocate its state page and stack.  flags: LOAD_LOCKED, for a resident one.  ERR_LIMIT: no memory.
err_t processing_create(struct processing_thread *t, bool resident, uint32_t flags);
// Run fn(arg) on it, in the kernel's own space, as soon as the policy says so.  Once for each thread.  Its
// thread.resume is set before, if it has a program.  Never blocks.
void processing_start(struct processing_thread *t, void (*fn)(void *), void *arg);
// Block the calling thread, which must be t, until it is woken or the clock reaches `until` (0: never).  Returns at
// once if it was woken before, since its last block.
void processing_block(struct processing_thread *t, uint64_t until);
// Wake a thread; from any thread.  Never blocks.
void processing_wake(struct processing_thread *t);
// End the calling thread, which must be t.  Its memory comes back by ak_thread_collect().
_Noreturn void processing_exit(struct processing_thread *t);
