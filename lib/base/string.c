// string.c - memory and strings.
//
// Under instruction counting every instruction, and every step of a `rep`, costs one: so memory moves by
// eight bytes a step, with an overlapping last step instead of a loop over the tail.  The compiler must not
// turn these loops into calls of the very functions they are: it cannot see through the asm.
#include "base.h"

#ifdef QUOIN_HOST                        // unit tests: these names belong to the host's library
#include "test/own_names.h"
#endif

// A program with a C library of its own takes that one's functions.
#define WEAK __attribute__((weak))

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;
typedef uint32_t __attribute__((may_alias, aligned(1))) half_t;
typedef uint16_t __attribute__((may_alias, aligned(1))) quarter_t;

// Up to 16 bytes; everything is read before anything is written.
static inline void copy_small(char *to, const char *from, size_t size)
{
    if (size >= 8) {
        uint64_t first = *(const word_t *)from, last = *(const word_t *)(from + size - 8);
        *(word_t *)to = first;
        *(word_t *)(to + size - 8) = last;
    } else if (size >= 4) {
        uint32_t first = *(const half_t *)from, last = *(const half_t *)(from + size - 4);
        *(half_t *)to = first;
        *(half_t *)(to + size - 4) = last;
    } else if (size >= 2) {
        uint16_t first = *(const quarter_t *)from, last = *(const quarter_t *)(from + size - 2);
        *(quarter_t *)to = first;
        *(quarter_t *)(to + size - 2) = last;
    } else if (size == 1) {
        *to = *from;
    }
}

// Right also for overlapping memory, if `to` is below `from`: the tail is read first.
static inline void copy_up(char *to, const char *from, size_t size)
{
    if (size <= 16) {
        copy_small(to, from, size);
        return;
    }
    uint64_t last = *(const word_t *)(from + size - 8);
    char *end = to + size - 8;
    size_t words = size / 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    *(word_t *)end = last;
}

static inline void copy_down(char *to, const char *from, size_t size)
{
    while (size > 16) {
        size -= 16;
        uint64_t high = *(const word_t *)(from + size + 8), low = *(const word_t *)(from + size);
        *(word_t *)(to + size + 8) = high;
        *(word_t *)(to + size) = low;
        __asm__ volatile("" : "+r"(size) : : "memory");
    }
    copy_small(to, from, size);
}

WEAK void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    copy_up(to, from, size);
    return to;
}

WEAK void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size) {
        copy_up(to, from, size);
    } else {
        copy_down(to, from, size);
    }
    return to;
}

WEAK void *memset(void *to, int byte, size_t size)
{
    char *at = to;
    uint64_t word = (uint8_t)byte * 0x0101010101010101ull;

    if (size < 8) {
        for (size_t i = 0; i < size; i++) {
            at[i] = (char)byte;
            __asm__ volatile("" : : : "memory");
        }
        return to;
    }
    *(word_t *)(at + size - 8) = word;
    size_t words = size / 8;
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(word) : "memory");
    return to;
}

WEAK int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;

    while (size >= 8 && *(const word_t *)x == *(const word_t *)y) {
        x += 8;
        y += 8;
        size -= 8;
    }
    for (size_t i = 0; i < size; i++) {
        if (x[i] != y[i]) {
            return x[i] - y[i];
        }
    }
    return 0;
}

WEAK void *memchr(const void *p, int byte, size_t size)
{
    const uint8_t *at = p;

    for (size_t i = 0; i < size; i++) {
        if (at[i] == (uint8_t)byte) {
            return (void *)(uintptr_t)(at + i);
        }
    }
    return NULL;
}

WEAK size_t strnlen(const char *s, size_t most)
{
    size_t n = 0;

    while (n < most && s[n] != '\0') {
        n++;
        __asm__ volatile("" : "+r"(n));
    }
    return n;
}

WEAK size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

WEAK int strncmp(const char *a, const char *b, size_t most)
{
    for (size_t i = 0; i < most; i++) {
        if (a[i] != b[i] || a[i] == '\0') {
            return (uint8_t)a[i] - (uint8_t)b[i];
        }
    }
    return 0;
}

WEAK int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

WEAK char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c) {
            return (char *)(uintptr_t)s;
        }
        if (*s == '\0') {
            return NULL;
        }
    }
}

WEAK char *strrchr(const char *s, int c)
{
    const char *found = NULL;

    for (;; s++) {
        if (*s == (char)c) {
            found = s;
        }
        if (*s == '\0') {
            return (char *)(uintptr_t)found;
        }
    }
}
