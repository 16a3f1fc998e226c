// steal.h - fork and join by work stealing: jobs instead of threads.
//
// A job is a function and a record on its parent's stack.  To spawn one is to put its record on the worker's own deque;
// to sync is to take it off again and call it, unless somebody has stolen it meanwhile.  So a job that nobody steals
// costs little more than a call, and needs no stack.  Processors that have nothing take the oldest job, the
// largest piece, from another worker.  A worker whose job has been stolen and is not through parks, and another worker
// runs on its processor.
//
// A job is preempted or blocked as any flow: its worker's context comes back in a slot and goes on; jobs that lie on
// the deque of a stopped or waiting worker are stolen like others.  A job may block by the waitable convention
// (waitable.h, event.h), and functions of FastThreads that do not block may be called.  PACKAGE_FLOWS jobs can wait at
// once.
//
// It is one of the packages that share a program's processors (package.h).  Stealing children, not continuations: those
// would need a stack for each spawn, or a compiler that knows of it.
// Scheduler Activations, 3.1 (any concurrency model); Psyche, 3.  The deque's paper is in deque.h.
#pragma once
#include <abi/types.h>

#include "../threads/event.h"
#include "../threads/package.h"
#include "deque.h"

struct steal_job {                       // of its parent, until it has been synced
    void (*fn)(void *);
    void *argument;
    struct event over;
    struct steal_job *next;              // of a root
};

struct steal {
    struct package package;
    struct steal_job *roots;             // a  begun by steal_call, not taken yet
    uint64_t stolen;                     // a
};

struct steal_worker {                    // package.local, for the package itself and tests
    struct steal *home;                  // o
    uint32_t victim;                     // o  where the last theft was
    struct deque deque;
};

// Begin the package: at most `processors` at a time; so many workers at first, more when they wait; stack: bytes,
// 0: THREAD_STACK; spawns that are nested on one worker share its stack.  After threads_begin, before the first upcall
// or from any flow; once.  Never ends.  THREAD_INVALID, THREAD_NO_MEMORY: as package_begin.
enum thread_status steal_begin(struct steal *s, uint32_t processors, uint32_t workers, size_t stack);

// Run fn(argument) as a job and wait until it has returned; blocks by the caller's own routine.  From any flow with a
// stack, of any package.
void steal_call(struct steal *s, void (*fn)(void *), void *argument);

// ---- inside of jobs only ------------------------------------------------------------------------------------

// Let fn(argument) run before the sync of this job, here or elsewhere.  Never blocks, never fails: with DEQUE_SIZE jobs
// on the worker's deque it is called at once.  The record is not used for another job before its sync.
void steal_spawn(struct steal_job *job, void (*fn)(void *), void *argument);
// Until the job has returned.  Spawned last, synced first is the quick way; other orders work.  Every job is synced
// before the function that has its record returns.  Blocks.
void steal_sync(struct steal_job *job);
// fn(from, to, argument) for parts of [from, to), none longer than grain (0 is 1); none if that is empty.  Blocks until
// all have returned.
void steal_for(uint64_t from, uint64_t to, uint64_t grain, void (*fn)(uint64_t, uint64_t, void *), void *argument);
