// test_plan.c - what a policy says at each moment: grants, turns, ends; and a clock that jumps.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "plan.h"

enum { A, B, C, D };
#define MS 1000000ull

static struct policy policy;
static struct plan plan;

static void begin(const char *more)
{
    struct policy_error error = {0};
    char text[1024];

    snprintf(text, sizeof(text), "kernel a memory=2M\nkernel b memory=2M share=50\nkernel c memory=2M\n"
             "kernel d memory=2M\n%s", more);
    if (!policy_parse(&policy, text, strlen(text), &error)) {
        fail_msg("line %u: %s", error.line, error.text);
    }
    plan_start(&plan, &policy);
}

// Which kernels are in, a bit each.
static unsigned in(uint64_t now)
{
    unsigned bits = 0;

    plan_advance(&plan, now);
    for (unsigned i = 0; i < policy.count; i++) {
        bits |= (unsigned)(!plan.ended[i] && plan_state(&plan, i, now).in) << i;
    }
    return bits;
}

static void without_lines(void **state)
{
    (void)state;
    begin("");
    assert_int_equal(in(0), 15);
    assert_int_equal(plan_state(&plan, B, 5).share, 50);
    assert_int_equal(plan_state(&plan, B, 5).priority, 16);
    assert_false(plan_state(&plan, B, 5).end);
    assert_true(plan_next(&plan, 0) == POLICY_FOREVER);
    assert_int_equal(plan_together(&policy), 4);
}

static void grants(void **state)
{
    (void)state;
    begin("grant b share=80 from=10ms for=20ms\ngrant b priority=20 for=15ms\ngrant a share=0 from=40ms\n");
    static const struct { uint64_t ms, share, priority, next; } at[] = {
        {0, 50, 20, 10}, {10, 80, 20, 15}, {14, 80, 20, 15}, {15, 80, 16, 30}, {29, 80, 16, 30}, {30, 50, 16, 40},
    };
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        struct plan_state s = plan_state(&plan, B, at[i].ms * MS);
        assert_int_equal(s.share, at[i].share);
        assert_int_equal(s.priority, at[i].priority);
        assert_int_equal(plan_next(&plan, at[i].ms * MS), at[i].next * MS);
    }
    assert_int_equal(plan_state(&plan, A, 39 * MS).share, 100);
    assert_int_equal(plan_state(&plan, A, 4000000 * MS).share, 0);
    assert_true(plan_next(&plan, 40 * MS) == POLICY_FOREVER);
}

static void last_line_counts(void **state)
{
    (void)state;
    begin("grant a share=10\ngrant a share=20 from=1s for=1s\ngrant a share=30 from=1s for=500ms\n");
    assert_int_equal(plan_state(&plan, A, 0).share, 10);
    assert_int_equal(plan_state(&plan, A, 1000 * MS).share, 30);
    assert_int_equal(plan_state(&plan, A, 1500 * MS).share, 20);
    assert_int_equal(plan_state(&plan, A, 2000 * MS).share, 10);
}

static void loans(void **state)
{
    (void)state;
    begin("grant c memory=4M from=10ms for=20ms\ngrant c memory=2M share=7 from=20ms for=20ms\n");
    static const struct { uint64_t ms, memory, until; } at[] = {
        {0, 0, 0}, {10, 4 << 20, 30}, {20, 2 << 20, 40}, {39, 2 << 20, 40}, {40, 0, 0},
    };
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        struct plan_state s = plan_state(&plan, C, at[i].ms * MS);
        assert_int_equal(s.memory, at[i].memory);
        assert_int_equal(s.memory_until, at[i].until * MS);
    }
    assert_true(policy.kernel[C].borrows && !policy.kernel[A].borrows);
}

