// caches.c - what it costs to load and unload mappings, threads, spaces and kernels; Table 2 of the Cache Kernel.
//
// "With writeback" is a load into a full cache: another object is written back for it.  An object loaded less than
// a slice ago is no victim, so the cache is filled first and then a slice is let pass.
#include "bench.h"

enum { MANY = 64, VA = 0x20000000, FILL = 16384 };
enum { QUIET = 1 };                      // a priority at which nothing runs while we measure

static uint64_t empty;

#define MEASURE(i, operation, what)                   \
    do {                                              \
        BENCH_MARK(MARK_ON);                          \
        uint64_t start_ = ak_now();                   \
        err_t e_ = (operation);                       \
        bench_sample[i] = ak_now() - start_ - empty;  \
        BENCH_MARK(MARK_OFF);                         \
        bench_check(e_, what);                        \
    } while (0)

static void row(const char *name, unsigned samples)
{
    bench_end(name, samples);
    bench_line(name, samples > 0 ? bench_median(samples) : 0);
}

static void slice_pass(void)
{
    (void)sys_wait(ak_now() + 2 * ak_system->slice);
}

// Load `operation`s until the cache is full; the ones after that are measured.
static void mappings(void)
{
    struct space_desc desc = {.rule = TRAP_FORWARD, .place = bench_frame()};
    struct map_entry entry[MAP_BATCH];
    oid_t space;
    pa_t frame[MANY + 1];
    uint64_t count = 0, one, all;

    bench_check(sys_space_load(&desc, &space), "space");
    for (unsigned i = 0; i <= MANY; i++) {
        frame[i] = bench_frame();
    }
    bench_check(sys_mapping_load(space, VA, frame[0], MAP_READ | MAP_WRITE), "mapping");   // page tables are there
    bench_begin();
    for (unsigned i = 0; i < MANY; i++) {
        MEASURE(i, sys_mapping_load(space, VA + (i + 1) * ABI_PAGE, frame[i + 1], MAP_READ | MAP_WRITE), "mapping");
    }
    row("mapping_load", MANY);
    bench_begin();
    for (unsigned i = 0; i < MANY; i++) {
        MEASURE(i, sys_mapping_unload(space, VA + (i + 1) * ABI_PAGE, ABI_PAGE, &count), "mapping unload");
    }
    row("mapping_unload", MANY);

    for (unsigned round = 0; round < 32; round++) {
        for (unsigned i = 0; i < MAP_BATCH; i++) {
            entry[i] = (struct map_entry){VA + (i + 1) * ABI_PAGE, frame[i + 1], MAP_READ | MAP_WRITE};
        }
        uint64_t t0 = ak_now();
        err_t e = sys_mapping_load_batch(space, entry, 1, &count);
        one = ak_now() - t0;
        bench_check(e, "batch");
        bench_check(sys_mapping_unload(space, VA + ABI_PAGE, ABI_PAGE, &count), "unload");
        t0 = ak_now();
        e = sys_mapping_load_batch(space, entry, MAP_BATCH, &count);
        all = ak_now() - t0;
        bench_check(e == ERR_OK && count == MAP_BATCH ? ERR_OK : ERR_INVAL, "batch");
        bench_sample[round] = (all - one) / (MAP_BATCH - 1);
        t0 = ak_now();
        bench_check(sys_mapping_unload(space, VA + ABI_PAGE, MAP_BATCH * ABI_PAGE, &count), "unload range");
        bench_sample[32 + round] = (ak_now() - t0 - empty) / MAP_BATCH;
    }
    uint64_t range[32];
    memcpy(range, bench_sample + 32, sizeof(range));
    bench_line("mapping_load_further", bench_median(32));
    memcpy(bench_sample, range, sizeof(range));
    bench_line("mapping_unload_further", bench_median(32));
    bench_check(sys_space_unload(space), "space unload");
    for (unsigned i = 0; i <= MANY; i++) {
        ak_frame_put(frame[i]);
    }
    ak_frame_put(desc.place);
}

