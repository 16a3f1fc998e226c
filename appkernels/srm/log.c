// log.c - lines in the system's log, and the end.
#include <base.h>
#include <device.h>
#include <sys.h>

#include "srm.h"

enum { LOG_LINE = 256 };

static void write_all(const char *text, size_t length)
{
    while (length > 0) {
        uint64_t taken = 0;
        if (device_write(srm_info, DEVICE_LOG, text, length, &taken) != ERR_OK) {
            return;
        }
        if (taken == 0) {                        // the port is busy: look again soon
            (void)sys_wait(srm_now() + srm_system->tsc_hz / 10000);
        }
        text += taken;
        length -= taken;
    }
}

static void log_line(const char *format, va_list arguments)
{
    char line[LOG_LINE];

    int n = base_format(line, sizeof(line) - 1, "srm: ");
    n += base_vformat(line + n, sizeof(line) - 1 - (size_t)n, format, arguments);
    n = n < LOG_LINE - 2 ? n : LOG_LINE - 2;
    line[n++] = '\n';
    write_all(line, (size_t)n);
}

void srm_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
}

void srm_power_off(uint32_t status)
{
    for (;;) {
        (void)sys_power_off(status);
    }
}

void srm_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
    srm_power_off(125);
}
