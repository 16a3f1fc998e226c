// kprint.h - the supervisor's own words: to the system log, serial port 1.
#pragma once

void kprint(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Say why this machine or these options will not do, and power off.
_Noreturn void boot_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Print the reason, the processor and a backtrace, and stop the machine.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
