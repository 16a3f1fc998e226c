// count.h - tests that count what operations take, by single steps on one processor: the frame (count.c).
#pragma once
#include "host.h"

static volatile uint64_t *const steps = &host.steps;

// ---- given by the test
void *count_first(void *argument);       // the first thread: measures
bool count_begin(void);                  // after threads_begin; false: no memory
bool count_report(void);                 // prints what it took; false: more than it may
