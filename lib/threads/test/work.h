// work.h - the program of rounds.h as the first thread of a test on the host.
#pragma once
#include "host.h"
#include "rounds.h"

// `argument` is how many rounds.  It sets work_result and host.finished.
void *work_first(void *argument);
extern uint64_t work_result;
