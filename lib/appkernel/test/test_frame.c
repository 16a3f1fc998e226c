// test_frame.c - frames: what is given is whole, one's own, counted, and comes back.
//
// The test keeps a model of which frames are used how often, and writes all of what it is given: so an
// overlap, or a list kept in a frame that is given, shows as a wrong byte.
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
#include "frame_run.h"

enum { SEEDS = 20, STEPS = 4000 };

static unsigned users[FAKE_PAGES];       // the model: 0 is free
static bool ours[FAKE_PAGES];            // has ever been given
static uint64_t used;                    // frames
static uint64_t total;                   // at the beginning

static unsigned index_of(pa_t frame)
{
    FAKE_CHECK(frame >= FAKE_MEMORY && frame % ABI_PAGE == 0);
    FAKE_CHECK(frame < FAKE_MEMORY + (pa_t)FAKE_PAGES * ABI_PAGE);
    return (unsigned)((frame - FAKE_MEMORY) >> ABI_PAGE_SHIFT);
}

static bool in_range(pa_t frame)
{
    bool in = false;

    for (unsigned i = 0; i < ak_info->ranges; i++) {
        pa_t base = i == 0 && ak_info->free != 0 ? ak_info->free : ak_info->range[i].base;
        in |= frame >= base && frame + ABI_PAGE <= ak_info->range[i].base + ak_info->range[i].length;
    }
    return in;
}

static void given(pa_t frame)
{
    unsigned index = index_of(frame);

    FAKE_CHECK(in_range(frame));
    FAKE_CHECK(users[index] == 0 && ak_frame_users(frame) == 1);
    users[index] = 1;
    used++;
    ours[index] = true;
    memset(ak_window(frame), mark(index), ABI_PAGE);
}

static void put(unsigned index)
{
    check_filled(ak_window(frame_of(index)), ABI_PAGE, mark(index));
    ak_frame_put(frame_of(index));
    used -= --users[index] == 0;
}

// The longest row of free frames, as far as the model knows them.
static unsigned longest_row(void)
{
    unsigned longest = 0, row = 0;

    for (unsigned i = 0; i < FAKE_PAGES; i++) {
        row = ours[i] && users[i] == 0 ? row + 1 : 0;
        longest = row > longest ? row : longest;
    }
    return longest;
}

static void take(unsigned count)
{
    uint64_t before = ak_frames_free();
    pa_t frame = count == 1 ? ak_frame_alloc() : ak_frame_alloc_run(count);

    if (frame == 0) {
        FAKE_CHECK(longest_row() < count);
        FAKE_CHECK(ak_frames_free() == before);
        return;
    }
    FAKE_CHECK(ak_frames_free() == before - count);
    for (unsigned i = 0; i < count; i++) {
        given(frame + (pa_t)i * ABI_PAGE);
    }
}

static void step(void)
{
    uint32_t what = fake_draw(10);
    unsigned index = fake_draw(FAKE_PAGES);

    while (what >= 3 && used != 0 && users[index] == 0) {
        index = (index + 1) % FAKE_PAGES;
    }
    if (what < 2) {
        take(1);
    } else if (what == 2) {
        take(2 + fake_draw(9));
    } else if (users[index] != 0 && what == 3) {
        ak_frame_get(frame_of(index));
        users[index]++;
    } else if (users[index] != 0) {
        put(index);
    }
    if (users[index] != 0) {
        FAKE_CHECK(ak_frame_users(frame_of(index)) == users[index]);
    }
    FAKE_CHECK(ak_frames_free() + used == total);
}

static void take_all(void)
{
    for (uint64_t i = 0; i < total; i++) {
        take(1);
    }
    FAKE_CHECK(used == total && ak_frames_free() == 0);
    FAKE_CHECK(ak_frame_alloc() == 0 && ak_frame_alloc_run(2) == 0 && ak_frame_alloc_run(1) == 0);
}

static void put_all(void)
{
    for (unsigned i = 0; i < FAKE_PAGES; i++) {
        while (users[i] != 0) {
            put(i);
        }
    }
    FAKE_CHECK(ak_frames_free() == total);
}

static void body_random(void)
{
    total = ak_frames_free();
    for (unsigned i = 0; i < STEPS; i++) {
        step();
    }
    put_all();
    take_all();
    put_all();
    for (unsigned i = 0; i < STEPS; i++) {
        step();
    }
    put_all();
}

