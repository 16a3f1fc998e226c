// test_sim.c - the wind tunnel: the same result wherever particles are kept, and what physics demands.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "sim.h"

enum { TEXT = 4096 };

static struct sim sim;
static pthread_barrier_t meeting;
static unsigned marks;
static char text[TEXT];

void sim_barrier(struct sim *s, unsigned me)
{
    (void)me;
    if (s->setup.threads > 1) {
        pthread_barrier_wait(&meeting);
    }
}

void sim_mark(struct sim *s, enum sim_mark mark)
{
    (void)s;
    marks = marks * 10 + mark + 1;
}

static void *work(void *number)
{
    sim_work(&sim, (unsigned)(uintptr_t)number);
    return NULL;
}

static void add_line(const char *line)
{
    size_t n = strlen(text);

    snprintf(text + n, sizeof(text) - n, "%s\n", line);
}

static void prepare(const char *words)
{
    const char *bad;
    size_t n;

    memset(&sim, 0, sizeof(sim));
    sim_defaults(&sim.setup);
    assert_true(sim_words(&sim.setup, words, strlen(words), &bad, &n));
    assert_null(sim_check(&sim.setup));
}

// Run it, and leave what it reports in text.
static void run(const char *words)
{
    pthread_t thread[SIM_THREADS];

    prepare(words);
    struct sim_setup setup = sim.setup;
    size_t size = sim_layout(&sim, 0);
    memset(&sim, 0, sizeof(sim));
    sim.setup = setup;
    void *area = aligned_alloc(SIM_PAGE, size);
    assert_non_null(area);
    memset(area, 0, size);
    assert_int_equal(sim_layout(&sim, (uintptr_t)area), size);
    marks = 0;
    pthread_barrier_init(&meeting, NULL, setup.threads);
    for (uintptr_t i = 0; i < setup.threads; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, work, (void *)i), 0);
    }
    for (unsigned i = 0; i < setup.threads; i++) {
        pthread_join(thread[i], NULL);
    }
    pthread_barrier_destroy(&meeting);
    free(area);
    assert_int_equal(sim.failed, 0);
    assert_int_equal(marks, 12);
    text[0] = '\0';
    sim_report(&sim, add_line);
}

static uint64_t seen(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < SIM_TABLE * SIM_TABLE; i++) {
        n += sim.table[i];
    }
    return n;
}

static void placement_changes_nothing(void **state)
{
    static const char *const words[] = {"policy=cells", "policy=stay threads=2", "policy=cells threads=2",
                                        "policy=cells threads=8", "policy=stay threads=7"};
    char base[] = "particles=3001 steps=6 warm=1 grid=16x12x8 seed=7", all[200], expected[TEXT];

    (void)state;
    snprintf(all, sizeof(all), "%s policy=stay", base);
    run(all);
    memcpy(expected, text, sizeof(text));
    assert_true(sim.result.collisions > 100 && sim.result.hits > 10 && sim.result.reservoir > 100);
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        snprintf(all, sizeof(all), "%s %s", base, words[i]);
        run(all);
        assert_string_equal(text, expected);
    }
}

static void the_seed_changes_it(void **state)
{
    uint64_t first;

    (void)state;
    run("particles=500 steps=3 grid=12x8x8 seed=1");
    first = sim.result.checksum;
    run("particles=500 steps=3 grid=12x8x8 seed=2");
    assert_true(sim.result.checksum != first);
}

static void nobody_is_lost(void **state)
{
    (void)state;
    run("particles=2500 steps=9 warm=4 grid=16x8x8 policy=cells threads=3");
    assert_int_equal(seen(), 2500 * 5);
    run("particles=2500 steps=9 warm=0 grid=16x8x8 policy=stay obstacle=none");
    assert_int_equal(seen(), 2500 * 9);
    assert_int_equal(sim.result.hits, 0);
}

// Pages go round between workers for as long as it takes: many more steps than there are spare pages.
static void pages_come_back(void **state)
{
    (void)state;
    run("particles=600 steps=400 warm=10 grid=12x8x8 policy=cells threads=4");
    uint64_t checksum = sim.result.checksum;
    run("particles=600 steps=400 warm=10 grid=12x8x8 policy=stay");
    assert_int_equal(sim.result.checksum, checksum);
}

static void extremes(void **state)
{
    (void)state;
    run("particles=1 steps=2 warm=1 grid=4x4x4 threads=8 policy=cells");
    assert_int_equal(seen(), 1);
    run("particles=4096 steps=2 warm=0 grid=4x4x4 threads=2 policy=cells");
    run("particles=127 steps=2 warm=0 grid=64x4x64 obstacle=2-64,0-4,0-64");
    run("particles=128 steps=2 warm=1 grid=64x64x4");
}

