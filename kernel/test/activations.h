// activations.h - for tests of spaces of activations: a space as its owner and its program see it.
//
// The first kernel's thread on processor 0 is the owner; it has the highest priority.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/activation.h>
#include <abi/syscalls.h>

#include "arch/host/host.h"
#include "sched.h"

enum { UPCALL = 0x500000, AREA = 0x10000000, STACKS = 0x20000000, FORWARDED = 1000, PRIORITY = 5 };

struct party {                           // a space of activations
    oid_t    space, thread[ACTIVATIONS_MOST];
    uint32_t activations, slots;
    pa_t     area, state[ACTIVATIONS_MOST];
    uint32_t given;                      // slots, by the program
    uint32_t lower;                      // than PRIORITY; before make()
};

extern uint64_t value;                   // what the last call gave

// A call of the thread that runs on n; -1: it does not run there any more.
int64_t call(uint32_t n, uint64_t number, uint64_t x, uint64_t y, uint64_t z);
// Deliver all interrupts.
void settle(void);
// Fresh memory.
pa_t frames(unsigned n);
struct space_kernel_page *page_of(const struct party *p);
struct space_user_page *user_of(const struct party *p);
struct activation_user *words(const struct party *p, uint32_t index);
struct upcall_slot *slot(const struct party *p, uint32_t i);
// The program gives a slot.
void give(struct party *p, uint32_t i);
struct space_desc describe(struct party *p);
int64_t load_space(struct party *p);
int64_t load_activation(struct party *p, uint32_t i, uint32_t run);
// Load a space and its activations, all fresh; the program wants so many processors.
void make(struct party *p, uint32_t activations, uint32_t slots, uint32_t wanted);
void boot(uint32_t cpus);
// For a test that has booted with other caches.
void activations_begin(void);
// The owner leaves processor 0, and takes it again.
void first_sleeps(void);
void first_wakes(void);
// Boot; one space, which wants all processors, and the owner leaves it processor 0.  With timers: `tick` is set.
void have(struct party *p, uint32_t cpus, uint32_t activations, uint32_t slots);
void have_timers(struct party *p, uint32_t cpus, uint32_t activations, uint32_t slots);
struct thread_state *state_of(const struct party *p, int i);
// Until it is written back.
void unload(struct party *p, int i);
// Which activation of p runs on processor n; -1: none.
int running(const struct party *p, uint32_t n);
// Events of one kind.
uint64_t times_told(const struct party *p, uint32_t kind);
// Processors that run claims of p are those it holds.
void held_right(const struct party *p);
// All of p is loaded, and it has been told everything.
void accounts_balance(const struct party *p);
struct frame *frame_on(uint32_t n);
// An upcall has just begun on n: its slots, and the kinds of all of them together.
uint32_t begun(struct party *p, uint32_t n, struct upcall_slot *out[UPCALL_BATCH]);
// The program is somewhere, with registers of its own.
void works(uint32_t n, uint64_t mark);
// A trap to the owner.
void trap(uint32_t n);
