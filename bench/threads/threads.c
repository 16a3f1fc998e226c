// threads.c - what the operations of the threads library cost: the rows of URPC, table I, and of Scheduler
// Activations, tables I and IV.
//
// The same program on activations and on kernel threads, one processor; other packages need activations.  Each number
// is the median of single measurements from one RDTSC to another, less an empty one.
#include <base.h>

#include "steal.h"
#include "tasks.h"
#include "threads_native.h"

THREADS_NATIVE(16, 64);

enum { TIMES = 51, ROUNDS = 8 };
static uint64_t sample[TIMES], empty;
static volatile uint32_t stop;

static uint64_t clock_read(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}
static uint64_t median(uint64_t *of, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        for (unsigned k = i; k > 0 && of[k - 1] > of[k]; k--) {
            uint64_t v = of[k];
            of[k] = of[k - 1];
            of[k - 1] = v;
        }
    }
    return n > 0 ? of[n / 2] : 0;
}
static void say(const char *name, unsigned parts)
{
    uint64_t m = median(sample, TIMES);

    native_print("bench %s %lu\n", name, (unsigned long)((m > empty ? m - empty : 0) / parts));
}
#define MEASURE(i, operation)                     \
    do {                                          \
        uint64_t start_ = clock_read();           \
        operation;                                \
        sample[i] = clock_read() - start_;        \
    } while (0)

__attribute__((noinline, noipa)) static void nothing(void)
{
}
static void *null(void *argument)
{
    return argument;
}

// ---- the rows -------------------------------------------------------------------------------------------------

static void measure_fork(void)
{
    struct thread *t;

    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, (void)thread_fork(&t, NULL, null, NULL));
        (void)thread_join(t, NULL);
    }
    say("thread_fork", 1);
    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, (void)thread_fork(&t, NULL, null, NULL); (void)thread_join(t, NULL));
    }
    say("thread_fork_join", 1);
}
static void *yields(void *argument)
{
    while (!stop) {
        thread_yield();
        thread_yield();
        thread_yield();
        thread_yield();
    }
    return argument;
}
// Each of two threads, twice.
static void measure_yield(void)
{
    struct thread *t;

    stop = 0;
    (void)thread_fork(&t, NULL, yields, NULL);
    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, thread_yield(); thread_yield());
    }
    say("thread_yield", 4);
    stop = 1;
    (void)thread_join(t, NULL);
}
static void measure_lock(void)
{
    struct mutex m;

    mutex_init(&m);
    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, mutex_lock(&m); (void)mutex_unlock(&m));
    }
    say("thread_acquire_release", 1);
}

static struct { struct mutex m; struct condition c[2]; volatile uint32_t turn; } game;

static void play(uint32_t me, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        while (game.turn != me) {
            (void)condition_wait(&game.c[me], &game.m);
        }
        game.turn = !me;
        condition_signal(&game.c[!me]);
    }
}
static void *other_player(void *argument)
{
    mutex_lock(&game.m);
    play(1, TIMES * ROUNDS + 1);
    (void)mutex_unlock(&game.m);
    return argument;
}
// There and back.
static void measure_ping_pong(void)
{
    struct thread *t;

    mutex_init(&game.m);
    condition_init(&game.c[0]);
    condition_init(&game.c[1]);
    (void)thread_fork(&t, NULL, other_player, NULL);
    mutex_lock(&game.m);
    play(0, 1);
    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, play(0, ROUNDS));
    }
    say("thread_ping_pong", ROUNDS);
    (void)mutex_unlock(&game.m);
    (void)thread_join(t, NULL);
}

// ---- other packages -------------------------------------------------------------------------------------------

static struct steal pool;
static struct tasks home;

static void null_job(void *argument)
{
    (void)argument;
}
static void spawns(void *argument)
{
    struct steal_job job;

    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, steal_spawn(&job, null_job, argument); steal_sync(&job));
    }
}
static enum task_step null_task(struct task *t)
{
    (void)t;
    return TASK_DONE;
}
// From the beginning of a task to where the one that waits for it goes on.
static enum task_step awaits(struct task *t)
{
    static struct task child;
    static uint64_t start;

