// shared.h - tests that run on the host and as a native program: they differ in who runs them, and how that reports.
#pragma once
#include "../threads_impl.h"

// ---- given by who runs them
void expect(bool good, int line);        // a false one is a failure, in that line; from any thread
extern uint64_t test_soon;               // ticks that a short wait takes

#define CHECK(x) expect((x), __LINE__)
static inline uint64_t soon(void)
{
    return threads.machine.now() + test_soon;
}

// functions.c: each function of the library that has to do with threads themselves.
void shared_forks(void);
void shared_keys(void);

// waits.c: waits that end in every way, and what the objects refuse.
void shared_locks(void);
void shared_cancels(void);
void shared_meetings(void);              // barriers, reader-writer locks
void shared_packages(void);              // with threads of another package
