// test_machine.c - what QEMU does not check and hardware does, and the page-table entries.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/frame.h>

#include "arch.h"
#include "xstate.h"

static void xstate(void **state)
{
    static uint8_t area[XSTATE_SIZE] __attribute__((aligned(64)));

    (void)state;
    assert_true(arch_xstate_ok(area));
    memset(area, 0xff, XSAVE_MXCSR);                               // x87 is anything
    memset(area + XSAVE_MXCSR, 0, 4);
    memset(area + XSAVE_MXCSR + 4, 0xff, XSAVE_HEADER - XSAVE_MXCSR - 4);
    memset(area + XSAVE_HEADER_END, 0xff, XSTATE_SIZE - XSAVE_HEADER_END);
    assert_true(arch_xstate_ok(area));
    area[XSAVE_HEADER] = 7;
    area[XSAVE_MXCSR] = area[XSAVE_MXCSR + 1] = 0xff;
    assert_true(arch_xstate_ok(area));
    for (unsigned bit = 16; bit < 32; bit++) {                     // reserved bits of MXCSR
        area[XSAVE_MXCSR + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(arch_xstate_ok(area));
        area[XSAVE_MXCSR + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (unsigned bit = 3; bit < 64 * 8; bit++) {                  // components that are off; the rest
        area[XSAVE_HEADER + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(arch_xstate_ok(area));
        area[XSAVE_HEADER + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(arch_xstate_ok(area));
}

static void addresses(void **state)
{
    (void)state;
    assert_true(arch_address_ok(0));
    assert_true(arch_address_ok(ABI_USER_END - 1));
    assert_false(arch_address_ok(ABI_USER_END));
    assert_false(arch_address_ok(0x0000800000000000));             // not canonical
    assert_false(arch_address_ok(0xffff7fffffffffff));
    assert_false(arch_address_ok(0xffff800000000000));
    assert_false(arch_address_ok(0xffffffffffffffff));
    // SYSCALL on the last bytes that can be mapped leaves an address that is still canonical.
    assert_true(ABI_USER_END + 2 < 0x0000800000000000);
    assert_int_equal(USER_END, ABI_USER_END);
}

static void flags(void **state)
{
    (void)state;
    assert_int_equal(RFLAGS_USER & (3 << 12), 0);                  // IOPL
    assert_int_equal(RFLAGS_USER & (7 << 17) & ~(1 << 18), 0);     // VM, VIF
    assert_int_equal(RFLAGS_USER & (1 << 20), 0);                  // VIP
    assert_int_equal(RFLAGS_ALWAYS, 1 << 9 | 1 << 1);              // IF
}

static void entries(void **state)
{
    static const uint32_t access[] = {
        MAP_READ, MAP_READ | MAP_WRITE, MAP_READ | MAP_EXEC, MAP_READ | MAP_WRITE | MAP_DEVICE,
        MAP_READ | MAP_LARGE, MAP_READ | MAP_WRITE | MAP_LARGE, MAP_READ | MAP_EXEC | MAP_LARGE,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(access) / sizeof(access[0]); i++) {
        pa_t pa = 0x000ffffffe000000;
        pte_t e = arch_pte_leaf(pa, access[i]);
        assert_true(arch_pte_present(e));
        assert_true(e & PTE_USER);
        assert_int_equal(arch_pte_pa(e), pa);
        assert_int_equal(arch_pte_access(e), access[i]);
        assert_int_equal(arch_pte_large(e), (access[i] & MAP_LARGE) != 0);
        assert_int_equal(!(e & PTE_NO_EXECUTE), (access[i] & MAP_EXEC) != 0);
        assert_false(arch_pte_referenced(e) || arch_pte_modified(e) || arch_pte_locked(e));
        assert_true(arch_pte_locked(arch_pte_set_locked(e)));
        assert_true(arch_pte_modified(e | PTE_MODIFIED));
        assert_int_equal(arch_pte_clear_referenced(e | PTE_REFERENCED | PTE_MODIFIED), e | PTE_MODIFIED);
        assert_int_equal(arch_pte_access(arch_pte_set_locked(e) | PTE_REFERENCED | PTE_MODIFIED), access[i]);
    }
    assert_false(arch_pte_present(0));
    assert_false(arch_pte_large(arch_pte_table(0x1000)));
    assert_int_equal(arch_pte_pa(arch_pte_table(0x1000)), 0x1000);
    assert_int_equal(arch_pa(arch_phys(0x123456000)), 0x123456000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xstate), cmocka_unit_test(addresses),
        cmocka_unit_test(flags),  cmocka_unit_test(entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
