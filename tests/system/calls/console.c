// console.c - console_write and console_read.
#include "calls.h"

void test_console(void)
{
    static char buffer[64];
    uint64_t n = 99;

    check_error(sys_console_write(3, buffer, 1, &n), ERR_INVAL, "console_write: a port that is none");
    check_error(raw(SYS_console_write, 1ull << 32, (uintptr_t)buffer, 1, 0), ERR_INVAL,
                "console_write: 33 bits");
    check_error(sys_console_read(~0u, buffer, 1, &n), ERR_INVAL, "console_read: a port that is none");
    for (unsigned i = 0; i < BAD_POINTERS; i++) {
        check_error(raw(SYS_console_write, 2, bad_pointer[i], 16, 0), (err_t)FAULTED,
                    "console_write: a bad pointer");
        check_error(raw(SYS_console_read, 0, bad_pointer[i], 16, 0), (err_t)FAULTED,
                    "console_read: a bad pointer");
    }
    check_error(raw(SYS_console_read, 0, (uintptr_t)test_console, 16, 0), (err_t)FAULTED,
                "console_read: into text");
    check_error(raw(SYS_console_read, 0, ABI_WINDOW + info->system, 16, 0), (err_t)FAULTED,
                "console_read: into the system pages");
    check_error(sys_console_write(2, buffer, 0, &n), ERR_OK, "console_write: nothing");
    CHECK(n == 0, "nothing was taken");
    check_error(sys_console_read(0, buffer, 0, &n), ERR_OK, "console_read: nothing");
    CHECK(n == 0, "nothing was given");
    check_error(sys_console_write(2, window(info->range[0].base), ~0ull >> 1, &n), ERR_OK,
                "console_write: a huge length takes what fits");
    check(n <= 4096, "a bounded number of bytes", "%lu", (unsigned long)n);
    check_error(sys_console_read(1, buffer, sizeof(buffer), &n), ERR_OK,
                "console_read: a port without input");
    CHECK(n == 0, "nothing was there");
}
