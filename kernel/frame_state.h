// frame_state.h - what the processor noted of a frame, kept for the kernel that loaded its mapping.
//
// Each kernel names a table of a byte for each of its frames (abi/object.h, enum frame_state).  Bits are ORed into it
// when a mapping goes, is lowered, or gets a second chance from the clock.  The owner may read and clear bytes at any
// time, so every OR is atomic.  A frame outside the table is not noted: it can only be mapped to be read.
// Locking: the instance lock, against other processors of the supervisor.  Cache Kernel, 2.1.
#pragma once
#include "appkernel.h"

enum {
    LARGE_FRAMES = ABI_LARGE / ABI_PAGE,
    LARGE_WORTH = 8,              // what noting those of a large mapping costs, in small ones
};

// The same bits for all 512 frames of a large mapping, of which pfn is the first.
void frame_state_note_large(const struct appkernel *k, uint64_t pfn, uint32_t bits);

static inline void frame_state_note(const struct appkernel *k, uint64_t pfn, bool large, uint32_t bits)
{
    if (bits == 0) {
        return;
    }
    if (large) {
        frame_state_note_large(k, pfn, bits);
    } else if (pfn >= k->first_frame && pfn - k->first_frame < k->frame_count) {
        __atomic_fetch_or(&k->frame_states[pfn - k->first_frame], (uint8_t)bits, __ATOMIC_RELAXED);
    }
}
