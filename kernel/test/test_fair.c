// test_fair.c - shares of processors: the invariants of max-min fairness, by hand and for random claimants.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fair.h"

enum { LEVEL = 40, MANY = 64 };

// No claimant but has its level everywhere, and no thread runs.
static void deal(uint32_t processors, uint64_t levels, const uint32_t *threads, struct claimant *c, uint32_t n)
{
    struct fair f = {.processors = processors, .levels = levels};

    memcpy(f.threads, threads, sizeof(f.threads));
    memset(f.runs, CPU_LEVELS, sizeof(f.runs));
    memset(f.where, 255, sizeof(f.where));
    for (uint32_t i = 0; i < n; i++) {
        c[i].where = UINT64_MAX;
    }
    fair_share(&f, c, n);
}

static void expect(uint32_t processors, uint32_t threads, const uint32_t *wants, const uint32_t *gets, uint32_t n)
{
    uint32_t at[CPU_LEVELS] = {[LEVEL] = threads};
    struct claimant c[8];

    for (uint32_t i = 0; i < n; i++) {
        c[i] = (struct claimant){.level = LEVEL, .wants = wants[i], .gets = 77};
    }
    deal(processors, UINT64_MAX, at, c, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(c[i].gets, gets[i]);
    }
}

#define W(...) ((const uint32_t[]){__VA_ARGS__})

static void by_hand(void **state)
{
    (void)state;
    expect(4, 0, W(4), W(4), 1);
    expect(4, 0, W(9), W(4), 1);
    expect(6, 0, W(6, 6), W(3, 3), 2);
    expect(6, 0, W(1, 6), W(1, 5), 2);
    expect(5, 0, W(6, 6), W(3, 3), 2);           // the odd one goes round
    expect(4, 3, W(4), W(1), 1);
    expect(4, 1, W(4), W(3), 1);
    expect(4, 8, W(4, 4), W(1, 1), 2);           // more claimants than processors: all take turns
    expect(8, 2, W(2, 0, 9), W(2, 0, 4), 3);
    expect(1, 0, W(1, 1, 1), W(1, 1, 1), 3);
    expect(0, 0, W(3), W(0), 1);
}

static void higher_first(void **state)
{
    uint32_t threads[CPU_LEVELS] = {[50] = 1, [30] = 2};
    struct claimant c[] = {{.level = 30, .wants = 8}, {.level = 40, .wants = 2}, {.level = 60, .wants = 1}};

    (void)state;
    deal(6, 1ull << 50 | 1ull << 30, threads, c, 3);
    assert_int_equal(c[2].gets, 1);
    assert_int_equal(c[1].gets, 2);
    assert_int_equal(c[0].gets, 1);              // 6 - 1 - 1 - 2 = 2, shared with two threads: one each, in turns
    deal(3, UINT64_MAX, threads, c, 3);
    assert_int_equal(c[1].gets, 1);
    assert_int_equal(c[0].gets, 0);
}

static uint32_t min_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

// Of one level: work-conserving; nobody has more than he wants; who wants more than he has, has at least as much as
// anybody, give or take one; nobody who wants something has nothing.
static void invariants(uint32_t processors, uint32_t threads, const struct claimant *c, uint32_t n)
{
    uint32_t wanted = threads, got = threads;

    for (uint32_t i = 0; i < n; i++) {
        wanted += c[i].wants;
        got += c[i].gets;
        assert_true(c[i].gets <= c[i].wants);
        assert_true(c[i].wants == 0 || processors == 0 || c[i].gets > 0);
        for (uint32_t j = 0; j < n; j++) {
            assert_true(c[i].gets == c[i].wants || c[j].gets <= c[i].gets + 1);
        }
    }
    assert_true(got >= min_of(wanted, processors));
}

static void at_random(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed < 3000; seed++) {
        uint32_t threads[CPU_LEVELS] = {0};
        struct claimant c[8];
        srand(seed);
        uint32_t n = 1 + (uint32_t)rand() % 8, processors = (uint32_t)rand() % 65;
        threads[LEVEL] = (uint32_t)rand() % 9;
        for (uint32_t i = 0; i < n; i++) {
            c[i] = (struct claimant){.level = LEVEL, .wants = (uint32_t)rand() % 20};
        }
        deal(processors, UINT64_MAX, threads, c, n);
        invariants(processors, threads[LEVEL], c, n);
    }
}

// The definition: in each round one to everybody who has had one in each round before, and wants more.
static void naive(uint32_t processors, const uint32_t *threads, struct claimant *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        c[i].gets = 0;
    }
    for (uint32_t level = CPU_LEVELS; level-- > 0 && processors > 0;) {
        uint32_t count = threads[level];
        for (uint32_t round = 0; processors > 0; round++, count = 0) {
            for (uint32_t i = 0; i < n; i++) {
                bool part = c[i].level == level && c[i].wants > round;
                c[i].gets += part;
                count += part;
            }
            if (count == 0) {
                break;
            }
            processors -= min_of(count, processors);
        }
    }
}

