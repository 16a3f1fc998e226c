// main.c - threads whose work is known by arithmetic, for what the parallel clock says of them
// (tests/command/parallel.sh).
//
// Words: busy=N pausing=N blocking=N work=INSTRUCTIONS.  Each busy thread executes so many instructions.  A pausing one
// looks at a word with PAUSE until they are through, a blocking one is in the kernel most of the time until then.
// Prints what passed of the parallel clock from the first busy thread's begin to the last one's end, and when it began.
#include <native.h>

enum { STACK = 16 * 1024, MOST = 64, BLOCK = 1000000 };

static struct worker {
    uint32_t running;
    void   (*run)(void);
} worker[MOST];

static uint64_t work;
static uint64_t first = UINT64_MAX, last;        // a
static uint32_t ready, go, left;                 // a

static void bound(uint64_t *word, uint64_t value, bool above)
{
    uint64_t was = __atomic_load_n(word, __ATOMIC_RELAXED);

    while ((above ? was < value : was > value) &&
           !__atomic_compare_exchange_n(word, &was, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void busy(void)
{
    uint64_t n = work / 2;

    while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) == 0) {
        (void)native_wait(&go, 0, 0);
    }
    bound(&first, native_parallel_clock(), false);
    __asm__ volatile("1: decq %0\n\tjnz 1b" : "+r"(n) : : "cc");
    bound(&last, native_parallel_clock(), true);
    __atomic_fetch_sub(&left, 1, __ATOMIC_RELEASE);
}

static void pausing(void)
{
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE) != 0) {
        __builtin_ia32_pause();
    }
}

static void blocking(void)
{
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE) != 0) {
        (void)native_block(BLOCK);
    }
}

static void begin(struct worker *w)
{
    __atomic_fetch_add(&ready, 1, __ATOMIC_RELEASE);
    w->run();
    native_thread_exit(&w->running);
}

static bool start(struct worker *w, void (*run)(void))
{
    va_t stack = 0;

    *w = (struct worker){.running = 1, .run = run};
    return native_map(STACK, MAP_READ | MAP_WRITE, 0, &stack) == ERR_OK &&
           native_thread_create((va_t)begin, stack + STACK, (uint64_t)w, 0) == ERR_OK;
}

int native_main(const struct native_info *info)
{
    uint32_t count[] = {(uint32_t)native_number("busy", 1), (uint32_t)native_number("pausing", 0),
                        (uint32_t)native_number("blocking", 0)}, made = 0;
    void (*const run[])(void) = {busy, pausing, blocking};
    uint64_t woken;

    (void)info;
    work = native_number("work", 4000000);
    left = count[0];
    for (unsigned kind = 0; kind < 3; kind++) {
        for (unsigned i = 0; i < count[kind]; i++) {
            if (made == MOST || !start(&worker[made++], run[kind])) {
                native_print("parallel: there is no thread\n");
                return 1;
            }
        }
    }
    while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) != made) {
        (void)native_block(BLOCK);
    }
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    (void)native_wake(&go, UINT64_MAX, &woken);
    for (unsigned i = 0; i < made; i++) {
        while (__atomic_load_n(&worker[i].running, __ATOMIC_ACQUIRE) != 0) {
            (void)native_wait(&worker[i].running, 1, 0);
        }
    }
    native_print("parallel: took %lu from %lu\n", (unsigned long)(last - first), (unsigned long)first);
    return 0;
}
