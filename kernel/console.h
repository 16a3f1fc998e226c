// console.h - serial ports for application kernels: 0 terminal, 1 log, 2 the programs' error stream.
//
// Never blocks: a busy port takes fewer bytes than it was given.  Locking: the instance lock.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { CONSOLE_PORTS = 3, CONSOLE_CHUNK = 256 };

size_t console_write(uint32_t port, const uint8_t *bytes, size_t n);
size_t console_read(uint32_t port, uint8_t *bytes, size_t n);
