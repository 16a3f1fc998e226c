// mp3d.h - the wind tunnel's application kernel: a program space, its workers, and the memory they fault in.
#pragma once
#include <appkernel.h>

#include "program/program.h"
#include "sim/sim.h"

struct worker {
    struct ak_thread thread;             // first: the cookie
    unsigned number;                     // I
};

// ---- memory.c: the program's space ------------------------------------------------------------------------

// Make the segments and show them in the program's address space; NULL: there is no memory.
struct sim *memory_init(void);
uint64_t memory_faults(void);            // handled so far
uint64_t memory_pages(void);             // given so far
// The last step of each handler: back into the program, whose space is loaded again if it is gone.
_Noreturn void memory_return(struct worker *w);

// ---- main.c -----------------------------------------------------------------------------------------------

// End the whole kernel with this value; the calling worker's thread ends.
_Noreturn void worker_end(struct worker *w, int value);
