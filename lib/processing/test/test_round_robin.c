// test_round_robin.c - round robin: no processor idles while somebody waits, and turns are taken.
#include "steps.h"

static struct steps w;

// As many are active as can be.
static void busy(void)
{
    unsigned can = w.s.ready_count < w.s.cpus ? w.s.ready_count : w.s.cpus;

    STEPS_ASSERT(&w, w.s.active_count == can);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        steps_begin(&w, seed, &round_robin, 1 + (unsigned)(seed % 5), 100, STEP_THREADS);
        for (unsigned i = 0; i < STEPS; i++) {
            steps_step(&w);
            busy();
        }
    }
}

// Of threads that are always ready each has the same time, to a slice.
static void test_fair(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        steps_begin(&w, seed, &round_robin, 1 + (unsigned)(seed % 4), 100, 2 + (unsigned)(seed % 19));
        for (unsigned i = 0; i < w.threads; i++) {
            scheduler_enter(&w.s, &w.thread[i]);
            scheduler_wake(&w.s, &w.thread[i], w.now);
        }
        w.again = scheduler_run(&w.s, w.now);
        for (unsigned i = 0; i < 200; i++) {
            steps_pass(&w, draw(&w, 70));
            uint64_t least = UINT64_MAX, most = 0;
            for (unsigned k = 0; k < w.threads; k++) {
                least = w.thread[k].total < least ? w.thread[k].total : least;
                most = w.thread[k].total > most ? w.thread[k].total : most;
            }
            STEPS_ASSERT(&w, most - least <= w.s.slice);
        }
    }
}

// Who need not move does not: two that stay among the chosen keep their processors.
static void test_stay(void **state)
{
    (void)state;
    steps_begin(&w, 1, &round_robin, 3, 100, 5);
    for (unsigned i = 0; i < 5; i++) {
        scheduler_enter(&w.s, &w.thread[i]);
        scheduler_wake(&w.s, &w.thread[i], w.now);
    }
    steps_pass(&w, 50);
    struct scheduled *before[3] = {w.s.on[0], w.s.on[1], w.s.on[2]};
    scheduler_block(&w.s, before[1], 0, w.now);
    steps_pass(&w, 10);
    assert_ptr_equal(w.s.on[0], before[0]);
    assert_ptr_equal(w.s.on[2], before[2]);
    assert_non_null(w.s.on[1]);
}

// A thread of one processor is active nowhere else, and does not wait while that one idles.
static void test_mask(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        steps_begin(&w, seed, &round_robin, 4, 100, 12);
        for (unsigned i = 0; i < w.threads; i++) {
            w.thread[i].mask = 1ull << draw(&w, 4);
        }
        for (unsigned i = 0; i < STEPS; i++) {
            steps_step(&w);
            for (unsigned k = 0; k < w.threads; k++) {
                const struct scheduled *t = &w.thread[k];
                STEPS_ASSERT(&w, t->state != SCHEDULED_READY || w.s.on[__builtin_ctzll(t->mask)] != NULL);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_fair), cmocka_unit_test(test_stay),
        cmocka_unit_test(test_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
