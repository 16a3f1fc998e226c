// usercopy.h - arguments in user memory: the only way from a user's pointer to bytes.
//
// The caller's page tables are walked by software and the bytes read through the map of memory, so nothing
// here can fault.  Whatever is read is read once.
// Locking: the instance lock, so that the tables stay as they are.
#pragma once
#include "names.h"

// Where va of the caller's space is in the map of memory, and how many bytes follow in the same page; NULL if a mapping
// is missing or is of a device.  Its user may change what is there at any time: read each word once.
const void *usercopy_see(struct cpu *cpu, va_t va, size_t *rest);
// ERR_USER_FAULT with *bad where a mapping is missing or is of a device: the call is then a page fault.
err_t usercopy_in(struct cpu *cpu, void *to, va_t from, size_t length, va_t *bad);
