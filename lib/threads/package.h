// package.h - how other thread packages stand on the same upcalls as FastThreads, in one program.
//
// A space has one area and one upcall handler (upcall.c).  What the handler knows of another package is its workers:
// flows with a record and a stack, on which the package runs whatever its own threads are (forked jobs, stackless
// tasks).  A worker has these states:
//   left      it is not used: nobody is on its stack
//   working   on a processor; or in the hands of the handler, or of who runs it next
//   parked    its own block routine: until its unblock routine is called
//   ready     it can go on: it was stopped (preempted, unblocked in the supervisor), or it was unparked
// Nothing is lost if a worker is stopped anywhere: its context is saved in its record, and it is ready.  A worker that
// is blocked in the supervisor takes no processor: another one runs.
//
// Processors: a scheduler (scheduler.c: who has nothing to run) asks FastThreads and the packages in turn; a package
// has at most `processors` at a time.  Ready workers go on first; if there is work for one more, one that is left
// begins.  All together want processors by threads_setup.processors, which is the limit of the program.  As there are
// no priorities between packages, a program that wants them to share processors fairly has an interval
// (threads_setup.interval).
//
// On kernel threads as processors (threads_processor) it is the same, but a worker that is blocked in the supervisor
// takes its processor with it, and counts among the package's all the time.  One to one there are no workers: where one
// waits a scheduler of the library's has to go on with another.
// A fault of a worker that nobody hears stops it for good; on kernel threads it ends the program.
// Scheduler Activations, 3.1 (any concurrency model); Psyche, 3.
#pragma once
#include "offsets.h"
#include "threads.h"

enum {
    PACKAGES_MOST = 8,
    PACKAGE_FLOWS = 256,                 // workers of a package
};
enum worker_phase {                      // in the record; PHASE_LEFT = 0
    WORKER_WORKS = 16,                   // on a processor, in somebody's hands, or parked
    WORKER_READY = 17,
};

// Letters: p the package's, before it begins; a atomic; I since a worker was made.
struct package {
    // A worker has begun: do what there is, and return when there is nothing.
    void (*run)(struct package *p, void *local);     // p
    // Whether there is work for one more worker.  Called by schedulers, which may be dropped inside: it only reads.
    bool (*some)(struct package *p);                 // p
    uint32_t processors;                 // p  at most at a time; any number that is more than there are means all
    size_t   stack;                      // p  bytes, of its workers; 0: THREAD_STACK
    size_t   local_size;                 // p  bytes of its own for each worker, zero at first
    int32_t  running;                    // a  workers on processors
    uint32_t flows;                      // a  workers that there are
    struct thread *flow[PACKAGE_FLOWS];  // I
    void *local[PACKAGE_FLOWS];          // I  NULL: not made yet
};

// Begin a package with so many workers; more are made when all wait.  Once, by the program before the first upcall or
// by any flow.  Blocked in the supervisor it needs as many others as it shall have processors then.
// THREAD_INVALID: no processors, no `workers`, more than PACKAGE_FLOWS, or threads one to one; THREAD_NO_MEMORY: of the
// program, or PACKAGES_MOST.
enum thread_status package_begin(struct package *p, uint32_t workers);

// There is more work, which somebody on another processor may do: ask for one, if the package may have more.  From any
// flow; never blocks.  If the work was published by a locked instruction before, nobody misses it; else the
// caller has to look at it himself sooner or later.
void package_ask(void);
static inline void package_more(const struct package *p)
{
    if (__atomic_load_n(&p->running, __ATOMIC_RELAXED) < (int32_t)p->processors) {
        package_ask();
    }
}

// How many workers there are; those that are just being made are NULL in `local`.
static inline uint32_t package_workers(const struct package *p)
{
    uint32_t n = __atomic_load_n(&p->flows, __ATOMIC_RELAXED);

    return n < PACKAGE_FLOWS ? n : PACKAGE_FLOWS;
}

// The caller's package; NULL if it is not a worker.
struct package *package_self(void);
// Of a worker: its local record.
static inline void *package_local(void)
{
    void *local;

    __asm__ volatile("movq %%fs:%c1, %0" : "=r"(local) : "i"(T_ARGUMENT));
    return local;
}

extern const char package_start[];
