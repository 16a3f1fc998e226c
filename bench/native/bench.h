// bench.h - what the parts of the native measurements share.
//
// Every number is the median of single measurements in ticks of the clock, less what an empty measurement costs.
// Output: `bench NAME COUNT` on port 0 for each.  What hardware charges for beside instructions: `events NAME
// KIND HUNDREDTHS`, how many of each kind one operation took, times 100, as the supervisor counts them; and `phase
// NUMBER NAME OPERATIONS`, so that tools/plugin/ring0.c, which counts by phases, can be asked what one took.
#pragma once
#include <appkernel.h>
#include <base.h>
#include <sys.h>

#include "marks.h"

enum { SAMPLES = 256 };

extern uint64_t bench_sample[SAMPLES];

// The median of the first n samples.
uint64_t bench_median(unsigned n);
void     bench_line(const char *name, uint64_t count);
// Ends everything with a message if e is an error.
void     bench_check(err_t e, const char *what);
// A cleared frame; ends everything if there is none.
pa_t     bench_frame(void);

// A phase: what is between MARK_ON and MARK_OFF from bench_begin to bench_end.
#define BENCH_MARK(mark) __asm__ volatile("nopl %c0(%%rax)" : : "i"(mark) : "memory")
void     bench_begin(void);
void     bench_end(const char *name, unsigned operations);
void     bench_events(const char *name, unsigned operations);      // since bench_begin
uint64_t bench_empty(void);                      // what clock, clock costs in C

void programs_init(void);
void programs_run(void);                         // programs.c: traps, faults, switches, signals
void signals_run(void);                          // signals.c: signals in their parts, and threads loaded again
void signals_far_run(void);                      // to a thread on another processor
void caches_run(void);                           // caches.c: loading and unloading of all four objects
void reclaim_run(void);                          // reclaim.c: a full kernel unloaded; locked objects
void parked_run(void);                           // parked.c: threads at rest as records
