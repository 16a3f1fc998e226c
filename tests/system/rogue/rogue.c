// rogue.c - a kernel that takes all it can get: beside it others are tested (tests/command/realtime.sh).
//
// At its highest priority it spins on every processor, loads spaces, threads and mappings without end, so that what
// others have loaded and not locked is replaced, and signals its threads as fast as it can.  It never ends, and
// prints nothing.
#include "../harness.h"

enum { SPACES = 16, THREADS = 96, PAGES = 512, STORMS = 2, MOST_CPUS = 8 };

static struct test_thread spinner[MOST_CPUS], storm[STORMS], crowd[THREADS];
static struct test_space space[SPACES];
static uint32_t highest;

static void spin(struct test_thread *t)
{
    (void)t;
    for (uint64_t n = 1;; n++) {
        if (n % 128 == 0) {
            __asm__ volatile("pause");   // the emulator's turn for another processor
        }
    }
}

// Who is signalled waits only to be signalled again, and signals the other.
static void signal_for_ever(struct test_thread *t)
{
    struct test_thread *other = t == &storm[0] ? &storm[1] : &storm[0];

    for (uint64_t n = 0;; n++) {
        (void)sys_signal(other->id);
        (void)sys_signal(spinner[n % machine->cpus].id);
        (void)sys_signal(machine->thread);       // denied, but asked
        if (n % 8 == 0) {
            (void)sys_wait(now() + machine->slice / 64);
        }
    }
}

static void start(struct test_thread *t, void (*function)(struct test_thread *t), uint64_t affinity)
{
    thread_make(t, NULL);
    t->desc.priority = highest;
    t->desc.affinity = affinity;
    thread_call(t, function);
    (void)thread_start(t);
}

static void load_again(struct test_thread *t)
{
    if (!thread_loaded(t)) {
        (void)sys_thread_load(&t->desc, &t->id);
    }
}

static void load_round(unsigned round)
{
    for (unsigned i = 0; i < SPACES; i++) {
        struct space_desc d = {.rule = TRAP_FORWARD, .cookie = 1, .place = (pa_t)space[i].place - ABI_WINDOW};
        if (__atomic_load_n(&space[i].place->loaded, __ATOMIC_ACQUIRE) == 0) {
            (void)sys_space_load(&d, &space[i].id);
        }
        for (unsigned p = 0; p < PAGES / SPACES; p++) {
            va_t va = TEXT + ((va_t)(round * 64 + p) << 12);
            (void)sys_mapping_load(space[i].id, va, info->free, MAP_READ);
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        load_again(&crowd[i]);
    }
    for (unsigned i = 0; i < STORMS; i++) {
        load_again(&storm[i]);
    }
    for (unsigned i = 0; i < machine->cpus && i < MOST_CPUS; i++) {
        load_again(&spinner[i]);
    }
}

unsigned test_main(void)
{
    highest = info->limits.max_priority;
    for (unsigned i = 0; i < SPACES; i++) {
        space[i].place = window(page_take());
    }
    for (unsigned i = 0; i < machine->cpus && i < MOST_CPUS; i++) {
        start(&spinner[i], spin, 1ull << i);
    }
    for (unsigned i = 0; i < STORMS; i++) {
        start(&storm[i], signal_for_ever, 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        start(&crowd[i], spin, 0);
        (void)sys_thread_priority(crowd[i].id, 0);
    }
    for (unsigned round = 0;; round++) {
        load_round(round);
    }
}
