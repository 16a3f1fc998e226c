// rounds.h - a program with a checksum, for tests that disturb it: all kinds of waits, many threads, one known result.
// On the host and as a native program.
#pragma once
#include "../threads_impl.h"

// So many rounds, or as many as there were when it was enough; gives the sum.
uint64_t work_run(uint64_t rounds);
uint64_t work_expected(uint64_t rounds);
extern uint64_t work_steps;                      // of each thread, in a round
extern uint64_t work_rounds;                     // that it has done
extern volatile uint32_t work_enough;            // a  it may stop before
