// test_object.c - small objects: what is given is whole, one's own, aligned, clear, and comes back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "appkernel_impl.h"
#include "fake.h"
#include "frame_run.h"

enum { SEEDS = 20, STEPS = 16000, OBJECTS = 300, BIG = 5 * ABI_PAGE };

static uint64_t total;                   // frames at the beginning

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
    for (unsigned i = 0; i < STEPS; i++) {
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

static bool run_objects(uint64_t seed)
{
    return frame_run_body(seed, body_objects, 42);
}

static bool run_full(uint64_t seed)
{
    return frame_run_body(seed, body_full, 42);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_objects), cmocka_unit_test(test_full)};

    return cmocka_run_group_tests_name("appkernel_object", tests, NULL, NULL);
}
