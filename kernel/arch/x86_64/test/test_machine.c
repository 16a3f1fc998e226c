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

static void mxcsr(void **state)
{
    (void)state;
    assert_true(mxcsr_ok(0));
    assert_true(mxcsr_ok(MXCSR_INITIAL));
    assert_true(mxcsr_ok(0xffff));
    for (unsigned bit = 16; bit < 32; bit++) {
        assert_false(mxcsr_ok(MXCSR_INITIAL | 1u << bit));
    }
}

static void addresses(void **state)
{
    (void)state;
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
        cmocka_unit_test(mxcsr), cmocka_unit_test(addresses),
        cmocka_unit_test(flags),  cmocka_unit_test(entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