    for (;;) {
        if (t->at % 2 == 0) {
            start = clock_read();
            task_begin(&home, &child, null_task);
            t->at++;
        }
        if (task_wait(t, &child.over)) {
            return TASK_WAIT;
        }
        sample[t->at / 2] = clock_read() - start;
        if (++t->at == 2 * TIMES) {
            return TASK_DONE;
        }
    }
}
static void measure_packages(void)
{
    struct task t;

    if (steal_begin(&pool, 1, 2, 0) != THREAD_OK || tasks_begin(&home, 1, 2) != THREAD_OK) {
        return;                                      // on kernel threads
    }
    steal_call(&pool, spawns, NULL);
    say("steal_spawn_sync", 1);
    task_begin(&home, &t, awaits);
    event_wait(&t.over);
    say("task_begin_wait", 1);
    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, task_begin(&home, &t, null_task); event_wait(&t.over));
    }
    say("task_from_thread", 1);
}

// ---- through the supervisor -----------------------------------------------------------------------------------

static uint32_t word[2];                 // a

static void wake(uint32_t who)
{
    uint64_t woken;

    __atomic_fetch_add(&word[who], 1, __ATOMIC_SEQ_CST);
    (void)native_wake(&word[who], 1, &woken);
}
static void wait(uint32_t me, uint32_t *seen)
{
    while (__atomic_load_n(&word[me], __ATOMIC_SEQ_CST) == *seen) {
        (void)native_wait(&word[me], *seen, 0);
    }
    (*seen)++;
}
static void *answers(void *argument)
{
    uint32_t seen = 0;

    for (unsigned i = 0; i < TIMES; i++) {
        wait(1, &seen);
        wake(0);
    }
    return argument;
}
// Two threads that wait for each other in their kernel, there and back: each blocks once.
static void measure_signal_wait(void)
{
    struct thread *t;
    uint32_t seen = 0;

    (void)thread_fork(&t, NULL, answers, NULL);
    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, wake(1); wait(0, &seen));
    }
    say("thread_signal_wait", 1);
    (void)thread_join(t, NULL);
}

// ---- preemption -----------------------------------------------------------------------------------------------

enum { ABSENCE = 100000 };               // ticks between two looks at the clock: the other one has run
static struct {                          // of each of the two, written by it alone
    volatile uint64_t begun, recovered;  // when it was first seen to run again, and how many were recovered by then
} turn[2];
static struct {
    uint64_t plain[TIMES], inside[TIMES];
    unsigned plains, insides;
} taken;

// From the last look at the clock of the one that is stopped to the first of the next.  It is stopped in here as well:
// so `last` is its own, and it counts its stop itself, with what the other one wrote, when it runs again.
static uint64_t look(unsigned me, uint64_t last)
{
    uint64_t now = clock_read();

    if (now - last > ABSENCE) {
        struct threads_statistics s;
        bool inside = turn[!me].recovered != turn[me].recovered;
        uint64_t took = turn[!me].begun - last;
        if (turn[!me].begun < last) {                    // it has begun to run only after this one: no sample
        } else if (inside && taken.insides < TIMES) {
            taken.inside[taken.insides++] = took;
        } else if (!inside && taken.plains < TIMES) {
            taken.plain[taken.plains++] = took;
        }
        threads_read_statistics(&s);
        turn[me].recovered = s.recovered;
        turn[me].begun = now;
    }
    return now;
}
static void *runs(void *argument)
{
    uint64_t last = clock_read();
    struct mutex m;
    struct condition c;

    mutex_init(&m);
    condition_init(&c);
    mutex_lock(&m);
    (void)condition_wait_until(&c, &m, 1);               // it has a mutex from now on
    while (!stop) {
        last = look(argument != NULL, last);
        if (argument != NULL) {
            condition_broadcast(&c);                     // mostly in a critical section
        }
        stop = taken.plains == TIMES && taken.insides >= TIMES / 4;
    }
    (void)mutex_unlock(&m);
    return NULL;
}
static void measure_preemption(void)
{
    struct thread *t;

    stop = 0;
    (void)thread_fork(&t, NULL, runs, &taken);
    (void)runs(NULL);
    (void)thread_join(t, NULL);
    native_print("bench thread_preempted %lu\n", (unsigned long)(median(taken.plain, taken.plains) - empty));
    native_print("bench thread_preempted_inside %lu\n", (unsigned long)(median(taken.inside, taken.insides) - empty));
}

int threads_program(const struct native_info *info)
{
    (void)info;
    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, );
    }
    empty = median(sample, TIMES);
    if (native_number("interval", 0) != 0) {
        measure_preemption();
        return 0;
    }
    for (unsigned i = 0; i < TIMES; i++) {
        MEASURE(i, nothing());
    }
    say("thread_procedure_call", 1);
    measure_fork();
    measure_yield();
    measure_lock();
    measure_ping_pong();
    measure_signal_wait();
    measure_packages();
    return 0;
}
