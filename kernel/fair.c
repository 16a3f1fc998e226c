// fair.c - max-min fair shares of processors.  See fair.h.
#include "fair.h"

void fair_share(uint32_t processors, uint64_t levels, const uint32_t threads[CPU_LEVELS], struct claimant *c,
                uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        c[i].gets = 0;
        levels |= 1ull << c[i].level;
    }
    for (uint32_t level; levels != 0 && processors > 0; levels &= ~(1ull << level)) {
        level = 63 - (uint32_t)__builtin_clzll(levels);
        uint32_t count = threads[level];      // of the first round
        for (uint32_t round = 0; processors > 0; round++, count = 0) {
            for (uint32_t i = 0; i < n; i++) {        // who has `round` processors and wants more takes part
                bool part = c[i].level == level && c[i].wants > round;
                c[i].gets += part;
                count += part;
            }
            if (count == 0) {
                break;
            }
            processors -= count < processors ? count : processors;
        }
    }
}