static void turns(void **state)
{
    (void)state;
    begin("turns each=10ms a b c\n");
    assert_int_equal(plan_together(&policy), 2);
    assert_int_equal(in(0), 1 << A | 1 << D);
    assert_true(plan_next(&plan, 0) == POLICY_FOREVER);          // a turn begins when it is swapped in
    plan_swapped_in(&plan, A, 2 * MS);
    assert_int_equal(plan_next(&plan, 2 * MS), 12 * MS);
    assert_int_equal(in(12 * MS - 1), 1 << A | 1 << D);
    assert_int_equal(in(12 * MS), 1 << B | 1 << D);
    plan_swapped_in(&plan, D, 13 * MS);                          // that takes no turns
    plan_swapped_in(&plan, A, 13 * MS);                          // that has no turn
    assert_int_equal(in(900 * MS), 1 << B | 1 << D);
    plan_swapped_in(&plan, B, 900 * MS);
    assert_int_equal(in(5000 * MS), 1 << C | 1 << D);            // the clock jumped: one turn all the same
    plan_swapped_in(&plan, C, 5000 * MS);
    assert_int_equal(in(5010 * MS), 1 << A | 1 << D);
    assert_int_equal(plan.turn[0].count, 4);
}

static void turns_and_ends(void **state)
{
    (void)state;
    begin("turns each=10ms a b c\nout b from=5ms for=100ms\nend d at=50ms\n");
    assert_int_equal(in(0), 1 << A | 1 << D);
    plan_swapped_in(&plan, A, 0);
    assert_int_equal(in(10 * MS), 1 << C | 1 << D);              // b is kept out
    plan_swapped_in(&plan, C, 10 * MS);
    plan_ended(&plan, C);
    assert_int_equal(in(12 * MS), 1 << A | 1 << D);              // at once, and before its time is over
    plan_swapped_in(&plan, A, 12 * MS);
    assert_int_equal(in(22 * MS), 1 << A | 1 << D);              // alone
    assert_int_equal(plan_next(&plan, 22 * MS), 32 * MS);
    assert_true(plan_state(&plan, D, 50 * MS).end && !plan_state(&plan, D, 49 * MS).end);
    plan_ended(&plan, D);
    assert_int_equal(in(104 * MS), 1 << A);
    plan_advance(&plan, 110 * MS);
    assert_int_equal(in(120 * MS), 1 << B);                      // it may again
    plan_ended(&plan, A);
    plan_ended(&plan, B);
    assert_int_equal(in(130 * MS), 0);
}

static void all_kept_out(void **state)
{
    (void)state;
    begin("turns each=10ms b c\nout b for=30ms\nout c for=20ms\n");
    assert_int_equal(in(0), 1 << A | 1 << D);
    assert_int_equal(plan_next(&plan, 0), 20 * MS);
    assert_int_equal(in(20 * MS), 1 << A | 1 << C | 1 << D);
    plan_swapped_in(&plan, C, 20 * MS);
    assert_int_equal(in(30 * MS), 1 << A | 1 << B | 1 << D);
}

// With any clock: never two of a line, never an ended one, and the next moment lies ahead.
static void at_random(void **state)
{
    uint32_t seed = 7;
    uint64_t now = 0;
    unsigned was = 0;

    (void)state;
    begin("turns each=3ms a b\nturns each=7ms c d\nout a from=40ms for=100ms\nout d from=200ms\nend c at=900ms\n");
    for (int i = 0; i < 3000; i++) {
        seed = seed * 1664525 + 1013904223;
        now += (seed >> 8) % (2 * MS);
        unsigned bits = in(now);
        assert_true((bits & 3) != 3 && (bits & 12) != 12 && (bits & 3) != 0);
        assert_true(!(bits & 1 << A) || now < 40 * MS || now >= 140 * MS);
        assert_true(!(bits & 1 << D) || now < 200 * MS);
        for (unsigned k = 0; k < policy.count; k++) {
            if ((bits & ~was) >> k & 1) {
                plan_swapped_in(&plan, k, now);
            }
            if (plan_state(&plan, k, now).end && !plan.ended[k]) {
                plan_ended(&plan, k);
            }
        }
        was = bits;
        assert_true(plan_next(&plan, now) > now);
    }
    assert_true(plan.turn[0].count > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_lines), cmocka_unit_test(grants), cmocka_unit_test(last_line_counts),
        cmocka_unit_test(loans), cmocka_unit_test(turns), cmocka_unit_test(turns_and_ends),
        cmocka_unit_test(all_kept_out), cmocka_unit_test(at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
