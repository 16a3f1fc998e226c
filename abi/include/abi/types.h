// types.h - scalar names used on both sides of the supervisor's interface.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t oid_t;   // object id: slot in bits 0-15, generation in bits 16-63; 0 names nothing
typedef uint64_t pa_t;    // physical address
typedef uint64_t va_t;    // virtual address of the space in question
typedef uint32_t cpu_t;   // processor number, 0-63

#define OID_SLOT(id) ((uint32_t)((id) & 0xffff))
#define OID_GEN(id)  ((uint64_t)(id) >> 16)

enum {
    ABI_PAGE       = 4096,
    ABI_PAGE_SHIFT = 12,
    ABI_LARGE      = 2 << 20,                 // a large mapping, and the unit in which memory is granted
    ABI_GROUP      = 128 * ABI_PAGE,          // a page group: the unit of rights (Cache Kernel, 4.3)
    ABI_GROUP_SHIFT = 19,
    ABI_MAX_CPUS   = 64,
    ABI_PRIORITIES = 32,                      // 0 is the lowest
    ABI_MAX_DEPTH  = 4,                       // nested handlers of one thread
};

// The user half of every space ends one page short of 2^47: an instruction there could leave a
// non-canonical return address.
#define ABI_USER_END 0x00007ffffffff000ull

// Where an application kernel sees the memory it was granted: WINDOW + physical address.
#define ABI_WINDOW 0x0000100000000000ull
