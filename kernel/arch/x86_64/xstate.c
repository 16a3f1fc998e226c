// xstate.c - may these bytes be given to XRSTOR?
#include "xstate.h"

bool arch_xstate_ok(const uint8_t *area)
{
    const uint64_t *header = (const uint64_t *)(area + XSAVE_HEADER);
    uint32_t mxcsr = *(const uint32_t *)(area + XSAVE_MXCSR);
    uint64_t reserved = 0;                         // the compacted-format word and all that follow it

    for (unsigned i = 1; i < (XSAVE_HEADER_END - XSAVE_HEADER) / sizeof(*header); i++) {
        reserved |= header[i];
    }
    return (header[0] & ~(uint64_t)XSTATE_COMPONENTS) == 0 && reserved == 0 &&
           (mxcsr & ~(uint32_t)MXCSR_ALLOWED) == 0;
}
