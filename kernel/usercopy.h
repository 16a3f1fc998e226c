// usercopy.h - arguments in user memory: the only way from a user's pointer to bytes.
//
// The caller's page tables are walked by software and the bytes read through the map of memory, so nothing
// here can fault.  Whatever is read is read once, into the supervisor's own memory.
// Locking: the instance lock, so that the tables stay as they are.
#pragma once
#include <abi/errors.h>
#include <abi/types.h>

struct cpu;

// ERR_USER_FAULT with *bad where a mapping is missing or is of a device: the call is then a page fault.
err_t usercopy_in(struct cpu *cpu, void *to, va_t from, size_t length, va_t *bad);
