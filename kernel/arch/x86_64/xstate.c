// xstate.c - may these bytes be given to XRSTOR?
#include "xstate.h"

bool arch_xstate_ok(const uint8_t *area)
{
    const uint64_t *h = (const uint64_t *)(area + XSAVE_HEADER);
    uint32_t mxcsr = *(const uint32_t *)(area + XSAVE_MXCSR);
    uint64_t reserved = h[1] | h[2] | h[3] | h[4] | h[5] | h[6] | h[7];   // the compacted-format word, and all after it

    return (h[0] & ~(uint64_t)XSTATE_COMPONENTS) == 0 && reserved == 0 && (mxcsr & ~(uint32_t)MXCSR_ALLOWED) == 0;
}
