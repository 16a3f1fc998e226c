// ranges.h - lists of stretches of memory at boot: sorted, never overlapping.
//
// Pure: no hardware, nothing allocated.  Used by the boot processor alone.
#pragma once
#include <abi/types.h>

enum { RANGES_MOST = 512 };

struct ranges {
    uint32_t count;
    uint32_t left_out;                  // stretches that are not in the list, since it was full
    struct range {
        pa_t     base, end;
        uint32_t cluster;               // while memmap.c works on them: the firmware's number of it
    } r[RANGES_MOST];
};

// Add [base, end), less what is there, or take it away.
void ranges_add(struct ranges *l, pa_t base, pa_t end);
void ranges_subtract(struct ranges *l, pa_t base, pa_t end);
// What of [base, end) is in the list gets this cluster.
void ranges_place(struct ranges *l, pa_t base, pa_t end, uint32_t cluster);
void ranges_remove(struct ranges *l, uint32_t at);
// Take `size` bytes of [low, high) at a multiple of `align` (a power of two) out of the list, from the top of the
// highest range that has them, so that low memory stays free for devices; 0 if there are none.
pa_t ranges_take(struct ranges *l, uint64_t size, uint64_t align, pa_t low, pa_t high);
