// frame_run.c - see frame_run.h.
#include "frame_run.h"

#include <string.h>

static void (*body)(void);

pa_t frame_of(unsigned index)
{
    return FAKE_MEMORY + (pa_t)index * ABI_PAGE;
}

uint8_t mark(unsigned index)
{
    return (uint8_t)(index * 7 + index / 256 + 1);
}

void check_filled(const uint8_t *p, size_t size, uint8_t byte)
{
    FAKE_CHECK(size == 0 || (p[0] == byte && memcmp(p, p + 1, size - 1) == 0));
}

int ak_main(const struct kernel_info *kernel)
{
    (void)kernel;
    body();
    return 42;
}

static bool quiet(uint64_t next)
{
    return next != 0;
}

int frame_run(struct fake_setup *s, void (*fn)(void))
{
    body = fn;
    s->quiet = quiet;
    return fake_run(s);
}

// Some ranges with gaps between them, the first one partly used by the starter.
bool frame_run_body(uint64_t seed, void (*fn)(void), int expected)
{
    struct fake_setup s = {.seed = seed, .slots = 3, .entries = CHANNEL_ENTRIES, .cpus = 1, .turns = 1000,
                           .ranges = 1 + (unsigned)seed % 8};
    unsigned at = 32;

    for (unsigned i = 0; i < s.ranges; i++) {
        unsigned pages = (unsigned[]){16, 3, 200, 33, 64, 1, 150, 8}[(seed + i) % 8] + (i == 0 ? 64 : 0);
        s.range[i] = (struct memory_range){.base = frame_of(at), .length = (uint64_t)pages * ABI_PAGE};
        at += pages + (unsigned)seed % 3 + (i == 0);
    }
    return frame_run(&s, fn) == expected;
}
