// test_stride.c - stride: of any two threads that are always ready, neither is more than a slice beyond its part.
#include "steps.h"

static struct steps w;

// x has got a of the time that both got, for ta of their tickets: what he is beyond his part.
static uint64_t beyond(const struct scheduled *x, const struct scheduled *y)
{
    uint64_t both = x->total + y->total, part = both * x->tickets / (x->tickets + y->tickets);

    return x->total > part ? x->total - part : part - x->total;
}

static void test_parts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        steps_begin(&w, seed, &stride, 1, 1000, 2 + (unsigned)(seed % 9));
        for (unsigned i = 0; i < w.threads; i++) {
            w.thread[i].tickets = 1 + (uint32_t)draw(&w, 100);
            scheduler_enter(&w.s, &w.thread[i]);
            scheduler_wake(&w.s, &w.thread[i], w.now);
        }
        w.again = scheduler_run(&w.s, w.now);
        for (unsigned i = 0; i < 150; i++) {
            steps_pass(&w, draw(&w, 7000));
            for (unsigned a = 0; a < w.threads; a++) {
                for (unsigned b = 0; b < a; b++) {
                    STEPS_ASSERT(&w, beyond(&w.thread[a], &w.thread[b]) <= w.s.slice + 2);
                }
            }
        }
    }
}

// Who slept is not paid for it: after that he gets his part and not more.
static void test_sleeper(void **state)
{
    (void)state;
    steps_begin(&w, 1, &stride, 1, 1000, 2);
    for (unsigned i = 0; i < 2; i++) {
        w.thread[i].tickets = 5;
        scheduler_enter(&w.s, &w.thread[i]);
        scheduler_wake(&w.s, &w.thread[i], w.now);
    }
    steps_pass(&w, 10000);
    scheduler_block(&w.s, &w.thread[0], w.now + 1000000, w.now);
    steps_pass(&w, 1000000);
    uint64_t slept = w.thread[0].total, other = w.thread[1].total;
    steps_pass(&w, 50000);
    uint64_t gained = w.thread[0].total - slept, others = w.thread[1].total - other;
    assert_in_range(gained, 24000, 26000);
    assert_in_range(others, 24000, 26000);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        steps_begin(&w, seed, &stride, 1 + (unsigned)(seed % 5), 100, STEP_THREADS);
        for (unsigned i = 0; i < w.threads; i++) {
            w.thread[i].tickets = (uint32_t)draw(&w, 5);         // none is made one
        }
        for (unsigned i = 0; i < STEPS; i++) {
            steps_step(&w);
            unsigned can = w.s.ready_count < w.s.cpus ? w.s.ready_count : w.s.cpus;
            STEPS_ASSERT(&w, w.s.active_count == can);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts), cmocka_unit_test(test_sleeper), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
