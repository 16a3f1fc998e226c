// test.h - what the files of the test program share.
#pragma once
#include <base.h>
#include <native.h>

enum { THREADS = 8, STACK = 16 * 1024 };

extern unsigned failures;
bool check(bool good, const char *what, uint64_t value);

static inline uint64_t now(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
static inline uint64_t milliseconds(uint64_t n)
{
    return n * (native_told()->tsc_hz / 1000);
}

// A kernel thread on a stack of its own; `running` is 0 when it has ended.
struct worker {
    uint32_t running;
    uint32_t number;
    void   (*run)(struct worker *w);
    struct worker *self;                 // what its FS base points to, at offset 16
    uint64_t result;
};
bool worker_start(struct worker *w, void (*run)(struct worker *w));
void worker_join(struct worker *w);

void test_memory(void);
void test_pointers(void);
void test_file(void);
void test_threads(void);
void test_waiting(void);
void test_priorities(void);
void test_alarm(void);
// Threads that would never end; the program ends all the same.
void leave_threads(void);
