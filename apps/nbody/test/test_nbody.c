// test_nbody.c - the tree holds every body once, forces are near the sum over all, and nothing depends on threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache.h"
#include "nbody.h"
#include "par_host.h"

static const struct setup plain = {.bodies = 256, .steps = 3, .threads = 0, .percent = 100, .ticks = 1000, .seed = 7,
                                   .theta = 0.5};
static struct world world;

static void make_tree(struct world *w)
{
    for (uint32_t i = 0; i < w->setup.bodies; i++) {
        w->key[i] = nbody_key(w->cache->store[i].x, w->cache->store[i].y);
    }
    tree_sort(w);
    tree_begin(w);
    for (uint32_t i = 0; i < TOP_CELLS; i++) {
        tree_build(w, i);
    }
    tree_end(w);
}

static bool near(double a, double b, double part)
{
    double d = a - b, size = b < 0 ? -b : b;

    return (d < 0 ? -d : d) <= part * size + 1e-12;
}

// ---- the tree ---------------------------------------------------------------------------------------------

// Every body of a cell lies in the square that its level and its bodies' keys say; gives how many leaves hold.
static uint32_t check_cell(const struct world *w, const struct cell *c, unsigned level)
{
    double x = 0, y = 0, mass = 0;
    uint32_t held = 0;

    for (uint32_t i = c->first; i < c->first + c->count; i++) {
        const struct body *b = &w->cache->store[w->order[i]];
        assert_int_equal(w->key[w->order[i]] >> 2 * (KEY_BITS - level) % 32 & -(level > 0),
                         w->key[w->order[c->first]] >> 2 * (KEY_BITS - level) % 32 & -(level > 0));
        x += b->x * b->mass;
        y += b->y * b->mass;
        mass += b->mass;
    }
    assert_true(near(c->mass, mass, 1e-12));
    assert_true(c->count == 0 || (near(c->x, x / mass, 1e-12) && near(c->y, y / mass, 1e-12)));
    assert_true(c->size2 == 1.0 / (double)(1ull << 2 * level));
    if (c->children == 0) {
        assert_true(c->count <= LEAF_BODIES || level == KEY_BITS);
        return c->count;
    }
    for (uint32_t i = 0; i < c->children; i++) {
        held += check_cell(w, &w->cells[c->child + i], level + 1);
    }
    assert_int_equal(held, c->count);
    return held;
}

static void test_tree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct setup s = plain;
        s.seed = seed;
        s.bodies = (uint32_t)(8 * seed * seed);
        assert_true(nbody_init(&world, &s));
        make_tree(&world);
        assert_int_equal(check_cell(&world, world.cells, 0), s.bodies);
        assert_false(world.failed);
        host_free();
    }
}

// All bodies in one place: the deepest tree there is, and forces that are finite.
static void test_one_place(void **state)
{
    double ax, ay;

    (void)state;
    assert_true(nbody_init(&world, &plain));
    for (uint32_t i = 0; i < plain.bodies; i++) {
        world.cache->store[i].x = world.cache->store[i].y = 0.999;
    }
    memcpy(world.cache->buffer, world.cache->store, plain.bodies * sizeof(struct body));
    make_tree(&world);
    assert_int_equal(check_cell(&world, world.cells, 0), plain.bodies);
    force_on(&world, 3, 0.999, 0.999, &ax, &ay);
    assert_true(ax == 0 && ay == 0);
    host_free();
}

static void test_keys(void **state)
{
    (void)state;
    assert_int_equal(nbody_key(0, 0), 0);
    assert_int_equal(nbody_key(0.5, 0), 0x40000000);
    assert_int_equal(nbody_key(0, 0.5), 0x80000000);
    assert_int_equal(nbody_key(0.75, 0.25), 0x70000000);
    assert_int_equal(nbody_key(1 - 1.0 / 65536, 1 - 1.0 / 65536), 0xffffffff);
}

// ---- forces -----------------------------------------------------------------------------------------------

static void force_by_all(const struct world *w, uint32_t self, double *ax, double *ay)
{
    const struct body *b = w->cache->store;

    *ax = *ay = 0;
    for (uint32_t i = 0; i < w->setup.bodies; i++) {
        if (i != self) {
            force_add(b[i].x - b[self].x, b[i].y - b[self].y, b[i].mass, ax, ay);
        }
    }
}

// The mean error of forces, as a part of their mean size.
static double error_at(double theta)
{
    struct setup s = plain;
    double error = 0, size = 0;

    s.theta = theta;
    assert_true(nbody_init(&world, &s));
    make_tree(&world);
    for (uint32_t i = 0; i < s.bodies; i++) {
        const struct body *b = &world.cache->store[i];
        double ax, ay, bx, by;
        force_on(&world, i, b->x, b->y, &ax, &ay);
        force_by_all(&world, i, &bx, &by);
        error += (ax - bx) * (ax - bx) + (ay - by) * (ay - by);
        size += bx * bx + by * by;
    }
    host_free();
    return __builtin_sqrt(error / size);
}

static void test_forces(void **state)
{
    (void)state;
    assert_true(error_at(0) < 1e-12);
    double half = error_at(0.5), one = error_at(1);
    assert_true(half > 1e-9 && half < 0.01);
    assert_true(one > half && one < 0.1);
}

// ---- the whole --------------------------------------------------------------------------------------------

static uint64_t run(const struct setup *s)
{
    assert_null(nbody_check(s));
    assert_true(nbody_init(&world, s));
    for (uint32_t i = 0; i < s->steps; i++) {
        nbody_step(&world);
    }
    uint64_t sum = nbody_checksum(&world);
    host_free();
    return sum;
}

static void test_threads(void **state)
{
    uint64_t expected = run(&plain);

    (void)state;
    assert_int_not_equal(expected, 0);
    assert_int_equal(host_forks, 0);
    for (uint32_t threads = 1; threads <= 8; threads++) {
        struct setup s = plain;
        s.threads = threads;
        assert_int_equal(run(&s), expected);
    }
    assert_true(host_forks > 0);
    struct setup other = plain;
    other.seed = 8;
    assert_int_not_equal(run(&other), expected);
    other = plain;
    other.steps++;
    assert_int_not_equal(run(&other), expected);
}

static void test_memory(void **state)
{
    static const uint32_t percents[] = {100, 75, 40, 10, 1};
    uint64_t expected = run(&plain);
    unsigned last = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        struct setup s = plain;
        s.percent = percents[i];
        s.threads = i == 4 ? 8 : 3;
        host_blocks = 0;
        assert_int_equal(run(&s), expected);
        assert_true(i == 0 ? host_blocks == 0 : host_blocks > last);
        last = host_blocks;
    }
}

static void test_wrong(void **state)
{
    struct setup s = plain;

    (void)state;
    s.bodies = 9;
    assert_non_null(nbody_check(&s));
    s.bodies = 0;
    assert_non_null(nbody_check(&s));
    s = plain;
    s.percent = 0;
    assert_non_null(nbody_check(&s));
    s = plain;
    s.threads = THREADS_MOST + 1;
    assert_non_null(nbody_check(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),   cmocka_unit_test(test_tree),    cmocka_unit_test(test_one_place),
        cmocka_unit_test(test_forces), cmocka_unit_test(test_threads), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
