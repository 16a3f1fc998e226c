// boot.h - what the machine found at start, as arch hands it to kernel_boot(); memory for what is made then.
#pragma once
#include "ranges.h"

enum { BOOT_RANGES = 64 };

struct boot_info {
    uint32_t cpus;                             // processors that will start, the boot processor is 0
    uint32_t clusters;
    struct ranges usable;                      // memory as the firmware says, page-aligned; BOOT_RANGES at most
    struct ranges free;                        // of it what nobody uses: no image, module, table
    uint8_t  cluster_of[ABI_MAX_CPUS];
    uint8_t  distance[16][16];
    pa_t     archive;                          // the boot archive, page-aligned
    uint64_t archive_length;
    const char *cmdline;
    uint64_t tsc_hz;                           // of arch_now()
    uint64_t wall_ns;                          // wall clock at the moment arch_now() read 0: nanoseconds since 1970
};

// Free memory, cleared, at a multiple of `align` (a power of two), and as much.  It is never given back: after boot
// nothing is allocated.  If there is none, `what` cannot be had, and boot is refused.
void *boot_take(struct boot_info *info, uint64_t size, uint64_t align, const char *what);