// Frames outside the grant: nobody's, and more than one may have them.
static void body_edges(void)
{
    pa_t outside = frame_of(FAKE_PAGES - 1);

    total = ak_frames_free();
    ak_frame_get(outside);
    ak_frame_put(outside);
    ak_frame_put(outside);
    FAKE_CHECK(ak_frame_users(outside) == 2);
    FAKE_CHECK(ak_frames_free() == total);
    FAKE_CHECK(ak_frame_alloc_run(0) == 0);
    FAKE_CHECK(ak_frame_alloc_run((unsigned)total + 1) == 0);
    FAKE_CHECK(ak_frame_alloc_run(UINT32_MAX) == 0);
    take_all();
    for (unsigned i = 0; i < FAKE_PAGES; i++) {          // every second frame: no two are adjacent
        if (users[i] != 0 && i % 2 == 0) {
            put(i);
        }
    }
    FAKE_CHECK(ak_frame_alloc_run(2) == 0);
    put_all();
}

// Only [512, 1024) is an aligned 2 MiB here.
static void body_large(void)
{
    enum { FRAMES = ABI_LARGE / ABI_PAGE };

    total = ak_frames_free();
    for (unsigned round = 0; round < 3; round++) {
        pa_t frame = ak_frame_alloc_large();
        FAKE_CHECK(frame == frame_of(FRAMES) && ak_frames_free() == total - FRAMES);
        for (unsigned i = 0; i < FRAMES; i++) {
            given(frame + (pa_t)i * ABI_PAGE);
        }
        FAKE_CHECK(ak_frame_alloc_large() == 0);
        unsigned last = round == 0 ? FRAMES : round == 1 ? 2 * FRAMES - 1 : FRAMES + fake_draw(FRAMES);
        for (unsigned i = FRAMES; i < 2 * FRAMES; i++) {     // all but one
            if (i != last) {
                put(i);
            }
        }
        FAKE_CHECK(ak_frame_alloc_large() == 0 && ak_frames_free() == total - 1);
        put(last);
    }
    take_all();
    FAKE_CHECK(ak_frame_alloc_large() == 0);
    for (unsigned i = FRAMES - 1; i < 2 * FRAMES - 1; i++) { // as many, but not aligned
        put(i);
    }
    FAKE_CHECK(ak_frame_alloc_large() == 0);
    put_all();
    FAKE_CHECK(ak_frame_alloc_large() == frame_of(FRAMES));
}

// Ranges come and go while the others are used: what is removed is never given again, and what is added is.
static void body_grow(void)
{
    enum { PIECE = 40 };
    pa_t frame, piece = frame_of(FAKE_PAGES - PIECE);            // behind all ranges
    uint64_t before = ak_frames_free();
    static pa_t taken[2 * FAKE_PAGES];

    FAKE_CHECK(!in_range(piece) && !ak_frames_remove(piece));
    for (unsigned round = 0; round < 40; round++) {
        unsigned n = 0;
        FAKE_CHECK(ak_frames_add(piece, PIECE * ABI_PAGE));
        uint64_t more = ak_frames_free() - before;
        FAKE_CHECK(more >= PIECE - 2 && more < PIECE);
        while (fake_draw(200) != 0 && (taken[n] = ak_frame_alloc()) != 0) {
            memset(ak_window(taken[n++]), 0x77, ABI_PAGE);
        }
        bool some = false;
        for (unsigned i = 0; i < n; i++) {
            some |= taken[i] >= piece && taken[i] < piece + PIECE * (pa_t)ABI_PAGE;
        }
        FAKE_CHECK(!some || !ak_frames_remove(piece));
        while (n > 0) {
            ak_frame_put(taken[--n]);
        }
        FAKE_CHECK(ak_frames_free() == before + more);
        FAKE_CHECK(ak_frames_remove(piece) && !ak_frames_remove(piece));
        FAKE_CHECK(ak_frames_free() == before);
    }
    while ((frame = ak_frame_alloc()) != 0) {
        FAKE_CHECK(frame < piece || frame >= piece + PIECE * (pa_t)ABI_PAGE);
    }
    FAKE_CHECK(!ak_frames_add(piece, 2 * ABI_PAGE));             // too small for what describes it
}

// ---- clusters and page groups -----------------------------------------------------------------------------

enum { GROUP = ABI_GROUP / ABI_PAGE };

static uint32_t cluster_of(pa_t frame)
{
    unsigned i = 0;

    while (frame - ak_info->range[i].base >= ak_info->range[i].length) {
        i++;
    }
    return ak_info->range[i].cluster;
}

