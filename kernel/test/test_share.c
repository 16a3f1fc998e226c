// test_share.c - shares of processors: threads of kernels that are limited.
#include "clocked.h"

// ---- the tests --------------------------------------------------------------------------------------------

// One processor, one busy thread each: shares and priorities, and what each should get.
struct mix {
    const char *name;
    struct { uint8_t share, priority; double wanted; } kernel[4];
};

static const struct mix mix[] = {
    {"two", {{30, MIDDLE, 30}, {70, MIDDLE, 70}}},
    {"three", {{20, MIDDLE, 20}, {30, MIDDLE, 30}, {50, MIDDLE, 50}}},
    {"four", {{5, MIDDLE, 5}, {15, MIDDLE, 15}, {35, MIDDLE, 35}, {45, MIDDLE, 45}}},
    {"one in a hundred", {{1, MIDDLE, 1}, {99, MIDDLE, 99}}},
    {"one is not limited", {{10, MIDDLE, 10}, {100, MIDDLE, 90}}},
    {"a share of a high priority, at a premium", {{50, 30, 50 * 32 / 46.}, {100, 0, 100 - 50 * 32 / 46.}}},
    {"a share of a low priority, at a discount", {{50, 8, 50 * 32 / 24.}, {100, 0, 100 - 50 * 32 / 24.}}},
    {"over its share, though of a high priority", {{20, 24, 16}, {100, MIDDLE, 84}}},
    {"so cheap that it has no end", {{60, 0, 50}, {60, 0, 50}}},
    {"idle time is for who is over", {{20, MIDDLE, 50}, {20, MIDDLE, 50}}},
    {"a share of nothing", {{0, 30, 0}, {100, 0, 100}}},
    {"a share of nothing has idle time", {{0, 24, 40}, {60, MIDDLE, 60}}},
    {"alone", {{10, MIDDLE, 100}}},
    {"alone with nothing", {{0, MIDDLE, 100}}},
};

static void test_one(void **state)
{
    (void)state;
    for (unsigned m = 0; m < sizeof(mix) / sizeof(mix[0]); m++) {
        struct kernel k[4];
        boot(1);
        for (unsigned i = 0; i < 4 && mix[m].kernel[i].wanted + mix[m].kernel[i].share > 0; i++) {
            k[i] = load_even(mix[m].kernel[i].share);
            start(k[i], mix[m].kernel[i].priority, 0);
        }
        for (unsigned second = 0; second < 3; second++) {        // the first one too
            measure(1);
            for (unsigned i = 0; i < 4 && mix[m].kernel[i].wanted + mix[m].kernel[i].share > 0; i++) {
                expect(mix[m].name, percent(k[i], 0), mix[m].kernel[i].wanted);
            }
        }
        host_shutdown();
    }
}

// Each processor by itself, with threads that are bound to it.
static void test_four_bound(void **state)
{
    static const uint8_t a[] = {10, 50, 0, 100}, b[] = {90, 50, 100, 0};

    (void)state;
    boot(4);
    struct kernel ka = load(a), kb = load(b);
    for (unsigned i = 0; i < 4; i++) {
        start(ka, MIDDLE, 1u << i);
        start(kb, MIDDLE, 1u << i);
    }
    for (unsigned second = 0; second < 3; second++) {
        measure(1);
        for (unsigned i = 0; i < 4; i++) {
            expect("bound", percent(ka, i), a[i]);
            expect("bound", percent(kb, i), b[i]);
        }
    }
    host_shutdown();
}

// Threads that may run anywhere: what is taken from other processors respects the shares too.
static void test_four_free(void **state)
{
    (void)state;
    boot(4);
    struct kernel a = load_even(25), b = load_even(75);
    for (unsigned i = 0; i < 6; i++) {
        start(a, MIDDLE, 0);
        start(b, MIDDLE, 0);
    }
    for (unsigned second = 0; second < 3; second++) {
        measure(1);
        for (unsigned i = 0; i < 4; i++) {
            expect("free", percent(a, i), 25);
            expect("free", percent(b, i), 75);
        }
    }
    host_shutdown();
}

// One free thread of b: it goes where it is within its share; a has the rest, and nothing idles.
static void test_moves(void **state)
{
    (void)state;
    boot(2);
    struct kernel a = load_even(50), b = load((uint8_t[]){40, 0, 0, 0});
    start(a, MIDDLE, 1);
    start(a, MIDDLE, 2);
    start(b, MIDDLE, 0);
    measure(2);
    double all = percent(a, 0) + percent(a, 1) + percent(b, 0) + percent(b, 1);
    expect("nothing idles", all, 200);
    assert_true(percent(b, 0) >= 38);
    assert_true(percent(a, 1) >= 50);
    host_shutdown();
}

