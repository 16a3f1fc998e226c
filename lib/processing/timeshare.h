// timeshare.h - the UNIX policy: who has used much comes after who has used little.
//
// Pure, like policy.h, but no table of operations: under this policy the supervisor chooses who runs, by priority, and
// the policy only sets priorities, once in each interval.  A thread is on a level; 0 is the best.
//
//   usage    what it ran, in intervals, decayed: over n ready threads to a processor 2n/(2n+1) of it are left after an
//            interval.  So a thread that runs all the time has 3, one of many that share a processor evenly 2, and one
//            that has stopped is forgiven in about as many intervals as threads wait for the processor.
//   nice     each step makes the ticks that it runs count 5/4 times as much, so that the processor is divided in that
//            proportion; five steps are a level besides, which orders those who have used nothing.
//   batch    as if it were five steps nicer.
//   idle     on the last level, whatever it used.
//   waited   who is ready and has not run for AGING intervals goes to level 0 until he has.  So nobody starves: a
//            thread that is to end does, and one that holds a lock gives it back.
//
// Locking: `setting` is written by anybody, atomically; the rest belongs to the one thread that calls timeshare_renew.
// Cache Kernel, 2.3 (UNIX-style scheduling) and 4.3 (compute-bound programs at low priority cost less of the share).
#pragma once
#include <abi/types.h>

enum timeshare_kind { TIMESHARE_NORMAL, TIMESHARE_BATCH, TIMESHARE_IDLE };

enum {
    TIMESHARE_LEVELS = 14,
    TIMESHARE_AGING = 64,                // intervals
    TIMESHARE_INTERVAL = 1024,           // the unit in which run time is told
    TIMESHARE_NICE_LEAST = -20, TIMESHARE_NICE_MOST = 19,
};

struct timeshare {                       // a thread, for the policy; all zero at first: normal, nice 0
    uint32_t setting;                    // a  see timeshare_set
    uint32_t level;                      // for everyone to read
    uint32_t usage;                      // in 1/1024 of an interval
    uint32_t waited;                     // intervals for which it was ready and did not run
};

// Kind and nice value, from TIMESHARE_NICE_LEAST to TIMESHARE_NICE_MOST, as from the next interval.
void timeshare_set(struct timeshare *t, enum timeshare_kind kind, int nice);
enum timeshare_kind timeshare_kind(const struct timeshare *t);
int timeshare_nice(const struct timeshare *t);
// A child begins with its parent's kind, nice value and usage: many short lives are worth no more than a long one.
void timeshare_inherit(struct timeshare *child, const struct timeshare *parent);

// The end of an interval, or of several that were not worth the look (at least 1).  ran: how long t has run since the
// last time, in 1/1024 of an interval; ready: it does not sleep; load: ready threads to a processor, at least 1.
// Sets and gives its level.
uint32_t timeshare_renew(struct timeshare *t, uint64_t ran, bool ready, unsigned load, unsigned intervals);

// The priority of a level: level 0 is `highest`, the others are below it as far as there are priorities.
uint32_t timeshare_priority(uint32_t level, uint32_t highest);
