// par.h - the few things that the simulation asks of a thread package.
//
// A file for each package gives them: par_native.c kernel threads of appkernels/native, one to one; par_fast.c
// FastThreads (lib/threads);
// test/par_host.c pthreads.  All the types may be zero at first, and stay where they are.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct par_thread { uint64_t word[8]; };
struct par_mutex { uint64_t word[8]; };
struct par_cond { uint64_t word[8]; };

// Memory of zeros, never given back; NULL: there is none.
void *par_memory(size_t size);
// A thread that runs run(arg); false: it could not be made.  Each is joined once; then *t may be used again.
bool par_fork(struct par_thread *t, void (*run)(void *arg), void *arg);
void par_join(struct par_thread *t);

void par_lock(struct par_mutex *m);
void par_unlock(struct par_mutex *m);
// Let the mutex go and wait, then have it again.  May return without a cause.
void par_wait(struct par_cond *c, struct par_mutex *m);
// The mutex of those who wait is held.
void par_wake_all(struct par_cond *c);

// Block the calling thread in the kernel for so many ticks: the read of a disk.
void par_block(uint64_t ticks);
// The parallel clock (abi/boot.h), or the nearest that there is.
uint64_t par_clock(void);
