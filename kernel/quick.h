// quick.h - short ways for calls that are made most: switching to another thread, loading a mapping.
//
// Each does the usual case of a call in full, or nothing; then the call takes the long way, from its beginning.  Calls
// restart anyway, so nobody can tell which way one went.  Locking: takes the instance lock.
#pragma once
#include <abi/syscalls.h>

struct cpu;

// A call of the running thread.
void quick_yield(struct cpu *cpu);
void quick_signal_wait(struct cpu *cpu);
void quick_mapping_load(struct cpu *cpu);
void quick_mapping_load_and_resume(struct cpu *cpu);