static void test_change(void **state)
{
    static const uint8_t share[] = {20, 60, 0, 100, 35};

    (void)state;
    boot(1);
    struct kernel a = load_even(20), b = load_even(100);
    start(a, MIDDLE, 0);
    start(b, MIDDLE, 0);
    for (unsigned i = 0; i < sizeof(share); i++) {
        assert_int_equal(call(SYS_kernel_share, a.id, 0, share[i], NULL), ERR_OK);
        measure(1);
        expect("changed", percent(a, 0), share[i] == 100 || share[i] == 60 ? 50 : share[i]);
        assert_int_equal(usage(a, 0)->share, share[i]);
    }
    assert_int_equal(call(SYS_kernel_share, host_instance()->info->kernel, 0, 50, NULL), ERR_DENIED);
    host_shutdown();
}

// Over its share, its threads ready or running, it is unloaded; a new one in its place begins afresh.
static void test_unload(void **state)
{
    (void)state;
    boot(1);
    struct kernel b = load_even(80);
    start(b, MIDDLE, 0);
    for (unsigned i = 0; i < 20; i++) {
        struct kernel a = load_even((uint8_t)(i % 2 == 0 ? 20 : 0));
        start(a, MIDDLE, 0);
        start(a, MIDDLE + 4, 0);
        for (unsigned tries = 0; !usage(a, 0)->over && tries < 100; tries++) {
            sleep_for(SLICE);
        }
        assert_int_equal(usage(a, 0)->over, 1);
        assert_int_equal(call(SYS_kernel_unload, a.id, 0, 0, NULL), ERR_OK);
        assert_int_equal(host_instance()->cpu[0].limits, 1);
    }
    measure(1);
    expect("it is alone again", percent(b, 0), 100);
    host_shutdown();
}

// What the system pages say is what was seen.
static void test_usage(void **state)
{
    (void)state;
    boot(1);
    struct kernel a = load_even(20), b = load_even(40);
    start(a, MIDDLE, 0);
    start(b, 8, 0);
    struct kernel_usage a0 = *usage(a, 0), b0 = *usage(b, 0);
    measure(1);
    const struct kernel_usage *a1 = usage(a, 0), *b1 = usage(b, 0);
    // Each has its share, b's is 40 / 0.75 at its discount; the rest is a's: its priority is higher.
    expect("ran", (double)(a1->ran - a0.ran) / 10000, percent(a, 0));
    expect("ran", (double)(b1->ran - b0.ran) / 10000, percent(b, 0));
    expect("charged", (double)(a1->charged - a0.charged) / 10000, 20);
    expect("charged", (double)(b1->charged - b0.charged) / 10000, 40);
    expect("spare", (double)(a1->spare - a0.spare) / 10000, 100 - 20 - 40 / 0.75);
    expect("spare", (double)(b1->spare - b0.spare) / 10000, 0);
    host_shutdown();
}

// The service thread of a kernel whose programs are over its share waits some slices, not for ever.
static void test_service(void **state)
{
    uint64_t longest = 0;

    (void)state;
    boot(1);
    struct kernel a = load_even(5), b = load_even(95);
    start(b, MIDDLE, 0);
    start(a, 0, 0);
    oid_t id = start(a, MIDDLE, 0);
    assert_int_equal(call(SYS_wait, 0, 0, 0, NULL), -1);
    for (unsigned i = 0; i < 300; i++) {
        struct thread *t = (struct thread *)cache_find(&host_instance()->threads, id);
        uint64_t begin = host.clock;
        while (host_instance()->cpu[0].thread != t) {
            run_until(host.clock + SLICE / 4);
        }
        longest = host.clock - begin > longest ? host.clock - begin : longest;
        const uint64_t args[6] = {host.clock + 3000 + i * 7};
        assert_int_equal(host_call(0, SYS_wait, args, NULL), -1);
        run_until(args[0]);
    }
    printf("the service thread waited %lu ticks at most\n", (unsigned long)longest);
    assert_true(longest <= (SHARE_BURST + SHARE_RETURN) * SLICE);
    host_shutdown();
}

// With nobody to run no timer is armed, though kernels are over their shares.
static void test_idle(void **state)
{
    (void)state;
    boot(2);
    struct kernel a = load_even(10);
    oid_t id[2] = {start(a, MIDDLE, 1), start(a, MIDDLE, 2)};
    measure(1);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(call(SYS_thread_unload, id[i], 0, 0, NULL), ERR_OK);
    }
    assert_int_equal(call(SYS_wait, 0, 0, 0, NULL), -1);
    run_until(host.clock + SECOND);
    assert_null(host_instance()->cpu[0].thread);
    assert_int_equal(host.cpu[0].timer, 0);
    assert_int_equal(host.cpu[1].timer, 0);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),   cmocka_unit_test(test_four_bound), cmocka_unit_test(test_four_free),
        cmocka_unit_test(test_moves), cmocka_unit_test(test_change),     cmocka_unit_test(test_unload),
        cmocka_unit_test(test_usage), cmocka_unit_test(test_service),    cmocka_unit_test(test_idle),
    };
    return cmocka_run_group_tests_name("kernel_share", tests, NULL, NULL);
}
