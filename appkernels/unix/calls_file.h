// calls_file.h - the Linux calls of the file half, as calls_file.def lists them, and what they share.
#pragma once
#include "file.h"
#include "path.h"

#define UX(number, name, flags) long ux_sys_##name(struct task *t, const uint64_t a[6]);
#include "calls_file.def"
#undef UX

enum { IO_MAX = 0x7ffff000 };            // bytes that one read or write moves at most

long call_open(struct task *t, int dirfd, va_t text, unsigned flags, uint32_t mode);
