// memmap.h - from the firmware's list of memory to the ranges of struct boot_info.
//
// Pure: no hardware.  Interface: memmap_build, memmap_reserve, memmap_find.
#pragma once
#include "acpi_tables.h"
#include "boot.h"

enum { MEMMAP_ENTRIES = 256 };

struct memmap {                         // as the loader gave it
    uint32_t count;
    uint32_t left_out;                  // did not fit
    struct memmap_entry {
        pa_t     base;
        uint64_t length;
        bool     usable;
    } entry[MEMMAP_ENTRIES];
};

void memmap_add(struct memmap *m, pa_t base, uint64_t length, bool usable);
// Fill info's usable ranges (sorted, page-aligned inwards, below `limit`, split where the cluster changes)
// and everything about clusters.  info->cpus is set; order[i] is the place in f of processor i.  What is
// said to be usable and not usable is not usable.  Ranges too many for info are left out, the smallest
// first; gives how many.
uint32_t memmap_build(struct boot_info *info, const struct memmap *m, const struct acpi_facts *f,
                      const uint32_t *order, pa_t limit);
// Note a stretch as in use.  False: the list is full.
bool memmap_reserve(struct boot_info *info, pa_t base, uint64_t length);
// The lowest `size` usable bytes in [low, high) at a multiple of `align` that are not reserved; 0 if there
// are none.
pa_t memmap_find(const struct boot_info *info, uint64_t size, uint64_t align, pa_t low, pa_t high);
