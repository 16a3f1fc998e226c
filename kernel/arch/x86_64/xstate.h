// xstate.h - may these bytes be given to XRSTOR?
#pragma once
#include <abi/types.h>

enum { XSAVE_MXCSR = 24, XSAVE_HEADER = 512, XSAVE_HEADER_END = 576 };
enum { MXCSR_INITIAL = 0x1f80, MXCSR_ALLOWED = 0xffff, XSTATE_COMPONENTS = 7 };

// An XSAVE area of XSTATE_SIZE bytes, 64-byte aligned: standard format, nothing but x87, SSE and AVX, no
// reserved bits. Hardware checks the same and faults; QEMU does not check.
bool arch_xstate_ok(const uint8_t *area);
