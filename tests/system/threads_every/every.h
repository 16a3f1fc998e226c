// every.h - what the files of this test share.
#pragma once
#include <base.h>
#include <threads_native.h>

#include "../../../lib/threads/test/operations.h"

// ---- places.c: the instructions of the library, and at which of them somebody was stopped

bool places_read(void);
bool places_stopped(uint64_t rip);               // true: the first time there
extern uint64_t places_stops;
enum place_kind { PLACE_NONE, PLACE_CRITICAL, PLACE_COPY, PLACE_WAIT, PLACE_REST, PLACE_KINDS };
enum place_kind place_kind(uint64_t rip);
uint32_t place_function(uint64_t rip);           // its number, 1 and up; 0: not the library
bool places_report(void);                        // false: too few

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
void *moments_memory(size_t bytes);              // threads_memory.allocate
