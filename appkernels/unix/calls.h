// calls.h - every Linux call there is: declarations made from the two tables.
#pragma once
#include "ux.h"

#define UX(number, name, flags) long ux_sys_##name(struct task *t, const uint64_t a[6]);
#include "calls_file.def"
#include "calls_process.def"
#undef UX
