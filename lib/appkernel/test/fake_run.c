// fake_run.c - the simulation's scheduler, boot and seeds.  See fake.h.
#include "fake_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE_SYSTEM, PAGE_STATS, PAGE_CHANNEL, PAGE_FIRST, PAGE_FREE = 16 };      // of the memory

static bool may_run(const struct slot *s)
{
    return s->status == READY || (s->status == PROGRAM && fake_setup.program(s->cookie));
}

// The program makes a call: its handler begins.
static void enter_handler(struct slot *s)
{
    struct frame *f = &s->state->frame[1];

    ASAN_UNPOISON_MEMORY_REGION((void *)s->stack, s->xstack - s->stack);
    s->state->frame[0].kind = FRAME_TRAP;
    *f = (struct frame){.rip = (va_t)fake_setup.trap, .rdi = (va_t)s->state, .rsi = s->cookie,
                        .rsp = s->xstack - 8};
    s->depth = 1;
    s->status = READY;
}

static void disturb(void)
{
    if (fake_chance(6)) {
        fake_finish();
    }
    for (unsigned i = 1; i < fake_setup.slots; i++) {
        if (fake_slot[i].doomed && &fake_slot[i] != fake_leaving && fake_chance(6)) {
            fake_unload(&fake_slot[i]);
        }
    }
    fake_reload_first();
    if (fake_chance(fake_setup.evict)) {
        struct slot *s = fake_victim(fake_clock);
        if (s != NULL) {
            fake_doom(s, REASON_EVICTED, 0);
        }
    }
}

static void fire_deadlines(void)
{
    for (unsigned i = 0; i < fake_setup.slots; i++) {
        struct slot *s = &fake_slot[i];
        if (s->status == WAITING && s->deadline != 0 && s->deadline <= fake_clock) {
            s->state->frame[s->depth].rax = ERR_TIMEOUT;
            s->status = READY;
        }
    }
}

static struct slot *choose(void)
{
    struct slot *s = NULL, *held_up = NULL;
    unsigned count = 0;

    for (unsigned i = 0; i < fake_setup.slots; i++) {
        if (!may_run(&fake_slot[i])) {
            continue;
        }
        if (fake_slot[i].held_up > 0) {
            fake_slot[i].held_up--;
            held_up = &fake_slot[i];
        } else if (fake_draw(++count) == 0) {
            s = &fake_slot[i];
        }
    }
    return s != NULL ? s : held_up;
}

static bool in_motion(void)
{
    bool any = fake_leaving != NULL || fake_untold();

    for (unsigned i = 0; i < fake_setup.slots; i++) {
        any |= fake_slot[i].doomed || may_run(&fake_slot[i]);
    }
    return any;
}

static uint64_t next_deadline(void)
{
    uint64_t next = 0;

    for (unsigned i = 0; i < fake_setup.slots; i++) {
        const struct slot *s = &fake_slot[i];
        if (s->status == WAITING && s->deadline != 0 && (next == 0 || s->deadline < next)) {
            next = s->deadline;
        }
    }
    return next;
}

// Nobody can run.
static void idle(void)
{
    uint64_t next = next_deadline();

    if (!fake_setup.quiet(next) && next == 0) {
        fake_fail("nobody will ever run any more");
    }
    if (next > fake_clock) {
        fake_clock = next;
    }
    fire_deadlines();
}

static void turn(void)
{
    disturb();
    if (fake_chance(4)) {
        fire_deadlines();
    }
    struct slot *s = choose();
    if (s != NULL) {
        if (s->status == PROGRAM) {
            enter_handler(s);
        }
        fake_switch_in(s);
    } else if (!in_motion()) {
        idle();
    }
    if (++fake_counts.turns > fake_setup.turns) {
        fake_fail("no end after %lu turns", (unsigned long)fake_setup.turns);
    }
}

// ---- a run ------------------------------------------------------------------------------------------------

static void *page(unsigned n)
{
    return ak_window(FAKE_MEMORY + (pa_t)n * ABI_PAGE);
}

static void boot_memory(void)
{
    void *at = page(0);
    size_t length = (size_t)FAKE_PAGES * ABI_PAGE;

    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (mmap(at, length, PROT_READ | PROT_WRITE, flags, -1, 0) != at) {
        fake_fail("no memory at %p", at);
    }
    struct system_info *system = at;
    *system = (struct system_info){.version = 1, .cpus = fake_setup.cpus, .tsc_hz = 1000000000,
                                   .slice = FAKE_SLICE};
    fake_info = (struct kernel_info){.thread = ++fake_generation << 16, .system = FAKE_MEMORY,
                                     .limits = {.max_priority = FAKE_PRIORITY},
                                     .ranges = fake_setup.ranges,
                                     .channel = FAKE_MEMORY + PAGE_CHANNEL * ABI_PAGE};
    memcpy(fake_info.range, fake_setup.range, sizeof(fake_info.range));
    if (fake_setup.states) {
        fake_info.frame_states = fake_setup.range[0].base - ABI_PAGE;
        fake_info.first_frame = FAKE_MEMORY >> ABI_PAGE_SHIFT;
        fake_info.frame_count = FAKE_PAGES;
    }
    if (fake_setup.ranges == 0) {
        fake_info.ranges = 1;
        fake_info.range[0] = (struct memory_range){.base = FAKE_MEMORY, .length = 256 * ABI_PAGE};
        fake_info.free = FAKE_MEMORY + PAGE_FREE * ABI_PAGE;
    }
}

static void boot_first(void)
{
    struct slot *s = &fake_slot[0];

    *s = (struct slot){.status = READY, .id = fake_info.thread, .state = page(PAGE_FIRST),
                       .stack = (va_t)ak_stack_bottom, .xstack = (va_t)ak_xstack_top};
    s->state->loaded = 1;
    s->state->frame[0].rip = (va_t)ak_start;
    s->state->frame[0].rdi = (va_t)&fake_info;
    s->state->frame[0].rsp = s->xstack - 8;
}

int fake_run(const struct fake_setup *with)
{
    fake_setup = *with;
    boot_memory();
    boot_first();
    while (!fake_over) {
        turn();
    }
    return fake_failed ? FAKE_FAILED : fake_end_value;
}

static bool run_child(uint64_t seed, bool (*run)(uint64_t seed))
{
    int status = -1;

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        bool good = run(seed);
        if (!good) {
            printf("seed %lu: %s\n%s\n", (unsigned long)seed, fake_failure, fake_log);
        }
        exit(good ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

uint64_t fake_seeds(unsigned count, bool (*run)(uint64_t seed))
{
    const char *one = getenv("QUOIN_SEED");
    uint64_t first = one == NULL ? 1 : strtoull(one, NULL, 0);

    for (uint64_t seed = first; seed < first + (one == NULL ? count : 1); seed++) {
        if (!run_child(seed, run)) {
            printf("seed %lu failed: QUOIN_SEED=%lu repeats it\n", (unsigned long)seed, (unsigned long)seed);
            return seed;
        }
    }
    return 0;
}
