// loader.h - what the loader left in memory, PVH or Multiboot2, in one form.
//
// Pure except that physical addresses are turned into pointers by the function the caller gives.
#pragma once
#include <abi/boot.h>

#include "memmap.h"

enum { LOADER_PVH = 0, LOADER_MULTIBOOT2 = 1 };

struct loader {
    struct memmap map;
    pa_t     archive;                          // first module, 0: none
    uint64_t archive_length;
    uint8_t  rsdp[36];                         // Multiboot2: a copy of the ACPI root pointer
    uint32_t rsdp_length;                      // 0: none
    pa_t     rsdp_at;                          // PVH: where it is
    char     cmdline[SYSTEM_CMDLINE];
};

// NULL, or why the loader's information cannot be used.
const char *loader_read(struct loader *l, uint32_t protocol, pa_t information, void *(*at)(pa_t));
