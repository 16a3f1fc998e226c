// beside.c - a kernel that computes a checked result while its neighbour's programs run wild.
//
// For most of a minute it makes a chain of hashes over a block of memory, again and again, and each must be what
// the first one was.  It prints nothing but its checks, at the end: the neighbour's programs use the same serial
// port before.
#include "../harness.h"

enum { BLOCK = 65536, SECONDS = 9 };

static uint8_t block[BLOCK];

static uint64_t chain(uint64_t seed)
{
    uint64_t h = 14695981039346656037ull ^ seed;

    for (size_t i = 0; i < BLOCK; i++) {
        block[i] = (uint8_t)(h >> 32);
        h = (h ^ block[i]) * 1099511628211ull;
    }
    for (size_t i = 0; i < BLOCK; i++) {         // the block is what was written
        h = (h ^ block[BLOCK - 1 - i]) * 1099511628211ull;
    }
    return h;
}

unsigned test_main(void)
{
    uint64_t end = now() + milliseconds(SECONDS * 1000ull), rounds = 0, wrong = 0, first = chain(1), clock = now();
    bool back = false;

    while (now() < end) {
        wrong += chain(1) != first;
        rounds++;
        back = back || now() < clock;
        clock = now();
        if (rounds % 64 == 0) {
            sleep_for(milliseconds(1));
        }
    }
    CHECK(rounds >= 10, "it computed");
    CHECK(wrong == 0, "every result was the same");
    CHECK(!back, "the clock did not go back");
    CHECK(first == chain(1), "and is still");
    return failures();
}
