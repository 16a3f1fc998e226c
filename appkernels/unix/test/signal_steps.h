// signal_steps.h - what the tests of signals do: send, block, handle, return.
//
// Each test has a new process, `task`, child of machine_first, which sends.
#pragma once
#include "machine.h"

#define HANDLER 0x401000ull
#define RESTORER 0x402000ull
enum { SLOT_ACTION = 1, SLOT_SET, SLOT_OLD, SLOT_INFO, SLOT_TIME };
#define SLOT(n) (MACHINE_DATA + (n) * ABI_PAGE)

extern struct task *task;

int signal_setup(void **state);
int signal_teardown(void **state);
void put(struct task *t, unsigned slot, const void *bytes, size_t n);
void get(struct task *t, unsigned slot, void *bytes, size_t n);
long action(struct task *t, int signal, uint64_t handler, uint64_t flags, uint64_t mask);
long mask(struct task *t, int how, uint64_t set);
uint64_t pending(struct task *t);
long kill_it(int signal);
long queue_it(int signal, uint64_t value);
int entered(struct task *t);
void leave_handler(struct task *t);
