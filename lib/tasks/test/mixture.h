// mixture.h - a program of three thread packages, for tests that disturb it: FastThreads, jobs that are stolen, and
// stackless tasks wait for each other, and the results are known.
//
//   pairs    for each pair of kinds one of the first asks, and one of the second answers: so each blocks until one of
//            the other kind unblocks it, TURNS times
//   buffer   who fills it and who empties it are of all kinds, and it holds only so many
//   sums     jobs that fork and join
// Needs nothing of the host: the tests in the booted machine use the same file.
#pragma once
#include "../../steal/steal.h"
#include "../tasks.h"

struct mixture {
    struct steal jobs;
    struct tasks tasks;
    uint64_t rounds;                     // that were right
};
extern struct mixture mixture;

// Begin the packages, with at most so many processors for each, after threads_begin.
bool mixture_begin(uint32_t for_jobs, uint32_t for_tasks);
// By a thread: one round, in which everything happens at the same time.  False: a result is wrong.
bool mixture_round(void);