// 2 MiB by one mapping, in our own space, where we can write to it: unloading notes that for each of its frames.
static void mappings_large(void)
{
    enum { FRAMES = ABI_LARGE / ABI_PAGE, ROUNDS = 32 };
    static const va_t own = 0x600000000000;
    pa_t run = ak_frame_alloc_run(2 * FRAMES), unit = (run + ABI_LARGE - 1) & ~(pa_t)(ABI_LARGE - 1);
    uint64_t flags = MAP_READ | MAP_WRITE | MAP_LARGE, count;
    uint64_t load[ROUNDS];

    bench_check(run != 0 ? ERR_OK : ERR_LIMIT, "frames in a row");
    bench_check(sys_mapping_load(ak_info->space, own, unit, flags), "large mapping");        // page tables are there
    for (unsigned i = 0; i < ROUNDS; i++) {
        va_t va = own + (i + 1) * (va_t)ABI_LARGE;
        MEASURE(i, sys_mapping_load(ak_info->space, va, unit, flags), "large mapping");
        load[i] = bench_sample[i];
        *(volatile uint64_t *)va = i;
        memset(ak_window(ak_info->frame_states + (unit >> ABI_PAGE_SHIFT) - ak_info->first_frame), 0, FRAMES);
        MEASURE(i, sys_mapping_unload(ak_info->space, va, ABI_LARGE, &count), "large mapping unload");
    }
    bench_line("mapping_unload_large", bench_median(ROUNDS));
    memcpy(bench_sample, load, sizeof(load));
    uint64_t median = bench_median(ROUNDS);
    bench_line("mapping_load_large", median);
    bench_line("mapping_load_large_page", (median + FRAMES - 1) / FRAMES);
    bench_check(sys_mapping_unload(ak_info->space, own, ABI_LARGE, &count), "large mapping unload");
    for (unsigned i = 0; i < 2 * FRAMES; i++) {
        ak_frame_put(run + i * (pa_t)ABI_PAGE);
    }
}

// Every mapping record is used, then each load replaces the mapping that was not referenced for longest.
static void mappings_full(void)
{
    struct space_desc desc = {.rule = TRAP_FORWARD, .place = bench_frame()};
    uint32_t frames = 0, n = 0;
    static pa_t frame[FILL];
    oid_t space;

    bench_check(sys_space_load(&desc, &space), "space");
    while (frames < FILL && (frame[frames] = ak_frame_alloc()) != 0) {
        frames++;
    }
    while (ak_stats->free_mappings > 0) {
        bench_check(sys_mapping_load(space, VA + (va_t)n * ABI_PAGE, frame[n % frames], MAP_READ), "mapping fill");
        n++;
    }
    bench_begin();
    for (unsigned i = 0; i < MANY; i++) {
        uint32_t k = n + 1 + i;
        MEASURE(i, sys_mapping_load(space, VA + (va_t)k * ABI_PAGE, frame[k % frames], MAP_READ), "mapping, full");
    }
    row("mapping_load_writeback", MANY);
    bench_check(sys_space_unload(space), "space unload");
    for (uint32_t i = 0; i < frames; i++) {
        ak_frame_put(frame[i]);
    }
    ak_frame_put(desc.place);
}

static void spaces(void)
{
    pa_t places = bench_frame();
    oid_t id[64];
    unsigned n = ak_stats->free_spaces < 60 ? ak_stats->free_spaces : 60;

    bench_begin();
    for (unsigned i = 0; i < n; i++) {
        struct space_desc d = {.rule = TRAP_FORWARD, .place = places + i % 64 * sizeof(struct place)};
        MEASURE(i, sys_space_load(&d, &id[i]), "space load");
    }
    row("space_load", n);
    bench_begin();
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, sys_space_unload(id[i]), "space unload");
    }
    row("space_unload", n);
    // Full, then each load replaces one.
    oid_t ignore;
    while (ak_stats->free_spaces > 0) {
        struct space_desc d = {.rule = TRAP_FORWARD, .place = places};
        bench_check(sys_space_load(&d, &ignore), "space fill");
    }
    slice_pass();
    bench_begin();
    for (unsigned i = 0; i < 32; i++) {
        struct space_desc d = {.rule = TRAP_FORWARD, .place = places};
        MEASURE(i, sys_space_load(&d, &ignore), "space load with writeback");
    }
    row("space_load_writeback", 32);
}

