// random.c - random bytes: ChaCha20 with a key that is stirred at every call.
//
// The seed is what the processor's generator gives, if it has one, and the clock.  After each request the first
// words of the stream become the next key, so earlier output cannot be found from the state.
// Callers hold the giant.
#include <base.h>

#include "ux.h"

enum { WORDS = 16, KEY = 8, ROUNDS = 10 };

static uint32_t key[KEY];
static bool seeded;

static uint32_t rotate(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static void quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

static void block(uint32_t out[WORDS], uint64_t counter)
{
    uint32_t in[WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(in + 4, key, sizeof(key));
    in[12] = (uint32_t)counter;
    in[13] = (uint32_t)(counter >> 32);
    memcpy(out, in, sizeof(in));
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned c = 0; c < 4; c++) {
            quarter(out, c, 4 + c, 8 + c, 12 + c);
        }
        for (unsigned c = 0; c < 4; c++) {
            quarter(out, c, 4 + (c + 1) % 4, 8 + (c + 2) % 4, 12 + (c + 3) % 4);
        }
    }
    for (unsigned i = 0; i < WORDS; i++) {
        out[i] += in[i];
    }
}

static bool hardware(uint64_t *value)
{
    uint32_t a = 1, b, c = 0, d;
    uint8_t ok = 0;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (c >> 30 & 1) {
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*value), "=qm"(ok) : : "cc");
    }
    return ok;
}

static void seed(void)
{
    for (unsigned i = 0; i < KEY; i += 2) {
        uint64_t value = 0;
        for (unsigned tries = 0; tries < 10 && !hardware(&value); tries++) {
        }
        value ^= ak_now() ^ ak_system->wall_ns;
        key[i] ^= (uint32_t)value;
        key[i + 1] ^= (uint32_t)(value >> 32);
    }
    seeded = true;
}

void ux_random(void *to, size_t length)
{
    uint32_t out[WORDS], next[KEY];
    uint8_t *p = to;

    if (!seeded) {
        seed();
    }
    block(out, 0);
    memcpy(next, out, sizeof(next));
    for (uint64_t counter = 1; length > 0; counter++) {
        size_t n = length < sizeof(out) ? length : sizeof(out);
        block(out, counter);
        memcpy(p, out, n);
        p += n;
        length -= n;
    }
    memcpy(key, next, sizeof(key));
    memset(out, 0, sizeof(out));
}
