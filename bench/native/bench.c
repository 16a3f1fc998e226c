// bench.c - an application kernel that measures the supervisor: start, results, end.
//
// It boots as the first kernel (`quoin run --first bench`), since only that one may load kernels, and powers the
// machine off when done.  With more than one processor only that is measured which needs them.
#include "bench.h"

#include <device.h>

uint64_t bench_sample[SAMPLES];

uint64_t bench_median(unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        uint64_t v = bench_sample[i];
        unsigned k = i;
        for (; k > 0 && bench_sample[k - 1] > v; k--) {
            bench_sample[k] = bench_sample[k - 1];
        }
        bench_sample[k] = v;
    }
    return bench_sample[n / 2];
}

static void print(const char *text, size_t length)
{
    for (size_t done = 0; done < length;) {
        uint64_t taken = 0;
        if (device_write(ak_info, DEVICE_TERMINAL, text + done, length - done, &taken) != ERR_OK) {
            return;
        }
        done += taken;
        if (taken == 0) {
            (void)sys_wait(ak_now() + ak_ticks_from_ns(1000000));
        }
    }
}

void bench_line(const char *name, uint64_t count)
{
    char line[128];
    int n = base_format(line, sizeof(line), "bench %s %lu\n", name, (unsigned long)count);
    print(line, (size_t)n);
}

static struct cpu_stats before;                  // at bench_begin

// Of all processors.
static struct cpu_stats stats_now(void)
{
    const struct cpu_stats *each = ak_window(ak_info->system + 2 * ABI_PAGE);
    struct cpu_stats sum = {0};

    for (unsigned i = 0; i < ak_system->cpus; i++) {
        sum.traps += each[i].traps;
        sum.faults += each[i].faults;
        sum.exceptions += each[i].exceptions;
        sum.resumes += each[i].resumes;
        sum.switches += each[i].switches;
        sum.interrupts += each[i].interrupts;
        sum.ipis += each[i].ipis;
    }
    return sum;
}

void bench_begin(void)
{
    before = stats_now();
    BENCH_MARK(MARK_NEXT);
    BENCH_MARK(MARK_OFF);
}

void bench_end(const char *name, unsigned operations)
{
    static unsigned phase;
    char line[128];
    int n = base_format(line, sizeof(line), "phase %u %s %u\n", ++phase, name, operations);

    BENCH_MARK(MARK_END);
    print(line, (size_t)n);
}

void bench_events(const char *name, unsigned operations)
{
    struct cpu_stats now = stats_now();
    const struct {
        const char *kind;
        uint64_t count;
    } kinds[] = {
        {"forwarded", now.traps + now.faults + now.exceptions - before.traps - before.faults - before.exceptions},
        {"resumes", now.resumes - before.resumes},
        {"switches", now.switches - before.switches},
        {"interrupts", now.interrupts - before.interrupts},
        {"ipis", now.ipis - before.ipis},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char line[128];
        uint64_t hundredths = (kinds[i].count * 100 + operations / 2) / operations;
        int n = base_format(line, sizeof(line), "events %s %s %lu\n", name, kinds[i].kind, (unsigned long)hundredths);
        print(line, (size_t)n);
    }
}

void bench_check(err_t e, const char *what)
{
    char line[128];

    if (e == ERR_OK) {
        return;
    }
    int n = base_format(line, sizeof(line), "failed: %s: error %d\n", what, (int)e);
    print(line, (size_t)n);
    (void)sys_power_off(1);
    ak_panic("%s: error %d", what, (int)e);
}

pa_t bench_frame(void)
{
    pa_t frame = ak_frame_alloc();
    bench_check(frame != 0 ? ERR_OK : ERR_LIMIT, "frames");
    memset(ak_window(frame), 0, ABI_PAGE);
    return frame;
}

uint64_t bench_empty(void)
{
    for (unsigned i = 0; i < 32; i++) {
        uint64_t start = ak_now();
        bench_sample[i] = ak_now() - start;
    }
    return bench_median(32);
}

int ak_main(const struct kernel_info *info)
{
    bench_check(sys_listen(info->thread), "listen");
    programs_init();
    if (ak_system->cpus > 1) {
        signals_far_run();
    } else {
        programs_run();
        signals_run();
        reclaim_run();
        caches_run();
        parked_run();
    }
    print("done\n", 5);
    (void)sys_power_off(0);
    return 0;
}
