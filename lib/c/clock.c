// clock.c - time, sleep and random bytes.
#include <base.h>
#include <sys.h>

#include "quoin_c.h"

enum {
    REALTIME = 0,
    MONOTONIC = 1,
    MONOTONIC_RAW = 4,
    REALTIME_COARSE = 5,
    MONOTONIC_COARSE = 6,
    BOOTTIME = 7
};
enum { TIMER_ABSTIME = 1, SECOND = 1000000000 };

struct moment {
    int64_t seconds, fraction;
};

static bool is_wall(long clock)
{
    return clock == REALTIME || clock == REALTIME_COARSE;
}

static bool is_clock(long clock)
{
    return is_wall(clock) || clock == MONOTONIC || clock == MONOTONIC_RAW || clock == MONOTONIC_COARSE ||
           clock == BOOTTIME;
}

static uint64_t now_ns(long clock)
{
    return ak_ns_from_ticks(ak_now()) + (is_wall(clock) ? ak_system->wall_ns : 0);
}

long c_clock_gettime(long clock, void *time)
{
    struct moment *m = time;

    if (!is_clock(clock)) {
        return -C_EINVAL;
    }
    uint64_t ns = now_ns(clock);
    *m = (struct moment){(int64_t)(ns / SECOND), (int64_t)(ns % SECOND)};
    return 0;
}

long c_clock_getres(long clock, void *time)
{
    if (!is_clock(clock)) {
        return -C_EINVAL;
    }
    if (time != NULL) {
        *(struct moment *)time = (struct moment){0, 1};
    }
    return 0;
}

long c_gettimeofday(void *time)
{
    uint64_t ns = now_ns(REALTIME);

    if (time != NULL) {
        *(struct moment *)time = (struct moment){(int64_t)(ns / SECOND), (int64_t)(ns % SECOND / 1000)};
    }
    return 0;
}

long c_nanosleep(long clock, long flags, const void *time, void *rest)
{
    const struct moment *m = time;

    if (!is_clock(clock) || (flags & ~(long)TIMER_ABSTIME) != 0 || m->seconds < 0 || m->fraction < 0 ||
        m->fraction >= SECOND) {
        return -C_EINVAL;
    }
    uint64_t most = UINT64_MAX / SECOND / 4,
             seconds = (uint64_t)m->seconds < most ? (uint64_t)m->seconds : most;
    uint64_t now = now_ns(clock), end = seconds * SECOND + (uint64_t)m->fraction;
    uint64_t ns = flags & TIMER_ABSTIME ? end > now ? end - now : 0 : end;
    uint64_t until = ak_now() + ak_ticks_from_ns(ns);
    while (ak_now() < until) {                           // a wakeup may be spurious
        (void)sys_wait(until);
    }
    (void)rest;                                          // nothing interrupts it
    return 0;
}

// RDRAND where there is one.  Without: nothing that deserves the name is at hand.
static bool random_word(uint64_t *word)
{
    uint32_t a = 1, b, c = 0, d;
    bool good = false;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    for (unsigned tries = 0; (c >> 30 & 1) && !good && tries < 10; tries++) {
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*word), "=qm"(good) : : "cc");
    }
    return good;
}

long c_getrandom(void *buffer, size_t length)
{
    uint64_t word;

    length = length < 256 ? length : 256;
    for (size_t done = 0; done < length; done += sizeof(word)) {
        if (!random_word(&word)) {
            return -C_ENOSYS;
        }
        memcpy((char *)buffer + done, &word, length - done < sizeof(word) ? length - done : sizeof(word));
    }
    return (long)length;
}
