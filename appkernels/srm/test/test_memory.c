// test_memory.c - taking and giving 2-MiB units.
#include <string.h>

#include "check.h"
#include "memory.h"

enum { MIB2 = ABI_LARGE };

static const struct memory_range machine[] = {
    {1ull * MIB2, 7ull * MIB2, 0, 0}, {16ull * MIB2, 32ull * MIB2, 0, 0}, {48ull * MIB2, 16ull * MIB2, 1, 0},
};

static void begin(void)
{
    memory_init(machine, 3);
}

static uint64_t sum(const struct memory_range *r, unsigned n)
{
    uint64_t units = 0;

    for (unsigned i = 0; i < n; i++) {
        units += r[i].length / MIB2;
    }
    return units;
}

static void best_fit(void **state)
{
    struct memory_range r[8];

    (void)state;
    begin();
    assert_int_equal(memory_take(5, r, 8), 1);           // the shortest run that is long enough
    assert_true(r[0].base == 1ull * MIB2 && r[0].length == 5ull * MIB2 && r[0].cluster == 0);
    assert_int_equal(memory_take(10, r, 8), 1);
    assert_true(r[0].base == 48ull * MIB2 && r[0].cluster == 1);
    assert_int_equal(memory_take(32, r, 8), 1);          // ranges of two clusters are never one
    assert_true(r[0].base == 16ull * MIB2 && r[0].length == 32ull * MIB2);
}

static void pieces(void **state)
{
    struct memory_range r[8];

    (void)state;
    begin();
    unsigned n = memory_take(50, r, 8);
    assert_int_equal(n, 3);
    assert_int_equal(sum(r, n), 50);
    assert_int_equal(memory_take(6, r, 8), 0);           // five are left: nothing is taken
    assert_int_equal(memory_available(8), 5);
    assert_int_equal(memory_take(5, r, 8), 1);
    assert_int_equal(memory_available(8), 0);
    assert_int_equal(memory_take(1, r, 8), 0);
}

static void limited_ranges(void **state)
{
    struct memory_range r[8];

    (void)state;
    begin();
    assert_int_equal(memory_take(50, r, 2), 0);
    assert_int_equal(memory_available(2), 48);
    assert_int_equal(memory_available(1), 32);
    assert_int_equal(memory_available(8), 55);
    assert_int_equal(memory_take(0, r, 8), 0);
}

static void used(void **state)
{
    struct memory_range r[8];

    (void)state;
    begin();
    assert_int_equal(memory_take(7, r, 1), 1);
    assert_false(memory_is_used(r[0].base));
    memory_give(&r[0]);
    assert_int_equal(memory_available(8), 55);
    assert_int_equal(memory_take(7, r, 1), 1);
    assert_true(memory_is_used(r[0].base));
    memory_give(&r[0]);
    assert_int_equal(memory_take(60, r, 8), 0);          // a failed take does not forget it
    assert_int_equal(memory_take(7, r, 1), 1);
    assert_true(memory_is_used(r[0].base));
    memory_give(&(struct memory_range){100ull * MIB2, 5ull * MIB2, 0, 0});       // was never ours
    assert_int_equal(memory_available(8), 48);
}

static void at_random(void **state)
{
    struct memory_range held[64][8];
    unsigned count[64] = {0};
    uint64_t out = 0;
    uint32_t seed = 9;

    (void)state;
    begin();
    for (int round = 0; round < 3000; round++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 8) % 64;
        if (count[i] > 0) {
            out -= sum(held[i], count[i]);
            for (unsigned n = 0; n < count[i]; n++) {
                memory_give(&held[i][n]);
            }
            count[i] = 0;
        } else {
            uint64_t want = 1 + (seed >> 20) % 9;
            count[i] = memory_take(want, held[i], 8);
            assert_true(count[i] == 0 || sum(held[i], count[i]) == want);
            out += sum(held[i], count[i]);
        }
        for (unsigned a = 0; a < 64; a++) {              // no unit is given twice
            for (unsigned x = 0; x < count[a]; x++) {
                for (unsigned b = a + 1; b < 64; b++) {
                    for (unsigned y = 0; y < count[b]; y++) {
                        const struct memory_range *p = &held[a][x], *q = &held[b][y];
                        assert_true(p->base + p->length <= q->base || q->base + q->length <= p->base);
                    }
                }
            }
        }
    }
    assert_true(out <= 55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_fit), cmocka_unit_test(pieces), cmocka_unit_test(limited_ranges),
        cmocka_unit_test(used), cmocka_unit_test(at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
