// test_timeshare.c - the UNIX policy over a simulated processor that runs, slice by slice, whom the priorities say.
//
// Threads that compute, threads that compute for a moment and sleep, nice ones; what each got is compared with what its
// nice value says, and how long those who sleep waited for the processor with how long the others would make them wait.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "timeshare.h"

enum { MOST = 24, SLICES = 4, HIGHEST = 15 };            // slices of an interval

struct simulated {
    struct timeshare t;
    unsigned work, sleep;                // slices; sleep 0: it computes all the time
    unsigned left, wakes;                // of its work; when it wakes
    unsigned ran, total, longest;        // in this interval, in all; its longest wait
    unsigned since, turn;                // waits since; when it ran last
};

static struct simulated all[MOST];
static unsigned count, now, load;

static struct simulated *add(enum timeshare_kind kind, int nice, unsigned work, unsigned sleep)
{
    struct simulated *s = &all[count++];

    *s = (struct simulated){.work = work, .sleep = sleep, .left = work, .since = now};
    timeshare_set(&s->t, kind, nice);
    assert_int_equal(timeshare_kind(&s->t), kind);
    assert_int_equal(timeshare_nice(&s->t), nice);
    return s;
}

static bool ready(const struct simulated *s)
{
    return s->sleep == 0 || s->wakes <= now;
}

// The best level; among equals who ran last the longest ago.
static struct simulated *next(void)
{
    struct simulated *best = NULL;

    for (unsigned i = 0; i < count; i++) {
        struct simulated *s = &all[i];
        if (ready(s) && (best == NULL || s->t.level < best->t.level ||
                         (s->t.level == best->t.level && s->turn < best->turn))) {
            best = s;
        }
    }
    return best;
}

static void slice(void)
{
    struct simulated *s = next();

    now++;
    if (s == NULL) {
        return;
    }
    s->longest = now - s->since > s->longest ? now - s->since : s->longest;
    s->ran++;
    s->total++;
    s->turn = s->since = now;
    if (s->sleep != 0 && --s->left == 0) {
        s->left = s->work;
        s->wakes = s->since = now + s->sleep;
    }
}

static void renew(void)
{
    unsigned runnable = 0;

    for (unsigned i = 0; i < count; i++) {
        struct simulated *s = &all[i];
        runnable += ready(s);
        uint32_t level = timeshare_renew(&s->t, s->ran * TIMESHARE_INTERVAL / SLICES, ready(s), load, 1);
        assert_in_range(level, 0, TIMESHARE_LEVELS - 1);
        s->ran = 0;
    }
    load = runnable != 0 ? runnable : 1;
}

static void begin(void)
{
    count = now = 0;
    load = 1;
}

static void pass(unsigned intervals)
{
    for (unsigned i = 0; i < intervals; i++) {
        for (unsigned k = 0; k < SLICES; k++) {
            slice();
        }
        renew();
    }
}

static void test_equals(void **state)
{
    (void)state;
    for (unsigned n = 2; n <= MOST; n += 3) {
        begin();
        while (count < n) {
            (void)add(TIMESHARE_NORMAL, 0, 0, 0);
        }
        pass(4000);
        for (unsigned i = 0; i < n; i++) {
            assert_in_range(all[i].total, now / n * 9 / 10, now / n * 11 / 10);
        }
    }
}

// Of two that compute, the nicer one gets less, the more the nicer it is; never nothing.
static void test_nice(void **state)
{
    unsigned before = UINT32_MAX;

    (void)state;
    for (int nice = 1; nice <= TIMESHARE_NICE_MOST; nice += 3) {
        begin();
        struct simulated *plain = add(TIMESHARE_NORMAL, 0, 0, 0), *other = add(TIMESHARE_NORMAL, nice, 0, 0);
        pass(8000);
        print_message("nice %d: %u of %u\n", nice, other->total, now);
        assert_true(other->total < plain->total && other->total <= before + before / 8);
        assert_true(other->total > now / 200);
        before = other->total;
    }
    assert_true(before < now / 15);
    begin();
    struct simulated *best = add(TIMESHARE_NORMAL, TIMESHARE_NICE_LEAST, 0, 0);
    (void)add(TIMESHARE_NORMAL, 0, 0, 0);
    pass(8000);
    print_message("nice %d: %u of %u\n", TIMESHARE_NICE_LEAST, best->total, now);
    assert_true(best->total > now * 4 / 5);
}

