// every.h - what the files of this test and of packages_every share.
#pragma once
#include <base.h>
#include <threads_native.h>

#include "../../../lib/threads/test/operations.h"

enum place_kind {                        // the parts of the libraries: lib/threads, then the packages
    PLACE_NONE, PLACE_CRITICAL, PLACE_COPY, PLACE_WAIT, PLACE_REST, PLACE_STEAL, PLACE_TASKS, PLACE_CTHREADS,
    PLACE_KINDS
};

// ---- the program: what it does, and what it has to come to (threads.c; packages_every)

struct every {
    const char *table;                           // the file, of tools/instructions
    const struct operation *const *operations;   // lists of them, then NULL
    const struct operation *const *large;        // likewise: too long for the timer, so stopped by breakpoints only
    const struct operation *const *races;        // likewise: of those of `operations`, to be stopped in both flows
    unsigned least[PLACE_KINDS];                 // of 100 instructions of a part it executes so many; 0: not its part
    const struct unused { const char *name, *why; } *unused;     // functions that it does not run, then NULL
};
extern const struct every every;
int every_run(void);                             // what has failed

// ---- places.c: the instructions of the library, and at which of them somebody was stopped

enum place_state {                       // bits
    PLACE_BY_TIMER = 1,                  // somebody was stopped there by the timer
    PLACE_BY_BREAK = 2,                  // likewise by a breakpoint
    PLACE_ARMED = 4,                     // there is a breakpoint
    PLACE_LOCKED = 8,                    // who was stopped before it has found its lock taken
};
struct instruction {
    uint32_t at;                         // distance from the beginning of the text
    uint16_t function;                   // its number, 1 and up
    uint8_t  state, code;                // code: what is behind a breakpoint
};
bool places_read(void);
bool places_stopped(uint64_t rip);               // by the timer.  True: the first time there
extern uint64_t places_stops;
enum place_kind place_kind(uint64_t rip);
struct instruction *place_find(uint64_t rip);          // NULL: not the library
struct instruction *place_number(uint32_t i);          // NULL: that was all
uint64_t place_address(const struct instruction *p);
uint32_t place_function(uint64_t rip);           // its number; 0: not the library
bool places_report(void);                        // false: one was executed and nobody stopped there, or too few

// ---- breaks.c

void breaks_set(void);                           // wherever nobody was stopped yet
bool breaks_hit(const struct frame *context);    // true: a breakpoint has stopped it, which is gone
void breaks_look(void);                          // at each upcall
extern bool breaks_gone;                         // since they were set, because slots were few
extern uint64_t breaks_hits;
uint8_t place_code(const struct instruction *p, unsigned n);       // byte n of the instruction
enum { LONGEST = 15 };                           // bytes of an instruction

// ---- locks.c

uint32_t *lock_taken(const struct instruction *p, const struct frame *f);      // by that instruction; NULL: none

// ---- moments.c: who is stopped when

enum { STOPS = 4 };
struct plan {
    unsigned stops;                              // at most
    uint64_t after[STOPS];                       // instructions from operation_begin(), then from each upcall on
    uint64_t seed;                               // not 0: locks are held at random
};
struct moment {
    unsigned stops;
    uint64_t at[STOPS];
    bool fresh;                                  // the last one was the first there
};
// Run it once, disturbed.
struct moment moments_run(const struct operation *o, const struct plan *p);
void moments_begin(void);
extern uint64_t moments_preempted;               // stopped by a breakpoint, and not preempted at the same time
// Whoever is stopped next finds that this worker, which has parked or does so now, was unblocked before: as by another
// processor.  *go becomes true, which it looks at (waitable.h).  From then on whoever is stopped comes after the other
// one of the package's first two workers.
void moments_between(struct waitable *parked, volatile bool *go);
