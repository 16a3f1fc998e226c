// test_turns.c - the boot option for an emulator whose processors take turns, and the parallel clock.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/host/host.h"

static void test_none(void **state)
{
    (void)state;
    host_boot(2, 64ull << 20, "");
    assert_false(host.turns);
    assert_int_equal(host_instance()->info->turns, 0);
    host_shutdown();
}

static void test_turns(void **state)
{
    struct system_info clock = {.turns = 0};

    (void)state;
    host_boot(2, 64ull << 20, "turns=2000");
    assert_true(host.turns);
    assert_int_equal(host_instance()->info->turns, 2000);
    uint64_t before = system_parallel_clock(&clock) / 2000;
    uint64_t parallel = system_parallel_clock(host_instance()->info);
    uint64_t after = system_parallel_clock(&clock) / 2000;
    assert_true(before <= parallel && parallel <= after);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_none), cmocka_unit_test(test_turns)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
