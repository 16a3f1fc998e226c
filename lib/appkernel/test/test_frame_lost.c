// test_frame_lost.c - frames whose memory has failed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "appkernel_impl.h"
#include "fake.h"

enum { SEEDS = 20 };

// The memory of three frames fails: in use, free on the list, and never used.  None of them is given again.
int ak_main(const struct kernel_info *kernel)
{
    uint8_t *state = ak_window(ak_info->frame_states);
    uint64_t count = ak_frames_free(), taken = 0;
    pa_t busy = ak_frame_alloc(), idle = ak_frame_alloc(), frame;
    pa_t fresh = ak_info->range[0].base + ak_info->range[0].length - ABI_PAGE, lost[] = {busy, idle, fresh};

    (void)kernel;
    memset(state, FRAME_MODIFIED, FAKE_PAGES);           // which is not it
    ak_frame_put(idle);
    for (unsigned i = 0; i < 3; i++) {
        state[(lost[i] - FAKE_MEMORY) >> ABI_PAGE_SHIFT] |= FRAME_LOST;
    }
    ak_frame_put(busy);
    FAKE_CHECK(ak_frames_free() == count);
    while ((frame = ak_frame_alloc_run(2)) != 0) {
        for (unsigned i = 0; i < 3; i++) {
            FAKE_CHECK(frame != lost[i] && frame + ABI_PAGE != lost[i]);
        }
        taken += 2;
    }
    while ((frame = ak_frame_alloc()) != 0) {
        FAKE_CHECK(frame != busy && frame != idle && frame != fresh);
        taken++;
    }
    FAKE_CHECK(taken == count - 3 && ak_frames_free() == 0);
    return 42;
}

static bool quiet(uint64_t next)
{
    return next != 0;
}

static bool run_lost(uint64_t seed)
{
    struct fake_setup s = {.seed = seed, .slots = 3, .entries = CHANNEL_ENTRIES, .cpus = 1, .turns = 1000,
                           .quiet = quiet, .ranges = 1, .states = true};

    s.range[0] = (struct memory_range){.base = FAKE_MEMORY + 40 * ABI_PAGE, .length = (100 + seed % 3) * ABI_PAGE};
    return fake_run(&s) == 42;
}

static void test_lost(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_lost), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lost)};
    return cmocka_run_group_tests_name("appkernel_frame_lost", tests, NULL, NULL);
}
