// sharing.c - the UNIX emulator's scheduling: who sleeps most of the time does not wait for those who compute, and how
// the processor is divided between kinds and nice values.
// test: smp=1 cache=default,small host=no icount=yes timeout=120
//
// It counts instructions: the clock is their number, and every run is the same.
#include "show.h"

#include <sched.h>
#include <sys/resource.h>

enum { COUNTERS = 8, MS = 1000000 };

static volatile struct counter {
    unsigned long count;
    char rest[56];
} *counters;
static pid_t pids[COUNTERS];

static void start(unsigned n, int policy, int value)
{
    const struct sched_param zero = {0};
    counters[n].count = 0;
    pids[n] = fork();
    if (pids[n] == 0) {
        syscall(SYS_sched_setscheduler, 0, policy, &zero);
        setpriority(PRIO_PROCESS, 0, value);
        for (;;) {
            counters[n].count++;
        }
    }
}

static void end(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
}

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 * MS + t.tv_nsec;
}

// How late a sleeper goes on, in nanoseconds: on the average, of 50 times.
static long lateness(void)
{
    long late = 0;
    for (int i = 0; i < 50; i++) {
        struct timespec t = {0, 9 * MS};
        long until = now() + t.tv_nsec;
        nanosleep(&t, NULL);
        late += now() - until;
    }
    return late / 50;
}

// A byte to a process that sleeps, and back.
static long round_trip(int to, int from)
{
    char byte = 0;
    long began = now();
    (void)!write(to, &byte, 1);
    (void)!read(from, &byte, 1);
    return now() - began;
}

static void interactive(void)
{
    int to[2], from[2];
    char byte;
    long longest = 0;
    (void)!pipe(to);
    (void)!pipe(from);
    pid_t peer = fork();
    if (peer == 0) {
        while (read(to[0], &byte, 1) == 1) {
            (void)!write(from[1], &byte, 1);
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        start(i, SCHED_OTHER, 0);
    }
    pause_ms(200);
    long late = lateness();
    for (int i = 0; i < 50; i++) {
        pause_ms(5);
        long t = round_trip(to[1], from[0]);
        longest = t > longest ? t : longest;
    }
    // In turns of 2 ms with six that compute it would be twelve of them.
    say("late by less than a tenth of a slice: %s", late < MS / 5 ? "yes" : "no");
    say("each round trip in less than two slices: %s", longest < 4 * MS ? "yes" : "no");
    fprintf(stderr, "late %ld ns, longest round trip %ld ns\n", late, longest);
    end(6);
    kill(peer, SIGKILL);
    waitpid(peer, NULL, 0);
}

// What one of two gets, in percent.
static void between(const char *what, int policy, int value, long least, long most)
{
    start(0, SCHED_OTHER, 0);
    start(1, policy, value);
    pause_ms(700);
    unsigned long a = counters[0].count, b = counters[1].count;
    long percent = (long)(b * 1000 / (a + b + 1));
    say("%s gets its share: %s", what, percent >= least && percent <= most ? "yes" : "no");
    fprintf(stderr, "%s: %ld in 1000\n", what, percent);
    end(2);
}

int main(void)
{
    counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    interactive();
    between("an equal", SCHED_OTHER, 0, 450, 550);
    between("nice 5", SCHED_OTHER, 5, 150, 330);
    between("nice 10", SCHED_OTHER, 10, 50, 170);
    between("nice 19", SCHED_OTHER, 19, 5, 60);
    between("nice -10", SCHED_OTHER, -10, 750, 950);
    between("batch", SCHED_BATCH, 0, 100, 330);
    between("idle", SCHED_IDLE, 0, 5, 40);
    return 0;
}
