// work.c - the program of rounds.h as the first thread (work.h).
#include "work.h"

uint64_t work_result;

void *work_first(void *argument)
{
    work_result = work_run((uint64_t)argument);
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}