static void test_kinds(void **state)
{
    (void)state;
    begin();
    struct simulated *plain = add(TIMESHARE_NORMAL, 0, 0, 0), *batch = add(TIMESHARE_BATCH, 0, 0, 0),
                     *idle = add(TIMESHARE_IDLE, -5, 0, 0);
    pass(8000);
    print_message("normal %u, batch %u, idle %u of %u\n", plain->total, batch->total, idle->total, now);
    assert_true(batch->total < plain->total / 2 && batch->total > now / 20);
    assert_in_range(idle->total, 8000 / (TIMESHARE_AGING + 8), 8000 * SLICES / TIMESHARE_AGING);
    begin();
    idle = add(TIMESHARE_IDLE, 0, 0, 0);
    pass(100);
    assert_int_equal(idle->total, now);          // nobody else wants it
}

// Who computes for a slice now and then does not wait for those who always do, however many they are.
static void test_interactive(void **state)
{
    (void)state;
    for (unsigned n = 1; n < MOST; n += 2) {
        begin();
        struct simulated *typist = add(TIMESHARE_NORMAL, 0, 1, 40 + 20 * n);
        while (count < n + 1) {
            (void)add(TIMESHARE_NORMAL, 0, 0, 0);
        }
        pass(50);
        typist->longest = 0;
        pass(4000);
        assert_in_range(typist->longest, 1, 2);          // its own slice is one of them
    }
}

// Whatever the others are, everybody has run after so many intervals: of many that are due at the same time each waits
// for its turn.
static void test_starvation(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < MOST; i++) {
        (void)add(i % 3 == 0 ? TIMESHARE_IDLE : TIMESHARE_NORMAL, i % 2 == 0 ? TIMESHARE_NICE_MOST : -20, 0, 0);
    }
    pass(4000);
    for (unsigned i = 0; i < MOST; i++) {
        assert_in_range(all[i].longest, 1, (TIMESHARE_AGING + MOST) * SLICES);
    }
}

static void test_edges(void **state)
{
    struct timeshare t = {0}, child;

    (void)state;
    assert_int_equal(timeshare_renew(&t, UINT64_MAX, true, 1, 1), 7);
    timeshare_inherit(&child, &t);
    assert_true(child.usage == t.usage && child.level == 7);
    assert_int_equal(timeshare_renew(&child, 0, false, 1, 1 << 16), 0);
    timeshare_set(&t, TIMESHARE_BATCH, TIMESHARE_NICE_MOST);
    for (unsigned i = 0; i < 1000; i++) {
        assert_in_range(timeshare_renew(&t, 4 * TIMESHARE_INTERVAL, true, 1, 1), 0, TIMESHARE_LEVELS - 2);
    }
    assert_int_equal(timeshare_renew(&t, 0, false, 1000, 1 << 16), 5);
    for (uint32_t highest = 0; highest < 32; highest++) {
        assert_int_equal(timeshare_priority(0, highest), highest);
        for (uint32_t level = 1; level < TIMESHARE_LEVELS; level++) {
            assert_true(timeshare_priority(level, highest) <= timeshare_priority(level - 1, highest));
        }
        assert_true(highest == 0 || timeshare_priority(TIMESHARE_LEVELS - 1, highest) < highest);
    }
    assert_int_equal(timeshare_priority(TIMESHARE_LEVELS - 1, HIGHEST), HIGHEST - TIMESHARE_LEVELS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals), cmocka_unit_test(test_nice), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_interactive), cmocka_unit_test(test_starvation), cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
