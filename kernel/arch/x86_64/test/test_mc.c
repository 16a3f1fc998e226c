// test_mc.c - what a bank of machine-check registers says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mc_decode.h"

#define CAP     (MCG_CAP_RECOVER | 10)
#define RUNNING (MCG_STATUS_MCIP | MCG_STATUS_RIPV)
#define USED    (RUNNING | MCG_STATUS_EIPV)
// A patrol of the memory found it; 0xc0 is "memory scrubbing".
#define FOUND   (MC_STATUS_VALID | MC_STATUS_UC | MC_STATUS_ENABLED | MC_STATUS_MISCV | MC_STATUS_ADDRV | \
                 MC_STATUS_S | 0xc0)
#define PAGE_EXACT (2 << 6 | 12)

static struct mc_error decode(uint64_t global, uint64_t status, uint64_t addr, uint64_t misc)
{
    const struct mc_bank b = {status, addr, misc};
    return mc_decode(CAP, global, &b);
}

static void memory(void **state)
{
    (void)state;
    struct mc_error e = decode(RUNNING, FOUND, 0x12345678, PAGE_EXACT);
    assert_int_equal(e.kind, MC_MEMORY);
    assert_int_equal(e.pa, 0x12345000);
    assert_false(e.here);
    assert_false(decode(USED, FOUND, 0x1000, PAGE_EXACT).here);                          // no action required
    assert_true(decode(USED, FOUND | MC_STATUS_AR, 0x1000, PAGE_EXACT).here);
    assert_true(decode(MCG_STATUS_MCIP, FOUND | MC_STATUS_AR, 0x1000, PAGE_EXACT).here);
    assert_false(decode(RUNNING, FOUND | MC_STATUS_AR, 0x1000, PAGE_EXACT).here);        // the other thread of the core
    assert_int_equal(decode(RUNNING, FOUND, 0x1040, 2 << 6 | 6).pa, 0x1000);             // as exact as a line
    assert_int_equal(decode(RUNNING, FOUND & ~MC_STATUS_S, 0x1000, PAGE_EXACT).kind, MC_MEMORY);
}

static void nothing(void **state)
{
    (void)state;
    assert_int_equal(decode(RUNNING, 0, 0, 0).kind, MC_NOTHING);
    assert_int_equal(decode(RUNNING, FOUND & ~MC_STATUS_VALID, 0x1000, PAGE_EXACT).kind, MC_NOTHING);
    assert_int_equal(decode(RUNNING, FOUND & ~MC_STATUS_UC, 0x1000, PAGE_EXACT).kind, MC_NOTHING);
    assert_int_equal(decode(RUNNING, FOUND & ~MC_STATUS_ENABLED, 0x1000, PAGE_EXACT).kind, MC_NOTHING);
    assert_int_equal(decode(RUNNING, FOUND & ~(MC_STATUS_S | MC_STATUS_ADDRV), 0, PAGE_EXACT).kind, MC_NOTHING);
}

static void fatal(void **state)
{
    const struct mc_bank b = {FOUND, 0x1000, PAGE_EXACT};

    (void)state;
    assert_int_equal(decode(RUNNING, FOUND | MC_STATUS_PCC, 0x1000, PAGE_EXACT).kind, MC_FATAL);
    assert_int_equal(decode(RUNNING, FOUND | MC_STATUS_OVER, 0x1000, PAGE_EXACT).kind, MC_FATAL);
    assert_int_equal(decode(RUNNING, FOUND & ~MC_STATUS_ADDRV, 0, PAGE_EXACT).kind, MC_FATAL);
    assert_int_equal(decode(RUNNING, FOUND & ~MC_STATUS_MISCV, 0x1000, 0).kind, MC_FATAL);
    assert_int_equal(decode(RUNNING, FOUND, 0x1000, 1 << 6 | 12).kind, MC_FATAL);        // a linear address
    assert_int_equal(decode(RUNNING, FOUND, 0x1000, 2 << 6 | 13).kind, MC_FATAL);        // which of two pages?
    assert_int_equal(mc_decode(10, RUNNING, &b).kind, MC_FATAL);
    assert_non_null(mc_decode(10, RUNNING, &b).why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory), cmocka_unit_test(nothing), cmocka_unit_test(fatal),
    };
    return cmocka_run_group_tests_name("mc", tests, NULL, NULL);
}