// What it would get if it wanted all: deal again.
static uint32_t naive_most(uint32_t processors, const uint32_t *threads, const struct claimant *c, uint32_t n,
                           uint32_t i)
{
    struct claimant all[MANY];

    memcpy(all, c, n * sizeof(*c));
    all[i].wants = processors > c[i].wants ? processors : c[i].wants;
    naive(processors, threads, all, n);
    return all[i].gets;
}

// Many claimants on a few levels, with threads on some and between: the same as by the definition.
static void as_defined(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed < 2000; seed++) {
        uint32_t threads[CPU_LEVELS] = {0};
        uint64_t levels = 0;
        struct claimant c[MANY], want[MANY];
        srand(seed);
        uint32_t n = (uint32_t)rand() % (MANY + 1), processors = (uint32_t)rand() % 65, spread = 1u << rand() % 7;
        uint32_t greed = 1u << rand() % 8;
        for (uint32_t i = 0; i < (uint32_t)rand() % 8; i++) {
            uint32_t level = (uint32_t)rand() % spread;
            threads[level] = (uint32_t)rand() % 9;
            levels |= 1ull << level;
        }
        for (uint32_t i = 0; i < n; i++) {
            c[i] = (struct claimant){.level = (uint32_t)rand() % spread, .wants = (uint32_t)rand() % greed, .gets = 99};
        }
        memcpy(want, c, sizeof(c));
        naive(processors, threads, want, n);
        deal(processors, levels, threads, c, n);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(c[i].gets, want[i].gets);
            assert_int_equal(c[i].most, naive_most(processors, threads, c, n, i));
        }
    }
}

struct partial {
    uint32_t wants, gets;
    uint64_t where;
};

// Levels on some processors only: in whatever order they come.
static void expect_partial(uint32_t processors, const struct partial *p, uint32_t n)
{
    for (uint32_t turn = 0; turn < n; turn++) {
        struct fair f = {.processors = processors};
        struct claimant c[4];
        memset(f.runs, CPU_LEVELS, sizeof(f.runs));
        for (uint32_t i = 0; i < n; i++) {
            const struct partial *from = &p[(i + turn) % n];
            c[i] = (struct claimant){.level = LEVEL, .wants = from->wants, .where = from->where};
        }
        fair_share(&f, c, n);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(c[i].gets, p[(i + turn) % n].gets);
        }
        for (uint32_t i = 0; i < processors; i++) {
            assert_true(f.owner[i] == FAIR_NOBODY || (f.owner[i] < n && c[f.owner[i]].gets > 0));
        }
    }
}

#define P(...) ((const struct partial[]){__VA_ARGS__})

static void here_and_there(void **state)
{
    (void)state;
    expect_partial(2, P({2, 1, 1}, {2, 1, 3}), 2);
    expect_partial(2, P({2, 0, 4}, {2, 2, 3}), 2);                         // who is over it everywhere has nothing
    expect_partial(2, P({1, 0, 4}, {1, 1, 3}, {1, 1, 2}), 3);
    expect_partial(3, P({1, 1, 3}, {1, 1, 6}, {1, 1, 5}, {3, 0, 8}), 4);   // each has one that another could have
    expect_partial(4, P({4, 1, 1}, {4, 1, 1}, {4, 3, 14}), 3);             // two take turns, and not on the third's
    expect_partial(4, P({2, 2, 3}, {4, 2, 15}), 2);
    expect_partial(4, P({1, 1, 1}, {4, 4, 1}), 2);                         // and on a lower level all others
}

// Threads that are on this level on some processors only get one there, whatever the claimant holds: it has the others.
static void threads_here_and_there(void **state)
{
    (void)state;
    for (uint64_t holds = 0; holds < 8; holds++) {
        struct fair f = {.processors = 3, .levels = 1ull << LEVEL};
        struct claimant c = {.level = LEVEL, .wants = 3, .where = 7, .holds = holds};
        memset(f.runs, CPU_LEVELS, sizeof(f.runs));
        f.threads[LEVEL] = 5;
        f.where[LEVEL] = 6;
        fair_share(&f, &c, 1);
        assert_int_equal(c.gets, 1);
        assert_int_equal(f.owner[0], 0);
        assert_int_equal(f.owner[1], FAIR_NOBODY);
        assert_int_equal(f.owner[2], FAIR_NOBODY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(higher_first),
        cmocka_unit_test(at_random),
        cmocka_unit_test(as_defined),
        cmocka_unit_test(here_and_there),
        cmocka_unit_test(threads_here_and_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
