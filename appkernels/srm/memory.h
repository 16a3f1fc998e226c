// memory.h - the machine's memory in 2-MiB units: what is free, what is given.
//
// A unit that comes back is noted as used: its bytes belonged to somebody, and whoever gives it again
// clears it. Only the main thread calls this.
#pragma once
#include <abi/boot.h>
#include <stdbool.h>

enum { MEMORY_UNITS = 65536 };           // 128 GiB; what lies above is not given to anybody

void     memory_init(const struct memory_range *range, unsigned count);
// Take `units` in at most `most` ranges: one if it can be, else the longest, of one cluster where possible.
// Gives the number of ranges; 0, and nothing is taken, if there is not so much.
unsigned memory_take(uint64_t units, struct memory_range *range, unsigned most);
void     memory_give(const struct memory_range *range);
bool     memory_is_used(pa_t unit);      // was it given before it was taken last?
// How much can be taken in at most `most` ranges.
uint64_t memory_available(unsigned most);
