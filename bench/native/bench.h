// bench.h - what the parts of the native measurements share.
//
// Every number is the median of single measurements in ticks of the clock, less what an empty measurement costs.
// Output: `bench NAME COUNT` on port 0 for each.  `events NAME KIND HUNDREDTHS` says what hardware charges for beside
// instructions: how many of each kind one operation took, times 100.
#pragma once
#include <appkernel.h>
#include <base.h>
#include <sys.h>

enum { SAMPLES = 256 };

extern uint64_t bench_sample[SAMPLES];

// The median of the first n samples.
uint64_t bench_median(unsigned n);
void     bench_line(const char *name, uint64_t count);
// Ends everything with a message if e is an error.
void     bench_check(err_t e, const char *what);
// A cleared frame; ends everything if there is none.
pa_t     bench_frame(void);
void     bench_events(const char *name, unsigned operations);      // since the last bench_events
uint64_t bench_empty(void);                      // what clock, clock costs in C

void programs_run(void);                         // programs.c: traps, faults, switches, signals
void caches_run(void);                           // caches.c: loading and unloading of all four objects
