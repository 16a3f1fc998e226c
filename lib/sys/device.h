// device.h - using the serial ports and the clock from an application kernel: see abi/device.h.
//
// Each gives ERR_DENIED if the kernel was not given the device.  None blocks.  Cache Kernel, 2.2.
#pragma once
#include <abi/boot.h>
#include <abi/device.h>
#include <abi/errors.h>

// Before anything else.  The first kernel has rights on all devices, and no starter: it maps them for itself, as a
// starter does for other kernels.  For those it does nothing.
void  device_begin(const struct kernel_info *info, const struct system_info *s);
// Send bytes to a serial port (DEVICE_TERMINAL, _LOG or _ERRORS).  *taken: how many went; fewer than length if the port
// is busy, or if all messages of the page are in the hands of others.  Any thread, handlers too.
err_t device_write(const struct kernel_info *info, enum device port, const void *bytes, size_t length, uint64_t *taken);
// Take input of the terminal.  *given: how many bytes.  One thread at a time.  When there is none, `wait` on the
// kernel's first thread returns when some has come.
err_t device_read(const struct kernel_info *info, void *bytes, size_t length, uint64_t *given);
// Has the terminal input that has not been read?
bool  device_ready(const struct kernel_info *info);
// Set the kernel's alarm: at `when` (ticks; 0: no alarm), and every `period` ticks from then on if that is not 0.  The
// kernel's first thread is signalled at DEVICE_PLACE(PLACE_SIGNALS + 1); struct clock_alarm at
// DEVICE_PLACE(PLACE_ALARM) tells how often it rang.  ERR_INVAL: a period of less than 1/32 of a slice
// or more than 2^62 ticks.
err_t device_alarm(const struct kernel_info *info, uint64_t when, uint64_t period);
