// option.h - the boot command line: words of the form name=value, separated by spaces.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// The value of a decimal option, or `otherwise` if it is not there; false if it is there and not a number.
bool option_number(const char *cmdline, const char *name, uint64_t otherwise, uint64_t *value);
