// test_gang.c - gangs: all that are ready or none, on different processors; every gang has its turn.
#include "steps.h"

enum { GANGS = 6 };

static struct steps w;
static struct gang gangs[GANGS];

static void begin(uint64_t seed, unsigned cpus)
{
    unsigned n = 0;

    steps_begin(&w, seed, &gang, cpus, 100, 0);
    for (unsigned g = 0; g < GANGS; g++) {
        gangs[g] = (struct gang){0};
        for (unsigned size = 1 + (unsigned)draw(&w, cpus); size > 0 && n < STEP_THREADS; size--) {
            w.thread[n++].gang = &gangs[g];
        }
    }
    w.threads = n;
}

// All or none; and none is left out that would fit beside the others.
static void whole(void)
{
    unsigned ready[GANGS] = {0}, active[GANGS] = {0};

    for (unsigned i = 0; i < w.threads; i++) {
        const struct scheduled *t = &w.thread[i];
        ready[t->gang - gangs] += t->state == SCHEDULED_READY;
        active[t->gang - gangs] += t->state == SCHEDULED_READY && t->cpu >= 0;
    }
    for (unsigned g = 0; g < GANGS; g++) {
        STEPS_ASSERT(&w, active[g] == 0 || active[g] == ready[g]);
        STEPS_ASSERT(&w, ready[g] == gangs[g].ready);
        STEPS_ASSERT(&w, ready[g] == 0 || active[g] != 0 || w.s.active_count + ready[g] > w.s.cpus);
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed, 1 + (unsigned)(seed % 6));
        for (unsigned i = 0; i < STEPS; i++) {
            steps_step(&w);
            whole();
        }
    }
}

// Every gang that is always ready runs at least once in as many slices as there are gangs.
static void test_turns(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed, 4);
        for (unsigned i = 0; i < w.threads; i++) {
            scheduler_enter(&w.s, &w.thread[i]);
            scheduler_wake(&w.s, &w.thread[i], w.now);
        }
        w.again = scheduler_run(&w.s, w.now);
        for (unsigned round = 1; round < 20; round++) {
            steps_pass(&w, GANGS * w.s.slice);
            whole();
            for (unsigned i = 0; i < w.threads; i++) {
                STEPS_ASSERT(&w, w.thread[i].total >= (round - 1) * w.s.slice);
                const struct scheduled *fellow = w.thread[i].gang->member;
                STEPS_ASSERT(&w, w.thread[i].total == fellow->total);
            }
        }
    }
}

// Two that cannot run together have a slice each, whatever their sizes.
static void test_sizes(void **state)
{
    (void)state;
    steps_begin(&w, 1, &gang, 4, 100, 7);
    gangs[0] = gangs[1] = (struct gang){0};
    for (unsigned i = 0; i < 7; i++) {
        w.thread[i].gang = &gangs[i / 4];
        scheduler_enter(&w.s, &w.thread[i]);
        scheduler_wake(&w.s, &w.thread[i], w.now);
    }
    for (unsigned i = 0; i < 500; i++) {
        steps_pass(&w, 7);
        uint64_t a = w.thread[0].total, b = w.thread[4].total;
        STEPS_ASSERT(&w, (a > b ? a - b : b - a) <= w.s.slice);
    }
}

// One that is larger than the machine is never torn apart.
static void test_too_large(void **state)
{
    (void)state;
    steps_begin(&w, 1, &gang, 2, 100, 3);
    gangs[0] = (struct gang){0};
    for (unsigned i = 0; i < 3; i++) {
        w.thread[i].gang = &gangs[0];
        scheduler_enter(&w.s, &w.thread[i]);
        scheduler_wake(&w.s, &w.thread[i], w.now);
    }
    steps_pass(&w, 1000);
    assert_int_equal(w.s.active_count, 0);
    scheduler_leave(&w.s, &w.thread[1], w.now);
    steps_pass(&w, 1000);
    assert_int_equal(w.s.active_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_turns), cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
