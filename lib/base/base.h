// base.h - what freestanding code needs of a C library: memory, strings, numbers, formatted text.
//
// Linked into the supervisor, the application kernels and (for tests) host programs; there the host's library
// gives the memory and string functions.  General registers only, no state, no locks.
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- string.c: as in C, nothing more ----------------------------------------------------------------------

void  *memcpy(void *restrict to, const void *restrict from, size_t size);
void  *memmove(void *to, const void *from, size_t size);
void  *memset(void *to, int byte, size_t size);
int    memcmp(const void *a, const void *b, size_t size);
void  *memchr(const void *p, int byte, size_t size);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t most);
int    strcmp(const char *a, const char *b);
int    strncmp(const char *a, const char *b, size_t most);
char  *strchr(const char *s, int c);
char  *strrchr(const char *s, int c);

// ---- number.c ---------------------------------------------------------------------------------------------

// Read an unsigned number, decimal or 0x..., at *text and move *text behind it.  False, and nothing changed,
// if there is no digit or it does not fit into 64 bits.
bool base_parse_number(const char **text, uint64_t *value);
// The same with an optional factor behind it: K, M, G or T, powers of 1024.
bool base_parse_size(const char **text, uint64_t *value);

// ---- format.c ---------------------------------------------------------------------------------------------

// printf into a buffer: %d %i %u %x %X %o %p %s %c %%, with l ll z h hh j t, flags - + # 0 and space, width,
// precision, *.
// The text is cut to size - 1 bytes and always ended (unless size is 0).  Gives the length it would have had.
int base_vformat(char *buffer, size_t size, const char *format, va_list arguments);
int base_format(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
