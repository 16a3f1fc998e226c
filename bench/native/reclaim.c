// reclaim.c - a kernel with as many objects as the caches hold is unloaded; locked objects while others are replaced.
//
// The kernel is a program (`fill` of programs.S) that loads spaces with mappings and threads, and then keeps the
// processor, so that none of its threads runs.  Its unload is one call, which restarts after each bounded step.
#include "programs.h"

extern const char program_fill[], program_signal_partner[];

enum { LOW = 1, LOCKED_PAGES = 8, LOCKED_THREADS = 4, MORE = 32, MOST_SPACES = 64 };

struct fill {                                    // read and written by the program
    uint64_t spaces, mappings, threads;          // of each space
    pa_t     frame;                              // mapped next
    uint64_t done;                               // 1 + the error of its last call
    uint64_t reserved[3];
    struct space_desc space;
    struct thread_desc thread __attribute__((aligned(128)));
};
_Static_assert(offsetof(struct fill, space) == 64 && offsetof(struct fill, thread) == 128, "programs.S");
_Static_assert(offsetof(struct space_desc, place) == 16 && offsetof(struct thread_desc, state) == 16, "programs.S");

static pa_t frames(unsigned count)
{
    pa_t first = ak_frame_alloc_run(count);

    bench_check(first != 0 ? ERR_OK : ERR_LIMIT, "frames");
    memset(ak_window(first), 0, (size_t)count * ABI_PAGE);
    return first;
}

// A slice without waiting, so that nothing of lower priority runs: then what was loaded may be replaced.
static void slice_spin(void)
{
    for (uint64_t until = ak_now() + 2 * ak_system->slice; ak_now() < until;) {
        __asm__ volatile("pause");
    }
}

static oid_t kernel_make(struct program *p)
{
    struct kernel_desc d = {.space = p->space, .trap = TEXT, .fault = TEXT, .exception = TEXT, .channel = bench_frame(),
                            .place = p->place + sizeof(struct place), .limits = {.max_priority = PRIORITY}};
    oid_t id;

    bench_check(sys_kernel_load(&d, &id), "kernel");
    for (unsigned i = 0; i < ak_info->ranges; i++) {
        const struct memory_range *r = &ak_info->range[i];
        bench_check(sys_kernel_grant(id, r->base >> ABI_GROUP_SHIFT, r->length >> ABI_GROUP_SHIFT, GROUP_WRITE),
                    "grant");
    }
    return id;
}

static void fill_all(struct program *p, struct fill *f)
{
    const struct system_stats *s = ak_stats;
    unsigned spaces = s->free_spaces - 1;

    *f = (struct fill){.spaces = spaces, .mappings = (s->free_mappings - 64) / spaces,
                       .threads = (s->free_threads - 4) / spaces, .frame = ak_info->range[0].base};
    f->space = (struct space_desc){.rule = TRAP_FORWARD, .place = frames(spaces / 64 + 1)};
    f->thread = program_thread(p);
    f->thread.priority = LOW;
    f->thread.state = frames(spaces * (unsigned)f->threads);
    struct thread_desc d = program_thread(p);
    const volatile struct thread_state *state = ak_window(p->state);
    bench_check(sys_thread_load(&d, &p->thread), "thread");
    while (__atomic_load_n(&f->done, __ATOMIC_ACQUIRE) == 0) {
        (void)sys_wait(ak_now() + ak_system->slice);
        bench_check(state->loaded ? ERR_OK : ERR_BADSTATE, "the kernel's thread");
    }
    bench_check((err_t)(f->done - 1), "fill");
}

static uint64_t sum(const uint64_t count[])
{
    return count[OBJECT_SPACE] + count[OBJECT_THREAD] + count[OBJECT_MAPPING];
}

static void reclaim(void)
{
    struct program p;

    program_load(&p, program_fill, TRAP_NATIVE);
    oid_t kernel = kernel_make(&p);
    fill_all(&p, ak_window(p.data[1]));
    bench_begin();
    uint64_t before = sum(ak_stats->unloads), t0 = ak_now();
    BENCH_MARK(MARK_ON);
    bench_check(sys_kernel_unload(kernel), "kernel unload");
    BENCH_MARK(MARK_OFF);
    uint64_t count = ak_now() - t0, objects = sum(ak_stats->unloads) - before;
    bench_end("kernel_reclaim", 1);
    bench_line("kernel_reclaim", count);
    bench_line("kernel_reclaim_objects", objects);
}

