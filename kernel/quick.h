// quick.h - short ways for calls that are made most: switching to another thread, loading and unloading a mapping.
//
// Each does the usual case of a call in full, or nothing; then the call takes the long way, from its beginning.  Calls
// restart anyway, so nobody can tell which way one went.  Mappings take it also if somebody else has the lock: the wait
// costs more than it does.  Locking: takes the instance lock.
#pragma once
#include <abi/syscalls.h>

#include "names.h"

// A call of the running thread; it is done afterwards, the one way or the other.
typedef void (*quick_way)(struct cpu *cpu);

// NULL for calls that have no short way.
extern const quick_way quick_ways[SYS_COUNT];