// Every descriptor is used; each load replaces a thread.
static void threads_full(struct thread_desc *d, const pa_t state[256])
{
    oid_t ignore;
    unsigned used = 0;
    while (ak_stats->free_threads > 0 && used < 256) {
        d->state = state[used];
        d->state_va = (va_t)ak_window(state[used++]);
        bench_check(sys_thread_load(d, &ignore), "thread fill");
    }
    // While a slice passes they would run: at an address where nothing is, and end.  So spin instead of waiting.
    for (uint64_t until = ak_now() + 2 * ak_system->slice; ak_now() < until;) {
        __asm__ volatile("pause");
    }
    // A victim's state page is free again for the next one.
    unsigned measured = 0;
    bench_begin();
    for (unsigned k = 0; k < used && measured < 32; k++) {
        unsigned free = 0;
        while (free < used && ((struct thread_state *)ak_window(state[free]))->loaded) {
            free++;
        }
        d->state = free < used ? state[free] : bench_frame();
        d->state_va = (va_t)ak_window(d->state);
        ((struct thread_state *)ak_window(d->state))->depth = 0;
        MEASURE(measured++, sys_thread_load(d, &ignore), "thread load with writeback");
    }
    row("thread_load_writeback", measured);
}

static void threads(void)
{
    struct space_desc space_desc = {.rule = TRAP_FORWARD, .place = bench_frame()};
    struct thread_desc d = {.priority = QUIET, .affinity = 1};
    pa_t state[256];
    oid_t id[256];
    unsigned n = ak_stats->free_threads < 256 ? ak_stats->free_threads : 256;

    slice_pass();
    bench_check(sys_space_load(&space_desc, &d.space), "space");
    d.xstack = (va_t)ak_window(bench_frame()) + ABI_PAGE;
    for (unsigned i = 0; i < 256; i++) {
        state[i] = bench_frame();
        struct thread_state *s = ak_window(state[i]);
        s->frame[0].rip = 0x400000;
        s->frame[0].rflags = 0x202;
    }
    n = n < 128 ? n : 128;
    bench_begin();
    for (unsigned i = 0; i < n; i++) {
        d.state = state[i];
        d.state_va = (va_t)ak_window(state[i]);
        MEASURE(i, sys_thread_load(&d, &id[i]), "thread load");
    }
    row("thread_load", n);
    bench_begin();
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, sys_thread_unload(id[i], 0), "thread unload");
    }
    row("thread_unload", n);
    threads_full(&d, state);
    bench_check(sys_space_unload(d.space), "space unload");
}

static void kernels(void)
{
    enum { MOST = 15 };
    static uint8_t code[64];
    pa_t channel[MOST], places = bench_frame();
    oid_t kernel[MOST];
    unsigned n = ak_stats->free_kernels < MOST ? ak_stats->free_kernels : MOST;

    bench_begin();
    for (unsigned i = 0; i < n; i++) {
        channel[i] = bench_frame();
        struct space_desc s = {.rule = TRAP_NATIVE, .place = places + 2 * i * sizeof(struct place)};
        struct kernel_desc d = {.trap = (va_t)code, .fault = (va_t)code, .exception = (va_t)code, .channel = channel[i],
                                .place = places + (2 * i + 1) * sizeof(struct place)};
        bench_check(sys_space_load(&s, &d.space), "kernel's space");
        MEASURE(i, sys_kernel_load(&d, &kernel[i]), "kernel load");
    }
    row("kernel_load", n);
    bench_begin();
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, sys_kernel_unload(kernel[i]), "kernel unload");
    }
    row("kernel_unload", n);
    for (unsigned i = 0; i < MOST; i++) {
        channel[i] = bench_frame();
    }
    pa_t more = bench_frame();
    unsigned loaded = 0;
    bench_begin();
    for (unsigned i = 0; i < 30; i++) {
        struct space_desc s = {.rule = TRAP_NATIVE, .place = more + 2 * i * sizeof(struct place)};
        struct kernel_desc d = {.trap = (va_t)code, .fault = (va_t)code, .exception = (va_t)code,
                                .channel = channel[i % MOST], .place = more + (2 * i + 1) * sizeof(struct place)};
        bench_check(sys_space_load(&s, &d.space), "kernel's space");
        if (ak_stats->free_kernels > 0) {
            oid_t ignore;
            bench_check(sys_kernel_load(&d, &ignore), "kernel fill");
            continue;
        }
        slice_pass();
        oid_t ignore;
        MEASURE(loaded++, sys_kernel_load(&d, &ignore), "kernel load with writeback");
    }
    row("kernel_load_writeback", loaded);
}

void caches_run(void)
{
    empty = bench_empty();
    mappings();
    mappings_large();
    mappings_full();
    threads();
    kernels();
    spaces();
}
