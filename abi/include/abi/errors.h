// errors.h - error codes; the table is errors.def.
#pragma once

typedef enum {
#define ERROR(number, name, text) ERR_##name = number,
#include "errors.def"
#undef ERROR
} err_t;
