// assert.h - invariants; always checked.
#pragma once
#include "kprint.h"

#define assert(x)                                                  \
    do {                                                           \
        if (__builtin_expect(!(x), 0)) {                           \
            panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #x); \
        }                                                          \
    } while (0)
