// own_names.h - other names for the functions of string.c, so that a host program can have both and compare.
#pragma once
#include <stddef.h>

#define memcpy  own_memcpy
#define memmove own_memmove
#define memset  own_memset
#define memcmp  own_memcmp
#define memchr  own_memchr
#define strlen  own_strlen
#define strnlen own_strnlen
#define strcmp  own_strcmp
#define strncmp own_strncmp
#define strchr  own_strchr
#define strrchr own_strrchr

void  *own_memcpy(void *restrict to, const void *restrict from, size_t size);
void  *own_memmove(void *to, const void *from, size_t size);
void  *own_memset(void *to, int byte, size_t size);
int    own_memcmp(const void *a, const void *b, size_t size);
void  *own_memchr(const void *p, int byte, size_t size);
size_t own_strlen(const char *s);
size_t own_strnlen(const char *s, size_t most);
int    own_strcmp(const char *a, const char *b);
int    own_strncmp(const char *a, const char *b, size_t most);
char  *own_strchr(const char *s, int c);
char  *own_strrchr(const char *s, int c);
