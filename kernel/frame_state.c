// frame_state.c - the frames of a 2-MiB mapping, eight at a time.  See frame_state.h.
#include "supervisor.h"

// Bytes that have the bits already are only read: a mapping that is referenced again and again costs no more.
static void note_byte(uint8_t *at, uint8_t bits)
{
    if ((load_relaxed(at) & bits) != bits) {
        __atomic_fetch_or(at, bits, __ATOMIC_RELAXED);
    }
}

static void note_word(uint64_t *at, uint64_t bits)
{
    if ((load_relaxed(at) & bits) != bits) {
        __atomic_fetch_or(at, bits, __ATOMIC_RELAXED);
    }
}

void frame_state_note_large(const struct appkernel *k, uint64_t pfn, uint32_t bits)
{
    // The part of it that is in the table: a mapping that is only read may stick out.
    uint64_t begin = pfn > k->first_frame ? pfn : k->first_frame, end = pfn + LARGE_FRAMES;
    uint64_t last = k->first_frame + k->frame_count;
    uint64_t eight = bits * 0x0101010101010101ull;

    end = end < last ? end : last;
    if (begin >= end) {
        return;
    }
    uint8_t *at = k->frame_states + (begin - k->first_frame), *stop = at + (end - begin);
    while (at < stop && (uintptr_t)at % sizeof(eight) != 0) {
        note_byte(at++, (uint8_t)bits);
    }
    for (; stop - at >= (long)sizeof(eight); at += sizeof(eight)) {
        note_word((uint64_t *)(void *)at, eight);
    }
    while (at < stop) {
        note_byte(at++, (uint8_t)bits);
    }
}
