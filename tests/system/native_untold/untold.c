// untold.c - an activation is written back before its program has been told that it has blocked.
//
// On activations there are two of them, and one processor.  The first thread blocks in the kernel for a while, on the
// one; a job blocks on the other, until another job wakes it.  Nobody is left to be told that: BLOCKED waits, the job's
// package has its only place taken, and the second job cannot begin.  Meanwhile a crowd of kernel threads, the same
// program on those (crowd=N), needs all descriptors: in small caches both activations are written back.  When the first
// thread goes on, BLOCKED is told if the keeper has loaded the other activation as well, which only waits: then the
// second job has a worker.
#include <base.h>
#include <threads_native.h>

#include "../../../lib/steal/steal.h"

THREADS_NATIVE(2, 16);

enum { CROWD_MOST = 64 };
enum { LOW = 4, LATE = 100, AWAY = 300, CROWD = 500, PATIENCE = 1000, NAP = 5 };     // all but the first in ms

static struct steal jobs;
static uint32_t word;                    // a  where the first job waits
static bool answered, woke;              // a

static uint64_t ticks(uint64_t ms)
{
    return ms * (native_told()->tsc_hz / 1000);
}
static uint64_t in(uint64_t ms)
{
    return threads_native_clock() + ticks(ms);
}

// ---- the crowd --------------------------------------------------------------------------------------------------

static void *member(void *until)
{
    while (threads_native_clock() < (uint64_t)until) {
        (void)native_block(ticks(1));
    }
    return NULL;
}
static int crowd(uint64_t n)
{
    struct thread *t[CROWD_MOST];
    uint64_t until = in(CROWD), made = 0;

    (void)native_block(ticks(LATE));
    while (made < n && made < CROWD_MOST && thread_fork(&t[made], NULL, member, (void *)until) == THREAD_OK) {
        made++;
    }
    for (uint64_t i = 0; i < made; i++) {
        (void)thread_join(t[i], NULL);
    }
    native_print("%s a crowd of %lu\n", made == n ? "ok" : "not ok", (unsigned long)made);
    return made != n;
}

// ---- on activations ---------------------------------------------------------------------------------------------

static void job_waits(void *none)
{
    (void)none;
    __atomic_store_n(&answered, native_wait(&word, 0, 0) == ERR_OK, __ATOMIC_RELEASE);
}
static void job_wakes(void *none)
{
    uint64_t n;

    (void)none;
    __atomic_store_n(&woke, native_wake(&word, 1, &n) == ERR_OK && n == 1, __ATOMIC_RELEASE);
}
static void *calls(void *job)
{
    steal_call(&jobs, job == &word ? job_waits : job_wakes, NULL);
    return job;
}
// Lower than the first thread, so it runs when that blocks.
static void call(void *job)
{
    struct thread_attributes low = {.has_priority = true, .priority = LOW};
    struct thread *t;

    if (thread_fork(&t, &low, calls, job) == THREAD_OK) {
        thread_detach(t);
    }
}
static uint64_t told(uint32_t kind)
{
    return *(volatile const uint64_t *)&threads_native_area()->told[__builtin_ctz(kind)];
}
static int blocks(void)
{
    if (steal_begin(&jobs, 1, 2, 0) != THREAD_OK) {
        native_print("not ok there are no workers\n");
        return 1;
    }
    call(&word);
    (void)native_block(ticks(AWAY));
    call(NULL);
    uint64_t until = in(PATIENCE);
    while (!__atomic_load_n(&answered, __ATOMIC_ACQUIRE) && threads_native_clock() < until) {
        (void)thread_sleep(in(NAP));
    }
    bool alone = told(UPCALL_TAKEN) != 0;
    native_print("%s with the second one blocked, nobody was left to be told\n", alone ? "ok" : "not ok");
    native_print("%s the second job has begun, since the first one was told to have blocked: %lu\n",
                 answered && woke ? "ok" : "not ok", (unsigned long)told(UPCALL_BLOCKED));
    return !alone + !(answered && woke);
}
int threads_program(const struct native_info *info)
{
    uint64_t n = native_number("crowd", 0);

    (void)info;
    return n != 0 ? crowd(n) : blocks();
}
