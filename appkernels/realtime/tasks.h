// tasks.h - the input of the real-time kernel: which tasks there are, and for how long they run.
//
// Lines of words; `#` begins a comment; times are microseconds.
//     task NAME PERIOD EXECUTION DEADLINE PHASE [WORK]
//     run TIME
// A task is released at PHASE and then every PERIOD; each job is to be done DEADLINE after its release and takes
// EXECUTION of a processor.  WORK is what a job really takes, if that is something else: for overload.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TASKS = 16, TASK_NAME = 16, TASK_LONGEST = 10000000, RUN_LONGEST = 60000000 };

struct task_input {
    char     name[TASK_NAME];
    uint64_t period, execution, deadline, phase, work;   // 1 <= execution, 1 <= deadline <= period <= TASK_LONGEST
};

struct tasks {
    struct task_input task[TASKS];
    unsigned count;                      // at least 1
    uint64_t run;                        // at least 1; 1 s if the input does not say
};

struct tasks_error {
    unsigned line;                       // 0: the whole
    char     text[80];
};

// False, with the line and what is wrong with it, for a text that is no such input.
bool tasks_parse(struct tasks *t, const char *text, size_t length, struct tasks_error *error);
