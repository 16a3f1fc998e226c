// basic.c - numbers that are no calls, calls that only the first kernel may make, listen, wait, signal to
// itself.
#include "calls.h"

static void numbers(void)
{
    static const uint64_t number[] = {0, SYS_COUNT, 1000, 1ull << 32 | SYS_wait, ~0ull};

    for (unsigned i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
        check_error(raw(number[i], 0, 0, 0, 0), ERR_NOCALL, "a number that is no call");
    }
}

static void first_only(void)
{
    struct kernel_desc d = {.space = info->space};
    struct kernel_limits l = {.max_priority = 31, .locked_spaces = 100};
    oid_t id = 0;

    check_error(sys_kernel_load(&d, &id), ERR_DENIED, "kernel_load by another kernel");
    check_error(sys_kernel_unload(machine->kernel), ERR_DENIED, "kernel_unload of the first kernel");
    check_error(sys_kernel_unload(info->kernel), ERR_DENIED, "kernel_unload of itself");
    check_error(sys_kernel_grant(info->kernel, 0, 1, GROUP_WRITE), ERR_DENIED,
                "kernel_grant by another kernel");
    check_error(sys_kernel_share(info->kernel, 0, 100), ERR_DENIED, "kernel_share by another kernel");
    check_error(sys_kernel_limits(info->kernel, &l), ERR_DENIED, "kernel_limits by another kernel");
    check_error(sys_power_off(1), ERR_DENIED, "power_off by another kernel");
    check_error(raw(SYS_kernel_load, bad_pointer[2], 0, 0, 0), ERR_DENIED, "kernel_load with a bad pointer");
}

static void waiting(void)
{
    uint64_t begin = now();

    check_error(sys_wait(1), ERR_TIMEOUT, "wait for a moment that has passed");
    check_error(sys_wait(begin + milliseconds(2)), ERR_TIMEOUT, "wait with a deadline");
    check(now() >= begin + milliseconds(2), "wait lasts until its deadline", "it ended %lu ticks early",
          (unsigned long)(begin + milliseconds(2) - now()));
    check_error(sys_signal(info->thread), ERR_OK, "signal to itself");
    begin = now();
    check_error(sys_wait(begin + milliseconds(120000)), ERR_OK, "wait after a signal");
    check(now() < begin + milliseconds(60000), "wait after a signal ends at once", "it did not");
    check_error(sys_signal(info->thread), ERR_OK, "signal");
    check_error(sys_signal(info->thread), ERR_OK, "a second signal");
    check_error(sys_wait(0), ERR_OK, "wait takes both");
    check_error(sys_wait(now() + milliseconds(2)), ERR_TIMEOUT, "and none is left");
}

static void naming(void)
{
    check_error(sys_listen(machine->thread), ERR_DENIED, "listen for the first kernel's thread");
    check_error(sys_signal(machine->thread), ERR_DENIED, "signal to the first kernel's thread");
    for (unsigned i = 0; i < BAD_IDS; i++) {
        oid_t id = bad_id(i, info->thread);            // 0 names the caller
        check_error(sys_listen(id), id == 0 ? ERR_OK : ERR_STALE, bad_id_name[i]);
        check_error(sys_signal(bad_id(i, info->thread)), ERR_STALE, bad_id_name[i]);
    }
    check_error(sys_listen(info->thread), ERR_OK, "listen");
}

void test_basic(void)
{
    numbers();
    first_only();
    waiting();
    naming();
    check_error(sys_yield(), ERR_OK, "yield");
    check_error(sys_resume(info->space), ERR_DEPTH, "resume with nothing to return to");
    check_error(sys_resume(0), ERR_DEPTH, "resume with nothing to return to, space 0");
    check_error(sys_mapping_load_and_resume(info->space, 0x700000000000, info->range[0].base, MAP_READ),
                ERR_DEPTH, "mapping_load_and_resume with nothing to return to");
}
