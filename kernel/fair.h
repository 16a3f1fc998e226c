// fair.h - how many processors each claimant gets: max-min fair shares, by level.
//
// The policy of the processor allocator (allocator.h), and nothing else: it knows no threads and no spaces.
// Higher levels come first.  On one level each ready or running thread claims one processor, and each space of
// activations as many as it wants; processors are dealt in rounds, one to each who still wants one.  If the last round
// has fewer than there are claimants, all of them get one more to claim, and take turns.
// Takes time in proportion to claimants, levels and processors; for `most`, to claimants times rounds.
// Scheduler Activations, 4.1.
#pragma once
#include "cpu.h"

struct claimant {
    uint32_t level;              // below CPU_LEVELS
    uint32_t wants;
    uint32_t gets;               // out: at most wants
    uint32_t most;               // out: what it would get if it wanted all, and the others what they want
    struct claimant *next, *part;        // for fair_share(): on its level; who takes part in the next round
};

// threads[level]: ready or running there; those of other levels than `levels` do not count.
void fair_share(uint32_t processors, uint64_t levels, const uint32_t threads[CPU_LEVELS], struct claimant *c,
                uint32_t n);
