// quota.c - one of two kernels that compete for the processors, with a busy thread on each.
//
// A thread finds out by itself how long it ran: it reads the clock again and again, and two readings that are
// close together are time that was its own.  The two kernels agree on the times without a word: they begin when
// both are loaded.  First all threads are of the middle priority; then of the lowest, where a tick is charged
// half; then those of the kernel with the larger share end.
// Locking: a thread's sums are its own until it has ended.
#include "../harness.h"

enum { MIDDLE = 16, LOWEST = 0, PHASES = 3, MOST_CPUS = 8 };

// In milliseconds from the beginning, with some time between for changes.
static const uint64_t begins[PHASES] = {100, 1200, 1700}, ends[PHASES] = {1100, 1600, 2000};

static struct worker {
    struct test_thread thread;
    uint64_t ran[PHASES];
} worker[MOST_CPUS];

static uint64_t start;
static volatile bool stop;

static uint64_t at(uint64_t ms)
{
    return start + milliseconds(ms);
}

static void sleep_until(uint64_t time)
{
    while (now() < time) {
        (void)sys_wait(time);
    }
}

static void work(struct test_thread *t)
{
    struct worker *w = (struct worker *)t;
    uint64_t before = now(), close = milliseconds(1) / 20;

    for (unsigned phase = 0; !stop;) {
        uint64_t time = now();
        if (phase < PHASES && before >= at(begins[phase]) && time - before < close) {
            w->ran[phase] += time - before;
        }
        phase += phase < PHASES && time >= at(ends[phase]);
        before = time;
        __asm__ volatile("pause");
    }
    thread_end(0);
}

static void start_workers(void)
{
    for (unsigned i = 0; i < machine->cpus; i++) {
        struct test_thread *t = &worker[i].thread;
        thread_make(t, NULL);
        t->desc.priority = MIDDLE;
        t->desc.affinity = 1ull << i;
        thread_call(t, work);
        check_error(thread_start(t), ERR_OK, "a thread that always wants to run");
    }
}

static void stop_workers(void)
{
    stop = true;
    for (unsigned i = 0; i < machine->cpus; i++) {
        (void)EVENTUALLY(!thread_loaded(&worker[i].thread));
    }
}

static const volatile struct kernel_usage *usage(unsigned cpu)
{
    const volatile struct kernel_usage *u = window(info->system + SYSTEM_USAGE_PAGE * ABI_PAGE);

    return &u[OID_SLOT(info->kernel) * machine->cpus + cpu];
}

// Tenths of a percent; within five parts of a hundred of what is wanted.
static void expect(const char *what, unsigned cpu, uint64_t got, uint64_t wanted)
{
    char name[128];

    base_format(name, sizeof(name), "share %u: %s of processor %u", usage(cpu)->share, what, cpu);
    note("%s: %lu", name, (unsigned long)got);
    check(got * 100 >= wanted * 95 && got * 100 <= wanted * 105, name, "%lu, wanted %lu", (unsigned long)got,
          (unsigned long)wanted);
}

static void report(uint64_t share, uint64_t charged[], bool alone)
{
    for (unsigned i = 0; i < machine->cpus; i++) {
        const uint64_t *ran = worker[i].ran;
        expect("its share", i, ran[0] / milliseconds(1), share * 10);
        expect("what it was charged", i, charged[i], share * 10);
        expect("half, at the lowest priority,", i, ran[1] / (milliseconds(4) / 10), 500);
        if (alone) {
            expect("all, with nobody else there,", i, ran[2] / (milliseconds(3) / 10), 1000);
        }
    }
}

unsigned test_main(void)
{
    uint64_t charged[MOST_CPUS], since[MOST_CPUS], share = usage(0)->share;
    bool alone = share < 50;

    (void)EVENTUALLY(stats->loads[OBJECT_KERNEL] >= 3);
    start = now();
    start_workers();
    sleep_until(at(begins[0]));
    for (unsigned i = 0; i < machine->cpus; i++) {
        since[i] = now();
        charged[i] = usage(i)->charged;
    }
    sleep_until(at(ends[0]));
    for (unsigned i = 0; i < machine->cpus; i++) {
        charged[i] = (usage(i)->charged - charged[i]) * 1000 / (now() - since[i]);
    }
    for (unsigned i = 0; i < machine->cpus; i++) {
        check_error(sys_thread_priority(worker[i].thread.id, LOWEST), ERR_OK, "a lower priority");
    }
    sleep_until(at(alone ? ends[2] : ends[1] + 50));
    stop_workers();
    sleep_until(at(alone ? 2500 : 2100));        // one after the other on the console
    report(share, charged, alone);
    sleep_until(at(alone ? 2600 : 2150));
    return failures();
}
