// policy.h - who runs on which processor, and until when: a table of operations that a policy fills in.
//
// The pure part of the processing library: it knows threads as records, loads nothing and reads no clock, so it runs
// on the host too.  processing.h stands on it and does the loading.  A policy is a table of operations; most of
// scheduler_defaults fits most of them, so a new one takes that table and overrides what differs:
//
//     struct scheduler_operations mine = scheduler_defaults;
//     mine.before = my_order;
//
// States of a thread: out, blocked, ready; a ready one is active on one processor or waits.  The ready ones are on
// one list in the order of `before`, equal ones in the order in which they came; those active stay on it.
// Times are ticks of any one clock.  Nothing is locked: one thread calls everything here.
// Cache Kernel, 2.3 and 3.
#pragma once
#include <abi/types.h>

enum { SCHEDULER_CPUS = ABI_MAX_CPUS };

enum scheduled_state { SCHEDULED_OUT, SCHEDULED_BLOCKED, SCHEDULED_READY };

struct scheduled {                       // a thread, for the policy
    uint64_t mask;                       // I  a bit for each processor it may be active on; 0: all
    uint32_t tickets;                    // I  stride: its part of the time, 1 to STRIDE_MOST
    uint64_t execution, period, relative;    // I  earliest deadline: of a job, in ticks; relative: the deadline
    struct gang *gang;                   // I  gang: its gang

    // Written by the scheduler, for everyone to read.
    enum scheduled_state state;
    int      cpu;                        // where it is active; -1: nowhere
    uint64_t total;                      // ticks for which it was active
    uint64_t wake_at;                    // blocked: when it becomes ready by itself; 0: never
    uint64_t woken_at;                   // when it last became ready
    uint64_t deadline;                   // earliest deadline: of its present job

    uint64_t used;                       // below: the scheduler's and the policies' own.  Ticks of its slice
    uint64_t pass;
    bool     timed;
    struct scheduled *next, *prev;       // the ready list
    struct scheduled *next_timed;        // those with a wake_at, soonest first
    struct scheduled *next_fellow;       // of its gang
};

struct scheduler;
struct scheduler_operations {            // NULL: the default
    // A thread comes or goes; it is blocked.  Defaults: nothing.
    void (*enter)(struct scheduler *s, struct scheduled *t);
    void (*leave)(struct scheduler *s, struct scheduled *t);
    // It has become ready, at t->woken_at; is so no more.  Defaults: on the ready list, with a fresh slice; off it.
    void (*wake)(struct scheduler *s, struct scheduled *t);
    void (*block)(struct scheduler *s, struct scheduled *t);
    // It has been active for so many ticks more; `used` and `total` have been counted up.  May move it on the ready
    // list.  Default: nothing.
    void (*charge)(struct scheduler *s, struct scheduled *t, uint64_t ticks);
    // The order of the ready list.  Default: all are equal.
    bool (*before)(const struct scheduled *a, const struct scheduled *b);
    // Fill on[cpu], all NULL at first, with who is active from now on.  Default: scheduler_choose.
    void (*choose)(struct scheduler *s, struct scheduled *on[]);
    // For how many ticks the choice holds if nothing happens.  Default: for ever, which is 0.
    uint64_t (*holds)(const struct scheduler *s);
};

struct scheduler {
    struct scheduler_operations op;      // I  complete
    unsigned cpus;                       // I
    uint64_t slice;                      // I
    struct scheduled *on[SCHEDULER_CPUS];    // who is active
    unsigned ready_count, active_count;

    uint64_t charged[SCHEDULER_CPUS];    // below: its own.  Up to when the active thread has been charged
    struct scheduled *first, *last;      // ready
    struct scheduled *timed;
    uint64_t pass;                       // stride: of who was the furthest behind last
    uint64_t density[SCHEDULER_CPUS];    // earliest deadline: admitted
    struct gang *first_gang, *last_gang; // gang: those with somebody ready
};

// ---- policies, a file each --------------------------------------------------------------------------------

extern const struct scheduler_operations round_robin;    // a slice each, in turn
extern const struct scheduler_operations stride;         // time in proportion to tickets
extern const struct scheduler_operations earliest_deadline;
extern const struct scheduler_operations gang;           // a gang on as many processors at once, or not at all

enum { STRIDE_MOST = 1 << 16 };

// May t be scheduled too without anybody missing a deadline?  Takes t's execution, period and relative deadline, finds
// the first processor of its mask with so much time left, and sets the mask to that one; false: there is none, and
// nothing has changed.  The test is by density, execution / min(period, relative): exact for relative == period,
// on the safe side for shorter deadlines.  edf_dismiss undoes it.
bool edf_admit(struct scheduler *s, struct scheduled *t);
void edf_dismiss(struct scheduler *s, struct scheduled *t);

// A gang has at most as many threads as there are processors, else it is never chosen; their masks are cleared.  All
// of them that are ready are active, on different processors, or none is.
struct gang {
    struct scheduled *member;            // the gang policy's own, zero at first
    unsigned members, ready;
    uint64_t used;
    bool     queued;
    struct gang *next, *prev;
};

// ---- what the loader calls --------------------------------------------------------------------------------

void scheduler_init(struct scheduler *s, const struct scheduler_operations *op, unsigned cpus, uint64_t slice);
void scheduler_enter(struct scheduler *s, struct scheduled *t);          // out -> blocked
void scheduler_leave(struct scheduler *s, struct scheduled *t, uint64_t now);    // -> out
void scheduler_wake(struct scheduler *s, struct scheduled *t, uint64_t now);     // blocked -> ready
// ready -> blocked; until somebody wakes it or, if until is not 0, the clock reaches that.
void scheduler_block(struct scheduler *s, struct scheduled *t, uint64_t until, uint64_t now);
// Charge who is active, wake whose time has come, choose anew.  Gives when it has to be called again; 0: not before
// something happens.
uint64_t scheduler_run(struct scheduler *s, uint64_t now);

// ---- for policies -----------------------------------------------------------------------------------------

void scheduler_insert(struct scheduler *s, struct scheduled *t);         // into the ready list, by `before`
void scheduler_remove(struct scheduler *s, struct scheduled *t);
// Give t a processor that is free in on[] and in its mask: its own, one that nobody is active on, any.
bool scheduler_place(const struct scheduler *s, struct scheduled *t, struct scheduled *on[]);
// Let those that on[] moves away from the processor they are active on stay, where an exchange makes it possible.
void scheduler_keep(struct scheduler *s, struct scheduled *on[]);
// The first of the ready list that find a processor; who is active stays where he is if he still is one of them.
void scheduler_choose(struct scheduler *s, struct scheduled *on[]);
// Until the first slice ends, if somebody waits for a processor; else 0.
uint64_t scheduler_slice_rest(const struct scheduler *s);
void scheduler_fresh_slice(struct scheduler *s, struct scheduled *t);    // the default of `wake`
