// realtime.h - what the files of the real-time kernel share.
#pragma once
#include <processing.h>

#include "tasks.h"

enum { CALL_DONE = 1 };                  // of a task: the job is done (program.S)

// A task at work.  Written by its own thread, read when all have ended.
struct task {
    struct processing_thread thread;     // first: the cookie
    const struct task_input *input;
    uint64_t *page;                      // its memory, as this kernel sees it
    uint64_t period, deadline, units;    // I  in ticks; of work
    uint64_t first;                      // I  release
    uint64_t wanted;                     // I  releases within the run
    uint64_t begun, completed, late;
    uint64_t latency;                    // worst, from the release until the scheduler thread made it ready
    uint64_t start;                      //        until its job began
    uint64_t response;                   //        until its job was done
};

extern struct task task[TASKS];

// Load the tasks' space and mappings, locked, and admit the tasks.  NULL, or what cannot be, about *bad if not NULL.
const char *tasks_prepare(const struct tasks *input, const struct task_input **bad);
// Start all; the run begins soon.
void tasks_start(void);
void tasks_poll(void);                   // for ak_service: the scheduler, and the end of the run
unsigned tasks_wrong(void);              // what should never happen: faults, objects that did not stay
