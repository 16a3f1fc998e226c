// xstate.h - the XSAVE area of a state page, as far as XRSTOR does not check it on every machine.
#pragma once
#include <abi/types.h>

enum { XSAVE_MXCSR = 24, XSAVE_HEADER = 512 };
enum { MXCSR_INITIAL = 0x1f80, MXCSR_ALLOWED = 0xffff };

// No reserved bit.  Hardware checks that as it loads MXCSR, and faults; QEMU does not.
static inline bool mxcsr_ok(uint32_t mxcsr)
{
    return (mxcsr & ~(uint32_t)MXCSR_ALLOWED) == 0;
}
