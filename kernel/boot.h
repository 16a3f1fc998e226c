// boot.h - what the machine found at start, as arch hands it to kernel_boot().
#pragma once
#include <abi/types.h>

enum { BOOT_RANGES = 64 };

struct boot_range {
    pa_t     base;
    uint64_t length;
};

struct boot_info {
    uint32_t cpus;                             // processors that will start, the boot processor is 0
    uint32_t clusters;
    uint32_t usable_ranges;
    uint32_t reserved_ranges;
    struct boot_range usable[BOOT_RANGES];     // memory, as the firmware says, sorted, page-aligned inwards
    struct boot_range reserved[BOOT_RANGES];   // in use inside usable: supervisor image, boot data, modules, trampoline
    uint8_t  usable_cluster[BOOT_RANGES];      // of usable[i]; ranges are split at cluster borders
    uint8_t  cluster_of[ABI_MAX_CPUS];
    uint8_t  distance[16][16];
    pa_t     archive;                          // the boot archive, page-aligned
    uint64_t archive_length;
    const char *cmdline;
};

// The largest physical address of memory, plus one: the extent of arch_phys() for memory.
pa_t boot_memory_end(const struct boot_info *info);
