// kprint.c - the supervisor's words, to the system log (serial port 1); panic.
//
// A message is formatted into a buffer on the stack and written byte by byte; a busy port is waited for, since
// these are few.  Several processors may interleave lines only in a panic.
#include "kprint.h"

#include <stdarg.h>

#include "arch.h"
#include "base.h"
#include "cpu.h"

enum { LOG_PORT = 1, LINE = 512, BUSY_TRIES = 1000000, BACKTRACE = 16 };

static void log_write(const char *s)
{
    for (; *s != 0; s++) {
        for (unsigned tries = 0; !arch_console_put(LOG_PORT, (uint8_t)*s) && tries < BUSY_TRIES; tries++) {
            arch_relax();
        }
    }
}

static void say(const char *head, const char *format, va_list ap)
{
    char line[LINE];

    base_vformat(line, sizeof(line), format, ap);
    log_write("quoin: ");
    log_write(head);
    log_write(line);
}

void kprint(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say("", format, ap);
    va_end(ap);
}

void boot_refuse(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say("boot refused: ", format, ap);
    log_write("\n");
    arch_power_off(125);
}

void panic(const char *format, ...)
{
    char word[20];
    uint64_t stack[BACKTRACE];
    va_list ap;

    va_start(ap, format);
    say("panic: ", format, ap);
    log_write("\nquoin: backtrace:");
    unsigned n = arch_backtrace(stack, BACKTRACE);
    for (unsigned i = 0; i < n; i++) {
        base_format(word, sizeof(word), " %lx", (unsigned long)stack[i]);
        log_write(word);
    }
    log_write("\n");
    arch_halt();
}
