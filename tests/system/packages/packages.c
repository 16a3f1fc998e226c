// packages.c - three thread packages in one native program, on the activations of one space, or on kernel threads as
// processors (virtual=N).
//
// Each round is that of lib/tasks/test/mixture.h.  Meanwhile a thread, a job and a task block in their kernel in turn,
// so on activations threads and workers go and come back by upcalls.  At the end the accounts of upcalls have to
// balance.  One to one there are no workers: then that has to be said (refused=1).
#include <base.h>

#include "../../../lib/tasks/test/mixture.h"
#include "threads_native.h"

THREADS_NATIVE(32, 128);

enum { LOOKS = 5000 };                   // at the accounts, which balance at some moment if nothing is lost

static uint32_t failures;
static volatile bool enough;
static uint64_t slept[3];                // a  by a thread, by jobs, by tasks

static void check(bool good, const char *what, uint64_t value)
{
    native_print("%s %s (%lu)\n", good ? "ok" : "not ok", what, (unsigned long)value);
    failures += !good;
}
static uint64_t now(void)
{
    return threads_native_clock();
}
static uint64_t milliseconds(uint64_t n)
{
    return n * (native_told()->tsc_hz / 1000);
}

// ---- blocked in the kernel ------------------------------------------------------------------------------------

static void sleeps(void *times)
{
    static const uint32_t never;

    (void)native_wait(&never, 0, now() + milliseconds(2));
    __atomic_fetch_add((uint64_t *)times, 1, __ATOMIC_RELAXED);
}
static enum task_step task_sleeps(struct task *t)
{
    (void)t;
    sleeps(&slept[2]);
    return TASK_DONE;
}
static void *sleeper(void *argument)
{
    struct task t;

    while (!enough) {
        sleeps(&slept[0]);
        steal_call(&mixture.jobs, sleeps, &slept[1]);
        task_begin(&mixture.tasks, &t, task_sleeps);
        event_wait(&t.over);
    }
    return argument;
}

// ---- accounts -------------------------------------------------------------------------------------------------

static bool balance(const struct space_kernel_page *k, struct threads_statistics *s)
{
    threads_read_statistics(s);
    bool all = s->contexts == s->ready + s->dropped + s->continued + s->nested;
    if (k == NULL) {                     // the supervisor does not tell
        return all && s->told[5] == s->upcalls;
    }
    for (unsigned i = 0; i < UPCALL_KINDS; i++) {
        all &= *(volatile const uint64_t *)&k->told[i] == s->told[i];
    }
    return all;
}
static void check_accounts(void)
{
    const struct space_kernel_page *k = threads_native_area();
    struct threads_statistics s;
    bool all = balance(k, &s);

    for (uint32_t looks = 0; !all && looks < LOOKS; looks++) {
        (void)thread_sleep(now() + milliseconds(1));     // processors are given back, so events can be told
        all = balance(k, &s);
    }
    check(all, "events told are events taken", s.upcalls);
    check(s.contexts == s.ready + s.dropped + s.continued + s.nested, "contexts balance", s.contexts);
    check(s.told[2] >= s.told[3], "no more unblocked than blocked", s.told[2] - s.told[3]);
    if (k != NULL) {
        check(s.told[2] >= slept[0], "who slept in the kernel was told as blocked", s.told[2]);
    } else {
        check(s.told[5] > 0, "alarms came", s.told[5]);
    }
    native_print("upcalls %lu preempted %lu blocked %lu taken %lu recovered %lu stolen %lu workers %lu %lu\n",
                 (unsigned long)s.upcalls, (unsigned long)s.told[1], (unsigned long)s.told[2], (unsigned long)s.told[9],
                 (unsigned long)s.recovered, (unsigned long)mixture.jobs.stolen,
                 (unsigned long)mixture.jobs.package.flows, (unsigned long)mixture.tasks.package.flows);
}

int threads_program(const struct native_info *info)
{
    uint64_t rounds = native_number("rounds", 100), i = 0;
    uint32_t processors = (uint32_t)native_number("virtual", info->cpus);
    struct thread *t;

    if (native_number("refused", 0) != 0) {
        check(steal_begin(&mixture.jobs, 1, 1, 0) == THREAD_INVALID, "one to one there are no workers", 0);
        check(tasks_begin(&mixture.tasks, 1, 1) == THREAD_INVALID, "nor for tasks", 0);
        return (int)failures;
    }
    if (!mixture_begin(processors, processors)) {
        native_print("not ok no memory\n");
        return 1;
    }
    (void)thread_fork(&t, NULL, sleeper, NULL);
    while (i < rounds && mixture_round()) {
        i++;
    }
    check(i == rounds, "rounds with the right results", mixture.rounds);
    enough = true;
    (void)thread_join(t, NULL);
    check(slept[0] != 0 && slept[1] == slept[0] && slept[2] == slept[0], "each kind blocked in the kernel", slept[0]);
    check_accounts();
    return (int)failures;
}
