// option.h - the boot command line: words of the form name=value, separated by spaces.
#pragma once
#include <abi/types.h>

// The value of an option, a number as base.h reads them, or `otherwise` if it is not there; false if it is there and no
// number.
bool option_number(const char *cmdline, const char *name, uint64_t otherwise, uint64_t *value);
