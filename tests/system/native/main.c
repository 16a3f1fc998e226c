// main.c - a native program that makes each call, rightly and wrongly, and says what came of it.
//
// Words: name=N distinguishes copies; `crash` only touches what it may not, in one thread of several.
#include "test.h"

unsigned failures;

bool check(bool good, const char *what, uint64_t value)
{
    native_print("%s %lu: %s (%lx)\n", good ? "ok" : "not ok", (unsigned long)native_number("name", 0), what,
                 (unsigned long)value);
    failures += !good;
    return good;
}

static void thread_run(struct worker *w)
{
    w->run(w);
    native_thread_exit(&w->running);
}

bool worker_start(struct worker *w, void (*run)(struct worker *w))
{
    va_t stack = 0;

    w->run = run;
    w->self = w;
    w->running = 1;
    return native_map(STACK, MAP_READ | MAP_WRITE, STACK, &stack) == ERR_OK &&
           native_thread_create((va_t)thread_run, stack + STACK, (uint64_t)w, (va_t)w) == ERR_OK;
}

void worker_join(struct worker *w)
{
    while (__atomic_load_n(&w->running, __ATOMIC_ACQUIRE) != 0) {
        (void)native_wait(&w->running, 1, 0);
    }
}

static void crash(struct worker *w)
{
    (void)w;
    (void)native_block(milliseconds(1));
    *(volatile int *)0x123000 = 1;
}

static int run_crash(void)
{
    static struct worker one;

    leave_threads();
    (void)worker_start(&one, crash);
    worker_join(&one);
    check(false, "the program that crashed goes on", 0);
    return 1;
}

int native_main(const struct native_info *info)
{
    if (strcmp(info->args, "crash") == 0) {
        return run_crash();
    }
    check(info == native_told() && info->version == 1 && info->schedule == NATIVE_THREADS &&
          native_number("name", 0) > 0 && native_number("nam", 77) == 77, "what it is told", (uint64_t)info);
    uint64_t begin = now(), clock = native_parallel_clock();
    test_memory();
    test_pointers();
    test_file();
    test_threads();
    test_waiting();
    test_priorities();
    test_alarm();
    uint64_t took = native_parallel_clock() - clock, most = now() - begin;
    check(took > 0 && took <= most, "the parallel clock is no faster than the clock", took);
    leave_threads();
    return (int)failures;
}
