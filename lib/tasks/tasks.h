// tasks.h - stackless tasks and futures: functions that return instead of waiting.
//
// A task is a function and a record, at the head of whatever state it keeps.  The function runs to its next wait, says
// so by what it returns, and is called again when that may be over; where it was is in its record (`at`, or what it
// likes).  So a waiting task takes no stack, and a million of them only their records.
//     states   queued -> running -> done
//                          running -> waiting -> queued          a wait, and its end
//                          running -> woken -> queued            its end came first
// Tasks run on the workers of the package, of which each processor has one (package.h); a task that is stopped goes on
// with its worker, and tasks that a stopped worker has in its queue are taken by others.
//
// A task has a struct waitable like a flow with a stack, so it can be on the list of any object that knows the
// convention (event.h); but it never calls a block routine.  If it does call something that blocks, as it may, its
// worker waits.
// Scheduler Activations, 3.1 (any concurrency model); Psyche, 3.
#pragma once
#include "../threads/event.h"
#include "../threads/package.h"

enum task_step {
    TASK_DONE,                           // it has ended; the record is its owner's again when `over` has happened
    TASK_WAIT,                           // after a task_wait_* that said true
    TASK_AGAIN,                          // let others run, then call again
};

struct task;
typedef enum task_step task_fn(struct task *t);

struct tasks {
    struct package package;
    struct task *queue;                  // a  begun or unblocked by others, the last one first
};

struct task {
    struct waitable waitable;            // I
    struct task *next;                   // of a queue
    struct tasks *home;                  // I
    task_fn *fn;                         // I
    uint32_t state;                      // a  enum task_state
    uint32_t at;                         // the function's own; 0 at first
    struct waiter waiter;                // its place on a list
    bool waits;                          // it is or was there
    struct event over;                   // it has ended
};

// Begin the package, with at most `processors` at a time and so many workers at first, more when they wait.  After
// threads_begin, before the first upcall or from any flow; once.  Never ends.  THREAD_INVALID, THREAD_NO_MEMORY: as
// package_begin.
enum thread_status tasks_begin(struct tasks *home, uint32_t processors, uint32_t workers);

// Begin a task: fn is called soon, on a worker.  From any flow or task; never blocks.  The record is the caller's
// memory, and is not touched after `over` has happened.
void task_begin(struct tasks *home, struct task *t, task_fn *fn);
// A continuation: the same, when the event has happened, or at once if it has.
void task_begin_after(struct tasks *home, struct task *t, task_fn *fn, struct event *after);

// ---- inside of the task's function only: true means, return TASK_WAIT and ask again when called again -------

// None of these blocks.
bool task_wait(struct task *t, struct event *e);             // until it has happened
bool task_wait_units(struct task *t, struct units *u);       // false: the task has taken one
// The caller has put t->waiter on a list itself, for an unblock: until that comes.
bool task_wait_woken(struct task *t);

// ---- futures ------------------------------------------------------------------------------------------------

// A value that comes later.  Once it is set it stays; any number may wait, of any kind.
struct future {
    struct event set;
    void *value;                         // after `set`
};
void future_init(struct future *f);
void future_set(struct future *f, void *value);              // once; from anywhere; never blocks
void *future_wait(struct future *f);                         // a flow with a stack; blocks by its own routine
// Inside of the task's function only, as task_wait; f->value when it says false.
static inline bool task_wait_future(struct task *t, struct future *f)
{
    return task_wait(t, &f->set);
}

// One event when all of several have happened.  It is a waitable whose unblock routine counts.
struct when_all {
    struct waitable waitable;
    uint32_t left;                       // a
    struct event all;
};
// n events are to be added; then `all` happens.  With n = 0 it has happened.  From anywhere; never blocks.
void when_all_init(struct when_all *w, uint32_t n);
// `link` is the caller's, one for each event, until that has happened.  From anywhere; never blocks.
void when_all_add(struct when_all *w, struct event *e, struct waiter *link);
