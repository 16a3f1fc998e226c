// test_frame.c - frames and small objects: what is given is whole, one's own, counted, and comes back.
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

enum { SEEDS = 20, STEPS = 4000, OBJECTS = 300, BIG = 5 * ABI_PAGE };

static unsigned users[FAKE_PAGES];       // the model: 0 is free
static bool ours[FAKE_PAGES];            // has ever been given
static uint64_t used;                    // frames
static uint64_t total;                   // at the beginning
static void (*body)(void);

static unsigned index_of(pa_t frame)
{
    FAKE_CHECK(frame >= FAKE_MEMORY && frame % ABI_PAGE == 0);
    FAKE_CHECK(frame < FAKE_MEMORY + (pa_t)FAKE_PAGES * ABI_PAGE);
    return (unsigned)((frame - FAKE_MEMORY) >> ABI_PAGE_SHIFT);
}

static pa_t frame_of(unsigned index)
{
    return FAKE_MEMORY + (pa_t)index * ABI_PAGE;
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

static uint8_t mark(unsigned index)
{
    return (uint8_t)(index * 7 + index / 256 + 1);
}

static void check_filled(const uint8_t *p, size_t size, uint8_t byte)
{
    FAKE_CHECK(size == 0 || (p[0] == byte && memcmp(p, p + 1, size - 1) == 0));
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

// ---- small objects ----------------------------------------------------------------------------------------

static struct object {
    uint8_t *at;
    size_t size;
} objects[OBJECTS];

static size_t any_size(void)
{
    static const size_t edges[] = {0, 1, 15, 16, 17, 32, 33, 64, 65, 128,
                                   512, 513, 1023, 1024, 1025, 4096, 4097};
    uint32_t what = fake_draw(12);

    return what == 0 ? edges[fake_draw(sizeof(edges) / sizeof(edges[0]))]
           : what == 1 ? fake_draw(BIG)
                       : fake_draw(1u << (4 + fake_draw(8)));
}

static size_t alignment(size_t size)
{
    size_t a = 16;

    while (a < size && a < 64) {
        a *= 2;
    }
    return a;
}

static void object_take(struct object *o)
{
    o->size = any_size();
    o->at = ak_alloc(o->size);
    if (o->at == NULL) {
        FAKE_CHECK(ak_frames_free() < BIG / ABI_PAGE + 40);
        return;
    }
    FAKE_CHECK((uintptr_t)o->at % alignment(o->size) == 0);
    check_filled(o->at, o->size, 0);
    memset(o->at, mark((unsigned)(o - objects)), o->size);
}

static void object_give(struct object *o)
{
    if (o->at != NULL) {
        check_filled(o->at, o->size, mark((unsigned)(o - objects)));
        memset(o->at, 0xee, o->size);
        ak_free(o->at, o->size);
        o->at = NULL;
    }
}

static void body_objects(void)
{
    enum { SIZES = 7 };

    total = ak_frames_free();
    FAKE_CHECK(ak_alloc((size_t)1 << 32) == NULL);
    FAKE_CHECK(ak_alloc((total + 1) * ABI_PAGE) == NULL);
    ak_free(NULL, 64);
    for (unsigned i = 0; i < 4 * STEPS; i++) {
        struct object *o = &objects[fake_draw(OBJECTS)];
        object_give(o);
        if (fake_draw(4) != 0) {
            object_take(o);
        }
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        object_give(&objects[i]);
    }
    // One frame of each size may be kept.
    FAKE_CHECK(ak_frames_free() <= total && ak_frames_free() + SIZES >= total);
}

// All of the memory as objects of one size, and back.
static void body_full(void)
{
    size_t size = (size_t)16 << fake_draw(7);
    uint8_t **first = NULL, **p;
    uint64_t n = 0;

    total = ak_frames_free();
    while ((p = ak_alloc(size)) != NULL) {
        memset(p, 0x55, size);
        *p = (uint8_t *)first;
        first = p;
        n++;
    }
    FAKE_CHECK(ak_frames_free() == 0);
    FAKE_CHECK(n == total * ((ABI_PAGE - (size > 64 ? size : 64)) / size));
    while (first != NULL) {
        p = (uint8_t **)*first;
        check_filled((uint8_t *)(first + 1), size - sizeof(p), 0x55);
        ak_free(first, size);
        first = p;
    }
    FAKE_CHECK(ak_frames_free() == total - 1);
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

static void body_twice(void)
{
    pa_t frame = ak_frame_alloc_run(3);

    ak_frame_put(frame + ABI_PAGE);
    ak_frame_put(frame + ABI_PAGE);
    fake_fail("a frame could be freed twice");
}

// ---- runs -------------------------------------------------------------------------------------------------

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

// Some ranges with gaps between them, the first one partly used by the starter.
static bool run_body(uint64_t seed, void (*fn)(void), int expected)
{
    struct fake_setup s = {.seed = seed, .slots = 3, .entries = CHANNEL_ENTRIES, .cpus = 1, .turns = 1000,
                           .quiet = quiet, .ranges = 1 + (unsigned)seed % 8};
    unsigned at = 32;

    body = fn;
    for (unsigned i = 0; i < s.ranges; i++) {
        unsigned pages = (unsigned[]){16, 3, 200, 33, 64, 1, 150, 8}[(seed + i) % 8] + (i == 0 ? 64 : 0);
        s.range[i] = (struct memory_range){.base = frame_of(at), .length = (uint64_t)pages * ABI_PAGE};
        at += pages + (unsigned)seed % 3 + (i == 0);
    }
    return fake_run(&s) == expected;
}

static bool run_large(uint64_t seed)
{
    struct fake_setup s = {.seed = seed, .slots = 3, .entries = CHANNEL_ENTRIES, .cpus = 1, .turns = 1000,
                           .quiet = quiet, .ranges = 1};

    body = body_large;
    s.range[0] = (struct memory_range){.base = frame_of(32), .length = (FAKE_PAGES - 32) * (uint64_t)ABI_PAGE};
    return fake_run(&s) == 42;
}

static bool run_random(uint64_t seed)
{
    return run_body(seed, body_random, 42);
}

static bool run_edges(uint64_t seed)
{
    return run_body(seed, body_edges, 42);
}

static bool run_objects(uint64_t seed)
{
    return run_body(seed, body_objects, 42);
}

static bool run_full(uint64_t seed)
{
    return run_body(seed, body_full, 42);
}

static bool run_grow(uint64_t seed)
{
    return run_body(seed, body_grow, 42);
}

static bool run_twice(uint64_t seed)
{
    return run_body(seed, body_twice, 125) && strstr(fake_log, "freed twice") != NULL;
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

static void test_objects(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_objects), 0);
}

static void test_full(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run_full), 0);
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
        cmocka_unit_test(test_objects), cmocka_unit_test(test_full),
        cmocka_unit_test(test_large), cmocka_unit_test(test_grow),
        cmocka_unit_test(test_freed_twice_panics),
    };
    return cmocka_run_group_tests_name("appkernel_frame", tests, NULL, NULL);
}