// In front of the obstacle the gas is denser, behind it thinner.
static void a_shock_and_a_wake(void **state)
{
    (void)state;
    run("particles=8192 steps=60 warm=30 grid=24x12x4 obstacle=8-12,4-8,0-4");
    const uint64_t *row = &sim.table[SIM_TABLE];
    assert_true(row[1] > 2 * row[0]);
    assert_true(row[3] < row[0] / 2);
    assert_true(row[2] == 0);
}

static void collisions_conserve(void **state)
{
    uint64_t turned = 0;
    double drift = 0;

    (void)state;
    prepare("");
    (void)sim_layout(&sim, 0);
    for (uint32_t i = 0; i < 20000; i++) {
        struct sim_particle a, b;
        struct sim_counts c = {0};
        int64_t sum[3], before = 0, after = 0;
        sim_create(&sim, &a, 2 * i);
        sim_create(&sim, &b, 2 * i + 1);
        for (unsigned k = 0; k < 3; k++) {
            sum[k] = a.v[k] + b.v[k];
            before += (int64_t)a.v[k] * a.v[k] + (int64_t)b.v[k] * b.v[k];
        }
        sim_collide(&sim, &a, &b, 1000, 3, &c);
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(a.v[k] + b.v[k], sum[k]);
            after += (int64_t)a.v[k] * a.v[k] + (int64_t)b.v[k] * b.v[k];
        }
        turned += c.collisions;
        drift += (double)(after - before) / (double)before;
        assert_true(after - before < 200000 && before - after < 200000);
    }
    assert_true(turned > 19000);
    assert_true(drift / 20000 < 1e-6 && drift / 20000 > -1e-6);
}

static void reflections(void **state)
{
    struct sim_counts c = {0};
    struct sim_particle p = {.at = {SIM_CELL, 100, SIM_CELL}, .v = {10, -300, 0}};

    (void)state;
    prepare("obstacle=8-12,4-12,4-12");
    (void)sim_layout(&sim, 0);
    sim_move(&sim, &p, 1, &c);
    assert_true(p.at[0] == SIM_CELL + 10 && p.at[1] == 199 && p.v[1] == 300);
    p = (struct sim_particle){.at = {8 * SIM_CELL - 5, 6 * SIM_CELL, 6 * SIM_CELL}, .v = {20, 1, 2}};
    sim_move(&sim, &p, 1, &c);
    assert_true(p.at[0] == 8 * SIM_CELL - 16 && p.v[0] == -20 && p.v[1] == 1 && c.hits == 1);
    p = (struct sim_particle){.at = {32 * SIM_CELL - 1, 0, 0}, .v = {20, 0, 0}, .id = 9};
    sim_move(&sim, &p, 1, &c);
    assert_true(c.reservoir == 1 && p.at[0] < p.v[0] && p.v[0] > 0);
}

static bool refused(const char *words)
{
    struct sim_setup s;
    const char *bad;
    size_t n;

    sim_defaults(&s);
    return !sim_words(&s, words, strlen(words), &bad, &n) || sim_check(&s) != NULL;
}

static void words(void **state)
{
    static const char *const wrong[] = {
        "particles", "particles=", "particles=x", "particles=5x", "particles=0", "particles=99999999999",
        "what=1", "grid=16x16", "grid=16x16x", "grid=6x8x8", "grid=0x4x4", "grid=128x4x4",
        "obstacle=1-3,0-4,0-4", "obstacle=9-8,0-4,0-4", "obstacle=8-40,0-4,0-4", "obstacle=8-9", "policy=",
        "policy=both", "threads=0", "threads=9", "steps=0", "steps=3 warm=3", "particles=600000", "=", "seed=",
        "seed=1y",
        "grid=16x16x16000000000000000000000000000000000000000000000000000000000000",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (!refused(wrong[i])) {
            fail_msg("not refused: %s", wrong[i]);
        }
    }
}

static void words_in_comments(void **state)
{
    (void)state;
    prepare("# a comment = with words\nparticles=77\tsteps=5 warm=1\r\n#\n"
            "seed=0x10 grid=8x4x4 # threads=9\nthreads=2");
    assert_true(sim.setup.particles == 77 && sim.setup.steps == 5 && sim.setup.seed == 16);
    assert_true(sim.setup.size[0] == 8 && sim.setup.threads == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placement_changes_nothing), cmocka_unit_test(the_seed_changes_it),
        cmocka_unit_test(nobody_is_lost),            cmocka_unit_test(pages_come_back),
        cmocka_unit_test(extremes),                  cmocka_unit_test(a_shock_and_a_wake),
        cmocka_unit_test(collisions_conserve),       cmocka_unit_test(reflections),
        cmocka_unit_test(words),                     cmocka_unit_test(words_in_comments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
