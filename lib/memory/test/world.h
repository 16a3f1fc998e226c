// world.h - the machine below the library in its unit tests: frames with users, objects with sizes, spaces and their
// mappings, and the frame-state table.
//
// The world watches the rules: a frame is not freed while it is mapped, none is writable and executable, memory that is
// not in use is poisoned.  Mappings and whole spaces are written back at random, as the supervisor may do it.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segment.h"

extern long world_allow;                 // how many more frames and objects there are; negative: enough
extern unsigned world_chaos;             // one in so many times something is written back; 0: never
extern unsigned world_most;              // frames in use at most
extern uint32_t world_cluster;           // asked for last
extern unsigned world_larges;            // mappings of 2 MiB that were loaded

void     world_begin(void);
void     world_seed(const char *name);   // from QUOIN_SEED, and says it
unsigned world_random(unsigned below);
unsigned world_frames(void);             // in use
size_t   world_objects(void);
pa_t     world_large(struct manager *m, const struct region *r);     // manager_ops.large
void     world_space(struct aspace *a);  // load a space if it has none
// An access of a program to one byte, through its mapping, with as many faults as it takes; 0 or the error of one.
err_t    world_reach(struct aspace *a, va_t va, uint64_t error, uint8_t **byte);
