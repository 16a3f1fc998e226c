// clocks.c - time goes on, does not go back, and sleeps last as long as they should.
// test: smp=1,2 cache=default
#include "show.h"
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

static int64_t now(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : -1;
}

// Ten children sleep at once: together hardly longer than one.  A slow machine needs a while to begin them: then all
// sleep longer.
static void sleep_together(void)
{
    bool least = true, most = false;
    for (int64_t ms = 200; ms <= 6400 && !most; ms *= 2) {
        int64_t start = now(CLOCK_MONOTONIC);
        for (int i = 0; i < 10; i++) {
            if (fork() == 0) {
                pause_ms(ms);
                _exit(0);
            }
        }
        while (wait(NULL) > 0) {
        }
        int64_t took = now(CLOCK_MONOTONIC) - start;
        least = least && took >= ms * 1000000;
        most = took < 9 * ms * 1000000;
    }
    truth(least);
    truth(most);
}

int main(void)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME,
                                       CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE};
    struct timespec t;
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        show(clock_gettime(clocks[i], &t));
        truth(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
        int64_t last = now(clocks[i]);
        bool back = false;
        for (int k = 0; k < 1000; k++) {
            int64_t n = now(clocks[i]);
            back = back || n < last;
            last = n;
        }
        truth(!back);
    }
    show(syscall(SYS_clock_gettime, 99, &t));
    show(syscall(SYS_clock_getres, CLOCK_MONOTONIC, &t));
    truth(now(CLOCK_REALTIME) > 1577836800ll * 1000000000);
    struct timeval tv;
    show(gettimeofday(&tv, NULL));
    time_t seconds = time(NULL);
    truth(seconds - tv.tv_sec <= 60 && seconds - tv.tv_sec >= 0);
    int64_t start = now(CLOCK_MONOTONIC);
    t = (struct timespec){0, 100000000};
    show(nanosleep(&t, NULL));
    int64_t took = now(CLOCK_MONOTONIC) - start;
    truth(took >= 100000000 && took < 60000000000);
    t = (struct timespec){0, -1};
    show(nanosleep(&t, NULL));
    t = (struct timespec){0, 1000000000};
    show(nanosleep(&t, NULL));
    t = (struct timespec){-1, 0};
    show(nanosleep(&t, NULL));
    start = now(CLOCK_MONOTONIC) + 50000000;
    t = (struct timespec){start / 1000000000, start % 1000000000};
    say("absolute sleep: %d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
    truth(now(CLOCK_MONOTONIC) >= start);
    say("sleep until the past: %d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
    say("sleep on a wrong clock: %s", error_name(clock_nanosleep(77, 0, &t, NULL)));
    struct itimerval timer = {{0, 0}, {1000, 0}}, old;
    show(setitimer(ITIMER_REAL, &timer, NULL));
    show(getitimer(ITIMER_REAL, &old));
    truth(old.it_value.tv_sec >= 900 && old.it_value.tv_sec <= 1000);
    timer.it_value.tv_sec = 0;
    show(setitimer(ITIMER_REAL, &timer, &old));
    truth(old.it_value.tv_sec >= 900);
    show(getitimer(ITIMER_REAL, &old));
    say("off: %ld %ld", (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
    show(setitimer(9, &timer, NULL));
    timer.it_value.tv_usec = 1000000;
    show(setitimer(ITIMER_REAL, &timer, NULL));
    struct rusage usage;
    show(getrusage(RUSAGE_SELF, &usage));
    show(getrusage(RUSAGE_CHILDREN, &usage));
    show(getrusage(5, &usage));
    struct tms ticks;
    truth(times(&ticks) != (clock_t)-1);
    sleep_together();
    return 0;
}
