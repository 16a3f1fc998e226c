// test.h - what the phases share.
#pragma once
#include <processing.h>

enum { ACTIVE = 10, CONTROL = 14 };      // priorities; the scheduler thread has 16

static inline uint64_t milliseconds(uint64_t n)
{
    return ak_ticks_from_ns(n * 1000000);
}
// Some work, then the emulator's turn for another processor.
static inline void work_a_little(void)
{
    for (unsigned i = 0; i < 100; i++) {
        __asm__ volatile("");
    }
    __asm__ volatile("pause");
}
bool check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

// For the phases' own thread.
void sleep_for(uint64_t ticks);
void begin(const struct scheduler_operations *policy, uint64_t slice);   // nobody is scheduled
void collect(unsigned count);            // wait until so many threads have ended

void test_blocks(void);
void test_stride(void);
void test_gang(void);
