// program.c - a program that is shipped in two forms: linked with its kernel, and in a space of its own.
//
// Nothing here says which it is.
#include <base.h>

#include "../both.h"

enum { PRIMES = 100, ROUNDS = 16 };

static uint64_t now(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// What a call that does nothing costs, by the clock.
static uint64_t call_cost(void)
{
    uint64_t empty = UINT64_MAX, call = UINT64_MAX;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = now();
        empty = least(empty, now() - start);
        start = now();
        (void)both_call(CALL_NOTHING, 0, 0);
        call = least(call, now() - start);
    }
    return call - empty;
}

static bool is_prime(unsigned n)
{
    for (unsigned i = 2; i * i <= n; i++) {
        if (n % i == 0) {
            return false;
        }
    }
    return n > 1;
}

uint64_t both_program(void)
{
    uint64_t sum = 0;
    char line[64];

    for (unsigned i = 0; i < PRIMES; i++) {
        if (is_prime(i)) {
            sum = sum * 31 + i;
            int n = base_format(line, sizeof(line), "%u is prime, %lx so far\n", i, (unsigned long)sum);
            sum += both_call(CALL_WRITE, (uintptr_t)line, (size_t)n);
        }
    }
    (void)both_call(CALL_COST, call_cost(), 0);
    return sum & 0xffffff;
}

uint64_t both_forge(uint64_t space, uint64_t thread)
{
    uint64_t refused = 0;

    for (uint64_t number = 0; number < FORGED; number++) {
        register uint64_t r10 __asm__("r10") = space;
        register uint64_t r8 __asm__("r8") = thread;
        register uint64_t r9 __asm__("r9") = space;
        uint64_t answer = number, rdx = thread;
        __asm__ volatile("syscall" : "+a"(answer), "+d"(rdx), "+r"(r8), "+r"(r9)
                         : "D"(number & 1 ? thread : space), "S"(space), "r"(r10) : "rcx", "r11", "memory");
        refused += answer == NO_CALL;
    }
    return refused;
}
