// log.c - lines in the system's log and for the user, and the end of a kernel that cannot go on.
#include "appkernel_impl.h"

#include <base.h>
#include <device.h>
#include <sys.h>

enum { LOG_LINE = 256, LOG_TRIES = 1000, PANIC_STATUS = 125 };

// Begins every line.  A kernel may define its own.
__attribute__((weak)) const char ak_name[] = "appkernel";

static void write_all(enum device port, const char *text, size_t length)
{
    for (unsigned tries = 0; length > 0 && tries < LOG_TRIES; tries++) {
        uint64_t taken = 0;
        if (device_write(ak_info, port, text, length, &taken) != ERR_OK) {
            return;
        }
        text += taken;
        length -= taken;
        if (taken == 0) {
            ak_pause();
        }
    }
}

static void log_line(const char *before, const char *format, va_list arguments, bool errors)
{
    char line[LOG_LINE];
    size_t n = (size_t)base_format(line, sizeof(line), "%s: %s", ak_name, before);
    int more = base_vformat(line + n, sizeof(line) - n - 1, format, arguments);

    n += (size_t)more < sizeof(line) - n - 2 ? (size_t)more : sizeof(line) - n - 2;
    line[n++] = '\n';
    write_all(DEVICE_LOG, line, n);
    if (errors) {
        write_all(DEVICE_ERRORS, line, n);
    }
}

void ak_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line("", format, arguments, false);
    va_end(arguments);
}

void ak_complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line("", format, arguments, true);
    va_end(arguments);
}

static bool on_first_thread(void)
{
    const char *here = __builtin_frame_address(0);
    return here >= ak_stack_bottom && here < ak_xstack_top;
}

void ak_panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line("panic: ", format, arguments, false);
    va_end(arguments);
    while (on_first_thread()) {
        (void)sys_thread_unload(0, PANIC_STATUS);    // the one that would hear of ak_stop()
    }
    ak_stop(PANIC_STATUS);
    for (;;) {
        (void)sys_wait(0);
    }
}
