// fair.c - max-min fair shares of processors.  See fair.h.
#include "fair.h"

// Who of this level takes part in the round: those who have `round` processors and want more.  `deal`: give them one.
static uint32_t take_part(struct claimant *c, uint32_t n, uint32_t level, uint32_t round, bool deal)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (c[i].level == level && c[i].wants > round) {
            c[i].gets += deal;
            count++;
        }
    }
    return count;
}

void fair_share(uint32_t processors, const uint32_t threads[CPU_LEVELS], struct claimant *c, uint32_t n)
{
    uint64_t levels = 0;                      // with claimants

    for (uint32_t i = 0; i < n; i++) {
        c[i].gets = 0;
        levels |= 1ull << c[i].level;
    }
    for (uint32_t level = CPU_LEVELS; level-- > 0 && processors > 0;) {
        uint32_t count = threads[level];      // of the first round
        for (uint32_t round = 0; processors > 0; round++, count = 0) {
            count += levels >> level & 1 ? take_part(c, n, level, round, true) : 0;
            if (count == 0) {
                break;
            }
            processors -= count < processors ? count : processors;
        }
    }
}
