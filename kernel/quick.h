// quick.h - short ways for calls that are made most: switching to another thread, loading a mapping.
//
// Each does the usual case of a call in full, or nothing; then the call takes the long way, from its beginning.  Calls
// restart anyway, so nobody can tell which way one went.  Locking: takes the instance lock.
#pragma once
#include <abi/syscalls.h>
#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct thread;

static inline bool quick_has(uint64_t number)
{
    const uint64_t calls = 1ull << SYS_yield | 1ull << SYS_signal_wait | 1ull << SYS_mapping_load |
                           1ull << SYS_mapping_load_and_resume;
    return number < 64 && (calls >> number & 1);
}
// A call of these of the running thread.
void quick_call(struct cpu *cpu, struct thread *t, uint64_t number);
