// fair.h - how many processors each claimant gets: max-min fair shares, by level and processor.
//
// The policy of the processor allocator (allocator.h), and nothing else: it knows no threads and no spaces.
// Higher levels come first.  On one level each ready or running thread claims one processor, and each space of
// activations as many as it wants; processors are dealt in rounds, one to each who still wants one.  Who gets none
// while others on the same processors got one in this round has one more to claim too, and all of them take turns.
// A claimant may have its level on some processors only, and a lower one on the others. So it matters who has which:
// who gets one may make others move to other processors of theirs, along a chain that is searched, and nobody goes
// without for the order of dealing. A thread that runs does not move.
// Takes time in proportion to claimants, levels and processors where the levels of all are the same everywhere, and to
// claimants times processors where they are not.  Scheduler Activations, 4.1; Cache Kernel, 4.3.
#pragma once
#include "cpu.h"

struct claimant {
    uint32_t level;              // below CPU_LEVELS
    uint32_t wants;
    uint64_t where;              // processors where it has this level; on the others it is CPU_LEVELS / 2 lower, so if
                                 // it is not as high as that there are none
    uint64_t holds;              // it rather gets these
    struct space *space;         // whose it is, for the caller
    uint32_t gets;               // out: at most wants
    uint32_t most;               // out: what it would get if it wanted all, and the others what they want
    uint32_t had;                // for fair_share(): of it, what it got on higher levels
    struct claimant *next, *part;        // on its level; who takes part in the next round
};

enum { FAIR_NOBODY = 255 };

struct fair {
    uint32_t processors;
    uint64_t levels;                     // of threads
    uint32_t threads[CPU_LEVELS];        // ready or running there; those of other levels than `levels` do not count
    uint64_t where[CPU_LEVELS];          // processors on which such as are ready would be there
    uint8_t  runs[ABI_MAX_CPUS];         // level of the thread that runs on this processor; CPU_LEVELS: none
    uint8_t  owner[ABI_MAX_CPUS];        // out: number of the claimant that is to have it, or FAIR_NOBODY
    uint8_t  left[CPU_LEVELS];           // 0; out: processors left after that level, if somebody is on it
    bool     turns;                      // for fair_share(): somebody on the processors `failed` has more
    uint64_t all, free, failed, seated;  // processors; without owner; none to be had; of threads on this level
    struct claimant *c;
};

void fair_share(struct fair *f, struct claimant *c, uint32_t n);
