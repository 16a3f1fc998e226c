// syscalls.h - call numbers; the table is syscalls.def.
#pragma once

enum {
#define SYSCALL(number, name, who, arguments, text) SYS_##name = number,
#include "syscalls.def"
#undef SYSCALL
    SYS_COUNT = 29,
};
