// memmap.h - from the firmware's list of memory to the ranges of struct boot_info.
//
// Pure: no hardware.  Interface: memmap_add, memmap_build.
#pragma once
#include "acpi_tables.h"
#include "boot.h"

struct memmap {                         // as the loader gave it
    struct ranges usable, other;
};

void memmap_add(struct memmap *m, pa_t base, uint64_t length, bool usable);
// Fill info's usable ranges (sorted, page-aligned inwards, below `limit`, split where the cluster changes)
// and everything about clusters.  info->cpus is set; order[i] is the place in f of processor i.  What is
// said to be usable and not usable is not usable.  Ranges beyond BOOT_RANGES are left out, the smallest
// first; gives how many.
uint32_t memmap_build(struct boot_info *info, const struct memmap *m, const struct acpi_facts *f,
                      const uint32_t *order, pa_t limit);
