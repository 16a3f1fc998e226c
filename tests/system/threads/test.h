// test.h - what the files of the threads test share.
#pragma once
#include <base.h>
#include <threads_native.h>

#include "../../../lib/threads/test/rounds.h"
#include "../../../lib/threads/test/shared.h"

bool check(bool good, const char *what, uint64_t value);
// check() for many conditions, with one line for all of them: false conditions say where they are.
void said(const char *what);                     // the line for all CHECKs since the last one
bool on_activations(void);
bool one_to_one(void);                   // each thread is a kernel thread
uint64_t random_next(uint64_t *state);

static inline uint64_t now(void)
{
    return threads_native_clock();
}
static inline uint64_t milliseconds(uint64_t n)
{
    return n * (native_told()->tsc_hz / 1000);
}

void test_functions(void);
void test_many(void);
void test_block(void);
void test_faults(void);
void test_timers(void);
void test_inversion(void);
void test_priorities(void);
void test_nesting(void);
void test_burst(void);
void test_work(void);
// Everything that the supervisor has told has come out again.
void test_accounts(void);
// Never comes back; the second one is its part of test_event().
void test_refused(void);
void test_refused_event(void);
void test_pages(void);
void test_pages_event(void);             // its part of test_event()
uint64_t test_pages_clock(void);         // and of the library's clock
bool test_event(struct thread *thread, const struct upcall_slot *slot);
