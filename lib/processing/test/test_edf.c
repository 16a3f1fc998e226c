// test_edf.c - earliest deadline first: the order, the test before a task is taken, and no miss after it.
//
// Tasks with random times are offered until some are refused; those that were taken are simulated tick for tick, each
// job needing all that was declared.  One task more than fits, forced in, must miss.
#include "steps.h"

static struct steps w;
static uint64_t left[STEP_THREADS], release[STEP_THREADS], misses, jobs;

// Nobody ready with an earlier deadline waits for the processor of one with a later one.
static void order(void)
{
    for (unsigned i = 0; i < w.threads; i++) {
        const struct scheduled *t = &w.thread[i];
        if (t->state == SCHEDULED_READY && t->cpu < 0) {
            const struct scheduled *other = w.s.on[__builtin_ctzll(t->mask)];
            STEPS_ASSERT(&w, other != NULL && other->deadline <= t->deadline);
        }
    }
}

static void begin(unsigned i)
{
    struct scheduled *t = &w.thread[i];

    scheduler_enter(&w.s, t);
    scheduler_wake(&w.s, t, w.now);
    release[i] = w.now + 1 + draw(&w, t->period);
    scheduler_block(&w.s, t, release[i], w.now);
    left[i] = t->execution;
}

// Up to the next release or the end of a job, whichever is sooner.
static void advance(void)
{
    uint64_t next = UINT64_MAX, before = w.now;

    w.again = scheduler_run(&w.s, w.now);
    order();
    next = w.again != 0 ? w.again : next;
    for (unsigned i = 0; i < w.threads; i++) {
        const struct scheduled *t = &w.thread[i];
        next = t->cpu >= 0 && t->state == SCHEDULED_READY && w.now + left[i] < next ? w.now + left[i] : next;
    }
    w.now = next;
    for (unsigned i = 0; i < w.threads; i++) {
        struct scheduled *t = &w.thread[i];
        if (t->state != SCHEDULED_READY || t->cpu < 0) {
            continue;
        }
        left[i] -= next - before;
        if (left[i] == 0) {
            STEPS_ASSERT(&w, t->deadline == release[i] + t->relative);
            misses += w.now > t->deadline;
            jobs++;
            release[i] += t->period;
            left[i] = t->execution;
            scheduler_block(&w.s, t, release[i], w.now);
        }
    }
}

static bool offer(struct scheduled *t, uint64_t seed)
{
    t->period = 20 + draw(&w, 400);
    t->relative = draw(&w, 2) == 0 ? t->period : 10 + draw(&w, t->period - 10);
    t->execution = 1 + draw(&w, t->relative / 2 + 1);
    t->mask = seed % 3 == 0 ? 3 : 0;
    return edf_admit(&w.s, t);
}

static void test_no_miss(void **state)
{
    (void)state;
    uint64_t refused = 0;

    jobs = misses = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        steps_begin(&w, seed, &earliest_deadline, 1 + (unsigned)(seed % 4), 1000, 0);
        for (unsigned tries = 0; tries < 40 && w.threads < STEP_THREADS; tries++) {
            if (offer(&w.thread[w.threads], seed)) {
                w.threads++;
            } else {
                refused++;
            }
        }
        for (unsigned i = 0; i < w.threads; i++) {
            begin(i);
        }
        for (unsigned i = 0; i < 3000; i++) {
            advance();
        }
        STEPS_ASSERT(&w, misses == 0);
    }
    assert_true(jobs > 100000 && refused > 1000);
}

static void test_admission(void **state)
{
    struct scheduled a = {.execution = 50, .period = 100, .relative = 100}, b = a, c = {.execution = 1, .period = 1000,
                     .relative = 1000}, d = {.execution = 20, .period = 100, .relative = 19};

    (void)state;
    steps_begin(&w, 1, &earliest_deadline, 1, 1000, 0);
    assert_false(edf_admit(&w.s, &d));           // longer than its own deadline
    assert_true(edf_admit(&w.s, &a));
    assert_true(edf_admit(&w.s, &b));            // exactly full
    assert_false(edf_admit(&w.s, &c));
    assert_int_equal(c.mask, 0);
    edf_dismiss(&w.s, &b);
    assert_true(edf_admit(&w.s, &c));
    assert_int_equal(c.mask, 1);
    a.mask = 2;
    assert_false(edf_admit(&w.s, &a));           // a processor that is not there
}

// The simulation sees misses: 110 percent.
static void test_overload(void **state)
{
    (void)state;
    jobs = misses = 0;
    steps_begin(&w, 1, &earliest_deadline, 1, 1000, 2);
    for (unsigned i = 0; i < 2; i++) {
        w.thread[i] = (struct scheduled){.execution = 55, .period = 100, .relative = 100, .mask = 1};
        begin(i);
    }
    for (unsigned i = 0; i < 3000; i++) {
        advance();
    }
    assert_true(misses > jobs / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_miss), cmocka_unit_test(test_admission), cmocka_unit_test(test_overload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