// Is a whole group of this cluster free?  It can be when all of its frames have been given once.
static bool group_is_free(uint32_t cluster)
{
    for (unsigned at = 0; at + GROUP <= FAKE_PAGES; at += GROUP) {
        unsigned n = 0;
        while (n < GROUP && ours[at + n] && users[at + n] == 0) {
            n++;
        }
        if (n == GROUP && cluster_of(frame_of(at)) == cluster) {
            return true;
        }
    }
    return false;
}

static bool take_group(uint32_t cluster)
{
    bool near = group_is_free(cluster);
    pa_t frame = ak_group_alloc(cluster);

    FAKE_CHECK(frame != 0 || !(group_is_free(0) || group_is_free(1)));
    FAKE_CHECK(frame % ABI_GROUP == 0 && (!near || cluster_of(frame) == cluster));
    for (unsigned i = 0; frame != 0 && i < GROUP; i++) {
        given(frame + (pa_t)i * ABI_PAGE);
    }
    FAKE_CHECK(ak_frames_free() + used == total);
    return frame != 0;
}

static void body_clusters(void)
{
    uint64_t in[2] = {0, 0};
    unsigned groups = 0;

    total = ak_frames_free();
    while (used < total) {               // all of the first cluster, then what others have
        pa_t frame = ak_frame_alloc_in(1);
        given(frame);
        in[cluster_of(frame)]++;
        FAKE_CHECK(in[0] == 0 || cluster_of(frame) == 0);
    }
    FAKE_CHECK(ak_frame_alloc_in(0) == 0 && ak_frame_alloc_in(AK_CLUSTER_ANY) == 0 && ak_group_alloc(0) == 0);
    FAKE_CHECK(in[0] > 0 && in[1] > 0);
    put_all();
    while (take_group(fake_draw(2))) {
        groups++;
    }
    FAKE_CHECK(groups == 3);
    put(3 * GROUP + fake_draw(GROUP));
    FAKE_CHECK(!take_group(1));          // one frame of a group is not a group
    put_all();
    for (unsigned i = 0; i < 2000; i++) {
        step();
        if (fake_draw(20) == 0) {
            (void)take_group(fake_draw(2));
        }
    }
    put_all();
}

static void body_twice(void)
{
    pa_t frame = ak_frame_alloc_run(3);

    ak_frame_put(frame + ABI_PAGE);
    ak_frame_put(frame + ABI_PAGE);
    fake_fail("a frame could be freed twice");
}

// ---- runs -------------------------------------------------------------------------------------------------

static bool run_large(uint64_t seed)
{
    struct fake_setup s = {.seed = seed, .slots = 3, .entries = CHANNEL_ENTRIES, .cpus = 1, .turns = 1000,
                           .ranges = 1};

    s.range[0] = (struct memory_range){.base = frame_of(32), .length = (FAKE_PAGES - 32) * (uint64_t)ABI_PAGE};
    return frame_run(&s, body_large) == 42;
}

// Two clusters: one with a group and a part of another, one with two groups.
static bool run_clusters(uint64_t seed)
{
    struct fake_setup s = {.seed = seed, .slots = 3, .entries = CHANNEL_ENTRIES, .cpus = 1, .turns = 1000,
                           .ranges = 2};

    s.range[0] = (struct memory_range){.base = frame_of(32), .length = (GROUP + 140) * ABI_PAGE};
    s.range[1] = (struct memory_range){.base = frame_of(370), .length = 270 * ABI_PAGE,
                                       .cluster = 1};
    return frame_run(&s, body_clusters) == 42;
}

static bool run_random(uint64_t seed)
{
    return frame_run_body(seed, body_random, 42);
}

static bool run_edges(uint64_t seed)
{
    return frame_run_body(seed, body_edges, 42);
}

static bool run_grow(uint64_t seed)
{
    return frame_run_body(seed, body_grow, 42);
}

static bool run_twice(uint64_t seed)
{
    return frame_run_body(seed, body_twice, 125) && strstr(fake_log, "freed twice") != NULL;
}

static void test_random(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_random), 0);
}

static void test_large(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_large), 0);
}

static void test_edges(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_edges), 0);
}

static void test_clusters(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_clusters), 0);
}

static void test_grow(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_grow), 0);
}

static void test_freed_twice_panics(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_twice), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_large), cmocka_unit_test(test_grow),
        cmocka_unit_test(test_freed_twice_panics), cmocka_unit_test(test_clusters),
    };
    return cmocka_run_group_tests_name("appkernel_frame", tests, NULL, NULL);
}
