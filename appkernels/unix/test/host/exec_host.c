// exec_host.c - exec.c as it is, but for the instructions that would change this program's own registers.
#include "../../exec.h"

#include <base.h>

#include "../../calls.h"
#include "../../signal.h"

#define __asm__ if (0) __asm__           // NOLINT
#include "../../exec.c"