// ---- locked objects ---------------------------------------------------------------------------------------

struct locked {
    oid_t space;
    struct place *place;
    struct thread_state *state[LOCKED_THREADS];
};

static void locked_load(struct locked *l)
{
    pa_t places = bench_frame();
    struct space_desc d = {.flags = LOAD_LOCKED, .rule = TRAP_NATIVE, .place = places};

    l->place = ak_window(places);
    bench_check(sys_space_load(&d, &l->space), "locked space");
    bench_check(sys_mapping_load(l->space, TEXT, programs_text, MAP_READ | MAP_EXEC | MAP_LOCKED), "locked text");
    for (unsigned i = 0; i < LOCKED_PAGES; i++) {
        bench_check(sys_mapping_load(l->space, DATA + i * ABI_PAGE, bench_frame(), MAP_READ | MAP_WRITE | MAP_LOCKED),
                    "locked mapping");
    }
    for (unsigned i = 0; i < LOCKED_THREADS; i++) {
        pa_t state = bench_frame();
        struct thread_desc t = {.space = l->space, .flags = LOAD_LOCKED, .priority = PRIORITY, .state = state,
                                .affinity = 1, .xstack = (va_t)ak_window(bench_frame()) + ABI_PAGE};
        oid_t ignore;
        l->state[i] = ak_window(state);
        t.state_va = (va_t)l->state[i];
        l->state[i]->frame[0].rip = program_address(program_signal_partner);     // waits
        bench_check(sys_thread_load(&t, &ignore), "locked thread");
    }
    (void)sys_wait(ak_now() + ak_system->slice);
}

// How many of them have been written back.
static uint64_t locked_gone(const struct locked *l)
{
    uint64_t gone = l->place->loaded == 0, mappings = 0;

    for (unsigned i = 0; i < LOCKED_THREADS; i++) {
        gone += l->state[i]->loaded == 0;
    }
    bench_check(sys_mapping_unload(l->space, TEXT, ABI_PAGE, &mappings), "unload");
    gone += 1 - mappings;
    bench_check(sys_mapping_unload(l->space, DATA, LOCKED_PAGES * ABI_PAGE, &mappings), "unload");
    return gone + LOCKED_PAGES - mappings;
}

// Load more of everything than there is room for, all of it with nothing that runs.
static void press(void)
{
    struct space_desc s = {.rule = TRAP_FORWARD, .place = bench_frame()};
    pa_t state = frames(ak_system->threads + MORE), frame = ak_info->range[0].base;
    struct thread_desc t = {.priority = LOW, .affinity = 1, .xstack = (va_t)ak_window(bench_frame()) + ABI_PAGE};
    oid_t ignore, space[MOST_SPACES + MORE];
    unsigned n = 0;

    for (unsigned more = 0; more < MORE; more += ak_stats->free_spaces == 0) {
        bench_check(sys_space_load(&s, &space[n++]), "space");
        if (ak_stats->free_spaces == 0 && more == 0) {
            slice_spin();
        }
    }
    t.space = space[n - 1];
    for (uint64_t i = 0; i < ak_system->mappings + 1024; i++) {
        bench_check(sys_mapping_load(t.space, 0x20000000 + i * ABI_PAGE, frame + i * ABI_PAGE, MAP_READ), "mapping");
    }
    for (unsigned more = 0; more < MORE; more += ak_stats->free_threads == 0) {
        t.state = state;
        t.state_va = (va_t)ak_window(t.state);
        state += ABI_PAGE;
        bench_check(sys_thread_load(&t, &ignore), "thread");
        if (ak_stats->free_threads == 0 && more == 0) {
            slice_spin();
        }
    }
    for (unsigned i = 0; i < n; i++) {
        (void)sys_space_unload(space[i]);        // most are gone
    }
}

static void locked(void)
{
    struct locked l;

    locked_load(&l);
    uint64_t before = sum(ak_stats->writebacks);
    press();
    bench_line("replaced", sum(ak_stats->writebacks) - before);
    bench_line("locked_gone", locked_gone(&l));
    bench_check(sys_space_unload(l.space), "space unload");
}

void reclaim_run(void)
{
    reclaim();
    locked();
}
