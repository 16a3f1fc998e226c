// nice.c - nice values and scheduling policies: the calls, and that who is nicer gets less of the processor.
// test: smp=1,4 cache=default,tiny cores=1
//
// How much a process got is how far it counted.  All of them stay on one processor.
#include "show.h"

#include <sched.h>
#include <sys/resource.h>

enum { LONG_MS = 1200, ATTEMPTS = 4 };

static volatile struct counter {
    unsigned long count;
    char rest[56];
} *counters;

static void values(void)
{
    show(setpriority(PRIO_PROCESS, 0, 0));
    show(getpriority(PRIO_PROCESS, 0));
    show(nice(0));
    show(setpriority(PRIO_PROCESS, 0, 7));
    show(getpriority(PRIO_PROCESS, getpid()));
    show(syscall(SYS_getpriority, PRIO_PROCESS, 0));
    show(nice(100));
    show(setpriority(PRIO_PROCESS, 0, -3));
    show(getpriority(PRIO_PROCESS, 0) == -3);
    show(setpriority(PRIO_PROCESS, 0, -100));
    show(syscall(SYS_getpriority, PRIO_PROCESS, 0));
    show(setpriority(3, 0, 0));
    show(getpriority(-1, 0));
    show(setpriority(PRIO_PROCESS, 1 << 28, 0));
    show(getpriority(PRIO_PGRP, 1 << 28));
    show(getpriority(PRIO_USER, 12345));
}

static void others(void)
{
    int p[2], status;
    char byte;
    (void)!pipe(p);
    setpgid(0, 0);
    setpriority(PRIO_PROCESS, 0, 4);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!read(p[0], &byte, 1);
        _exit(getpriority(PRIO_PROCESS, 0));
    }
    show(getpriority(PRIO_PROCESS, pid));                // as its parent
    show(setpriority(PRIO_PROCESS, pid, 9));
    show(getpriority(PRIO_PROCESS, 0));
    show(getpriority(PRIO_PGRP, 0));                     // the least nice of the group
    show(setpriority(PRIO_PGRP, 0, 11));
    show(getpriority(PRIO_PROCESS, 0));
    (void)!write(p[1], "x", 1);
    waitpid(pid, &status, 0);
    child_status("child", status);
    okay(setresuid(1000, 1000, 1000));
    show(setpriority(PRIO_PROCESS, 0, 12));
    show(setpriority(PRIO_PROCESS, 0, 11));
    show(setpriority(PRIO_PROCESS, getppid(), 19));
    show(getpriority(PRIO_USER, 0));
    show(nice(-1));
}

static void policies(void)
{
    struct sched_param zero = {0}, one = {.sched_priority = 1};
    struct timespec slice = {0};
    show(sched_getscheduler(0));
    show(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &zero));
    show(syscall(SYS_sched_getscheduler, 0));
    show(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &one));
    show(syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &zero));
    show(syscall(SYS_sched_getscheduler, getpid()));
    show(syscall(SYS_sched_setparam, 0, &zero));
    show(syscall(SYS_sched_setparam, 0, &one));
    show(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &zero));
    show(syscall(SYS_sched_getparam, 0, &one));
    say("parameter %d", one.sched_priority);
    show(syscall(SYS_sched_setscheduler, 0, 4, &zero));
    show(syscall(SYS_sched_setscheduler, 0, -1, &zero));
    show(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &zero));
    show(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL));
    show(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, (void *)8));
    show(syscall(SYS_sched_setscheduler, -1, SCHED_OTHER, &zero));
    show(syscall(SYS_sched_setscheduler, 1 << 28, SCHED_OTHER, &zero));
    show(syscall(SYS_sched_getscheduler, -1));
    show(syscall(SYS_sched_getscheduler, 1 << 28));
    show(syscall(SYS_sched_getparam, 0, NULL));
    show(syscall(SYS_sched_getparam, 0, (void *)8));
    for (int i = -1; i < 7; i++) {
        say("policy %d: %ld %ld", i, syscall(SYS_sched_get_priority_min, i), syscall(SYS_sched_get_priority_max, i));
    }
    show(syscall(SYS_sched_rr_get_interval, 0, &slice));
    truth(slice.tv_sec == 0 && slice.tv_nsec >= 0);
    okay(setresuid(1000, 1000, 1000));
    one.sched_priority = 1;
    show(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &one));
    show(syscall(SYS_sched_setscheduler, getppid(), SCHED_BATCH, &zero));
    show(syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &zero));
}

static pid_t start(unsigned n, int policy, int value)
{
    const struct sched_param zero = {0};
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_sched_setscheduler, 0, policy, &zero);
        setpriority(PRIO_PROCESS, 0, value);
        for (;;) {
            counters[n].count++;
        }
    }
    return pid;
}

static void end(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    child_status("counter", status);
}

// One against another: both count, and the second less by this factor at the least.  The machine may take the processor
// from the one and not from the other: then it is looked at for longer.
static void against(const char *what, int policy, int value, unsigned factor)
{
    unsigned long a = 0, b = 0;
    counters[0].count = counters[1].count = 0;
    pid_t first = start(0, SCHED_OTHER, 0), second = start(1, policy, value);
    for (int i = 0; i < ATTEMPTS && (b == 0 || b >= a / factor); i++) {
        pause_ms((long)LONG_MS << i);
        a = counters[0].count;
        b = counters[1].count;
    }
    say("%s: %s, %s", what, b > 0 ? "counts" : "stands", b < a / factor ? "less" : "as much");
    end(first);
    end(second);
}

static void shares(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    sched_setaffinity(0, sizeof(set), &set);
    setpriority(PRIO_PROCESS, 0, -5);
    against("nice 8", SCHED_OTHER, 8, 2);
    against("nice 19", SCHED_OTHER, 19, 3);
    against("idle", SCHED_IDLE, 0, 3);
}

int main(void)
{
    counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    setpriority(PRIO_PROCESS, 0, 0);
    in_child("values", values);
    in_child("others", others);
    in_child("policies", policies);
    in_child("shares", shares);
    return 0;
}
