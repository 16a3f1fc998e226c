// device.h - stands in for lib/sys/device.h on the host.
#pragma once
#include <abi/boot.h>
#include <abi/device.h>
#include <abi/errors.h>

void  device_begin(const struct kernel_info *info, const struct system_info *s);
err_t device_write(const struct kernel_info *info, enum device port, const void *bytes, size_t length, uint64_t *taken);
