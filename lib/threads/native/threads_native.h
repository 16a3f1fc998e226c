// threads_native.h - the threads library for native programs (lib/native): how it gets processors and memory.
//
// A program says THREADS_NATIVE and defines threads_program(), the library's first thread.  The same file runs in three
// ways, as its policy line and its words say:
//   schedule=activations      FastThreads on activations
//   virtual=N                 FastThreads on N kernel threads, which the supervisor schedules without knowing of the
//                             library's threads: one that blocks in the kernel takes its processor with it
//   neither                   each thread is a kernel thread: the middle priority is the program's own, those below and
//                             above are spread over what native_info says that it may have
// Other words: processors=N (at most; all of the machine's), interval=TICKS (rotation of equals; 0, never; without
// meaning one to one), spins=N.
//
//   activations.c  the first way, with entry.S     virtual.c  the second     kernel.c  the third     memory.c  stacks
#pragma once
#include <native.h>
#include <threads.h>

// The first thread; what it gives ends the program.
int threads_program(const struct native_info *info);
// The program may change what the words have set: machine.event, order, stack.  May be left out.
void threads_program_setup(struct threads_setup *setup);

// The supervisor's page of the program's area; NULL on kernel threads.
static inline const struct space_kernel_page *threads_native_area(void)
{
    return (const struct space_kernel_page *)native_told()->area;
}

// Once in a file of the program.  activations: how many of its threads can be in the kernel at once, and some more;
// slots: four times as many is plenty.
#define THREADS_NATIVE(activations, slots)                                                                  \
    _Static_assert((activations) <= 64, "entry.S: their blocks are in one page");                           \
    NATIVE_NOTE(threads_native_upcall, activations, slots)

// ---- for the files of this folder

// What the words say.
void threads_native_words(struct threads_setup *setup);
// Ends the program with what threads_program gives.
void *threads_native_first(void *info);
// The library cannot begin, as threads_begin() says.
_Noreturn void threads_native_failed(enum thread_status why);
// Begin the library.
_Noreturn void threads_native_virtual(struct threads_setup *setup, uint32_t processors);
_Noreturn void threads_native_kernel(struct threads_setup *setup);
void *threads_native_memory(size_t bytes);       // for threads_memory.allocate
uint64_t threads_native_clock(void);             // for threads_machine.now
