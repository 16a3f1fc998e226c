// work.h - a program with a checksum, for tests that disturb it: all kinds of waits, many threads, one known result.
#pragma once
#include "host.h"

// The first thread: `argument` is how many rounds.  It sets work_result and host.finished.
void *work_first(void *argument);
extern uint64_t work_result, work_steps;         // work_steps: of each thread, in a round
extern uint64_t work_rounds;                     // that it has done
extern volatile uint32_t work_enough;            // a  it may stop before
uint64_t work_expected(uint64_t rounds);
