// threads.c - what the operations of the threads library cost: the rows of URPC, table I, and of Scheduler
// Activations, tables I and IV.
//
// The same program on activations and on kernel threads, one processor.  Each number is the median of single
// measurements from one RDTSC to another, less an empty one.
#include <base.h>

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

static struct {
    volatile uint64_t last;              // what the clock was when the other one was last seen to run
    volatile struct thread *running;
    uint64_t plain[TIMES], inside[TIMES];
    unsigned plains, insides;
    uint64_t recovered;
} taken;

// From the last look at the clock of the one that is stopped to the first of the next.
static void look(struct thread *self)
{
    uint64_t now = clock_read();

    if (taken.running != self) {
        struct threads_statistics s;
        threads_read_statistics(&s);
        bool inside = s.recovered != taken.recovered;
        uint64_t took = now - taken.last;
        if (inside && taken.insides < TIMES) {
            taken.inside[taken.insides++] = took;
        } else if (!inside && taken.plains < TIMES) {
            taken.plain[taken.plains++] = took;
        }
        taken.recovered = s.recovered;
        taken.running = self;
    }
    taken.last = clock_read();
}
static void *runs(void *argument)
{
    struct mutex m;
    struct condition c;

    mutex_init(&m);
    condition_init(&c);
    mutex_lock(&m);
    (void)condition_wait_until(&c, &m, 1);               // it has a mutex from now on
    while (!stop) {
        look(thread_self());
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
    return 0;
}
