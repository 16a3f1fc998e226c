// programs.h - programs of programs.S, each in a space of its own, and the thread that runs it.
#pragma once
#include "bench.h"

extern const char programs_begin[];

enum { TEXT = 0x400000, DATA = 0x800000, MESSAGES_OUT = 0x900000, MESSAGES_IN = 0xa00000, PRIORITY = 4 };

struct program {
    oid_t space, thread;
    pa_t  data[2], state, stack, place;
};

// Where a label of programs.S is in its space.
static inline va_t program_address(const char *label)
{
    return TEXT + (va_t)(label - programs_begin);
}

// Load a space with text and data, and make the registers with which `code` starts SAMPLES times.
void program_load(struct program *p, const char *code, uint32_t rule);
// A thread for it, on processor 0.
struct thread_desc program_thread(const struct program *p);
// A message page from one thread to another.
void program_connect(struct program *from, struct program *to, pa_t page);
// Wait until it has unloaded itself; its samples then are bench_sample.
void program_wait(struct program *p);
void program_unload(struct program *p);
extern pa_t programs_text;                        // the frame of all of them
uint64_t programs_empty(void);                   // what clock, clock costs in such a program
