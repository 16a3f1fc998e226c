// syscall.h - decoding and dispatch of the calls of abi/syscalls.def.
//
// A call is restartable until its result is written: while it runs, the saved RIP points at the SYSCALL
// instruction.  A call that is not done in one bounded step just returns to user mode like that, where
// interrupts are taken, and is executed again.  The same holds for a call one of whose pointers is not
// mapped: that is a page fault at the instruction.
#pragma once
#include "names.h"

bool syscall_is_any(uint64_t number);     // marked ANY in syscalls.def
void syscall_run(struct cpu *cpu, struct thread *t, uint64_t number);
