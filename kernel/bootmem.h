// bootmem.h - memory at boot: what is usable, less what is reserved, handed out once and never again.
//
// After boot nothing is allocated.  Ranges are kept sorted; used by the boot processor alone.
#pragma once
#include <abi/types.h>

#include "boot.h"

struct bootmem {
    uint32_t count;
    struct { pa_t base, end; uint32_t cluster; } free[2 * BOOT_RANGES];
};

void bootmem_init(struct bootmem *m, const struct boot_info *info);
// `size` bytes at a multiple of `align` (a power of two), from the top of the highest range that has them, so that
// low memory stays free for devices and trampolines; 0 if there are none.  Contents undefined.
pa_t bootmem_take(struct bootmem *m, uint64_t size, uint64_t align);
// Take a stretch out of what is free, wherever it is.
void bootmem_reserve(struct bootmem *m, pa_t base, pa_t end);
