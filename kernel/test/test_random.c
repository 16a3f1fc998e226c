// test_random.c - the supervisor under a random schedule, with tiny caches, every invariant checked after each step.
//
// Up to four processors run threads of the first kernel and of another one that it loads.  Each step one processor
// makes a call with ids that are good, stale or made up, or touches memory, or takes an interrupt, or the clock
// moves.  Interrupts between processors are delayed at random.  The limits of the other kernel change.
// QUOIN_SEED=n repeats a run, QUOIN_STEPS=n sets its
// length.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "arch/host/host.h"

enum { IDS = 24, PAGES = 64, SPACES = 6, VAS = 2048 };

static uint64_t seed;
static uint64_t last_number;
static uint64_t limits;                // that were set in all runs

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

static oid_t ids[IDS]; // ids that some call gave, of every type, most of them stale
static pa_t memory;    // pages of the first kernel: state pages, places, descriptors, frames
static pa_t given;     // a 2-MiB unit granted to the second kernel

static pa_t page(uint32_t i)
{
    return memory + (pa_t)i * ABI_PAGE;
}

static uint64_t signals, copies, large; // delivered, made, loaded in all runs: none would mean that nothing was tried
static oid_t second;    // the second kernel
static oid_t recent[5]; // the last good id of each type

static oid_t any_id(void)
{
    if (draw(2) == 0) {
        return recent[1 + draw(3)];
    }
    uint32_t r = draw(20);
    return r == 0 ? seed : r == 1 ? 0 : ids[draw(IDS)];
}

static void remember(oid_t id)
{
    recent[id >> 16 & 7] = id;
    ids[draw(IDS)] = id;
}

static va_t any_va(void)
{
    static const va_t base[] = {0x10000, 0x40000000, 0x7fff00000000, 0x200000};
    return base[draw(4)] + (va_t)draw(VAS / 4) * ABI_PAGE;
}

static va_t few_vas(void)
{
    return 0x10000 + (va_t)draw(3) * ABI_PAGE;
}

static pa_t any_frame(void)
{
    uint32_t r = draw(30);
    return r == 0   ? arch_pa(host_instance()) & ~4095ull
           : r == 1 ? seed & ~4095ull
           : r < 10 ? given + draw(16) * 4096ull
                    : page(draw(PAGES));
}

// A frame whose loss is not the supervisor's.
static pa_t any_grant(void)
{
    return draw(2) ? given + draw(16) * 4096ull : page(draw(PAGES));
}

// Where large mappings meet each other and the small ones of any_va().
static va_t large_va(void)
{
    static const va_t at[] = {0, 0x200000, 0x40000000, 0x40200000, 0x7fff00000000};
    return at[draw(5)] + (draw(20) == 0 ? ABI_PAGE : 0);
}

static pa_t large_frame(void)
{
    return draw(20) == 0 ? any_frame() : draw(2) ? given : memory;
}

// The first of the pages where a kernel has its places and state pages; `page(PAGES)` for the first kernel.
static pa_t places_of(const struct thread *t)
{
    return t->kern == host_instance()->first ? page(PAGES) : given + (pa_t)PAGES * ABI_PAGE;
}

static void fill_space(struct space_desc *d, pa_t places)
{
    *d = (struct space_desc){.flags = draw(8) == 0,
                             .rule = draw(2),
                             .cookie = seed,
                             .place = places + draw(SPACES) * (pa_t)ABI_PAGE + 64 * draw(4)};
}

static void fill_thread(struct thread_desc *d, pa_t places)
{
    pa_t at = places + (SPACES + draw(16)) * (pa_t)ABI_PAGE;
    struct thread_state *s = host_at(at);

    *d = (struct thread_desc){.space = draw(8) == 0 ? any_id() : recent[OBJECT_SPACE],
                              .flags = draw(8) == 0 ? LOAD_LOCKED : 0,
                              .priority = draw(10),
                              .state = at,
                              .state_va = ABI_WINDOW + at,
                              .xstack = ABI_WINDOW + at + 4096,
                              .cookie = seed,
                              .affinity = draw(3) == 0 ? 1u << draw(4) : 0,
                              .signal = draw(2) ? HOST_TEXT : 0};
    if (draw(50) == 0) {                       // owners write what they like
        s->signal_head = (uint32_t)seed;
        s->signal_active = draw(3);
    }
    if (s->loaded == 0) {
        s->depth = draw(3);
        s->gs_base = draw(20) == 0 ? ~0ull : 0;
        for (unsigned i = 0; i <= ABI_MAX_DEPTH; i++) {
            s->frame[i].rip = draw(100) == 0 ? seed : HOST_TEXT;
            s->frame[i].rsp = 0x700000;
        }
    }
}

static uint64_t choose_number(void)
{
    static const uint8_t often[] = {
        SYS_space_load,    SYS_thread_load,  SYS_thread_load,        SYS_mapping_load,    SYS_mapping_load,
        SYS_mapping_load,  SYS_mapping_load_batch, SYS_mapping_load_batch, SYS_mapping_load_batch,
        SYS_mapping_load_and_resume,         SYS_mapping_unload,     SYS_mapping_protect, SYS_resume,
        SYS_resume,        SYS_signal,       SYS_wait,               SYS_yield,           SYS_thread_unload,
        SYS_space_unload,  SYS_listen,       SYS_thread_priority,    SYS_kernel_grant,    SYS_signal_at,
        SYS_signal_at,     SYS_signal_return, SYS_kernel_share,      SYS_kernel_limits,   SYS_pinned,
        SYS_space_load};

    return draw(10) == 0 ? draw(32) : often[draw(sizeof(often))];
}

// A page in message mode, or a deferred copy: few pages, so that senders and receivers meet.
static void message_arguments(const struct thread *t, uint64_t a[6])
{
    a[3] = MAP_READ | MAP_MESSAGE | (draw(2) ? MAP_WRITE : 0) | (draw(8) == 0 ? MAP_LOCKED : 0);
    if (draw(2)) {
        a[3] |= MAP_SIGNAL;
        a[4] = draw(8) == 0 ? any_id() : draw(2) ? t->o.id : recent[OBJECT_THREAD];
    }
    a[0] = draw(2) ? t->kern->space->o.id : recent[OBJECT_SPACE];
    a[1] = few_vas();
    a[2] = t->kern == host_instance()->first ? page(draw(3)) : given + draw(3) * ABI_PAGE;
    if (draw(4) == 0) {
        a[3] = MAP_WRITE | MAP_COPY | (draw(8) == 0 ? MAP_LOCKED : 0) | (draw(20) == 0 ? MAP_MESSAGE : 0);
        a[5] = draw(4) == 0 ? any_frame() : a[2] ^ ABI_PAGE;
    }
}

static void large_arguments(uint64_t a[6])
{
    a[1] = large_va();
    a[2] = large_frame();
    a[3] = MAP_LARGE | 1u << draw(3) | (draw(8) == 0 ? MAP_LOCKED : 0) | (draw(20) == 0 ? MAP_MESSAGE : 0);
}

static void batch_arguments(struct map_entry *e, uint64_t a[6])
{
    for (unsigned i = 0; i < 8; i++) {
        e[i] = (struct map_entry){any_va(), any_frame(), draw(4) == 0 ? draw(32) : 1u << draw(3)};
        if (draw(30) == 0) {
            e[i] = (struct map_entry){large_va(), large_frame(), MAP_LARGE | 1u << draw(3)};
        }
        e[i].flags |= draw(8) == 0 ? MAP_REMOTE : 0;
    }
    a[2] = draw(9);
    a[0] = draw(8) == 0 ? any_id() : recent[OBJECT_SPACE];
}

static void range_fill(struct kernel_range *r, uint32_t least, uint32_t floor)
{
    *r = (struct kernel_range){draw(2) ? draw(least + 1) : 0, draw(2) ? floor + draw(4) : 0};
}

static void fill_limits(struct kernel_limits *l)
{
    const struct instance *in = host_instance();

    *l = (struct kernel_limits){.max_priority = 8, .locked_mappings = 8, .locked_threads = draw(2)};
    range_fill(&l->range[OBJECT_SPACE], in->spaces.size - 4, 1);
    range_fill(&l->range[OBJECT_THREAD], in->threads.size - 5, 3);
    range_fill(&l->range[OBJECT_MAPPING], in->nrecords - 16 * in->cpus, 16 * in->cpus);
    l->range[draw(20) == 0 ? draw(2) : OBJECT_SPACE].least += draw(20) == 0;
}

static void kernel_arguments(uint64_t number, void *scratch, uint64_t a[6])
{
    if (number == SYS_kernel_grant) {
        a[1] = (given >> ABI_GROUP_SHIFT) + draw(4);
        a[2] = 1 + draw(2);
        a[3] = draw(4);
        a[0] = draw(4) == 0 ? second : a[0];
    } else if (number == SYS_kernel_share) {
        a[0] = second;
        a[1] = draw(5);
        a[2] = draw(3) == 0 ? 100 : draw(3) == 0 ? 0 : draw(40);
    } else {
        fill_limits(scratch);
        a[0] = second;
    }
}

// What fits the call, most of the time.
static void choose_arguments(uint64_t number, const struct thread *t, pa_t scratch, uint64_t a[6])
{
    if (number >= SYS_mapping_load && number <= SYS_resume && draw(4) != 0) {
        a[0] = recent[OBJECT_SPACE];
    } else if ((number == SYS_signal || number == SYS_thread_unload || number == SYS_thread_priority) &&
               draw(4) != 0) {
        a[0] = recent[OBJECT_THREAD];
    }
    if (number == SYS_space_load || number == SYS_thread_load) {
        a[0] = ABI_WINDOW + scratch;
    } else if (number == SYS_mapping_load_batch || number == SYS_kernel_limits) {
        a[1] = ABI_WINDOW + scratch;
    }
    switch (number) {
    case SYS_space_load:
        fill_space(host_at(scratch), places_of(t));
        break;
    case SYS_thread_load:
        fill_thread(host_at(scratch), places_of(t));
        break;
    case SYS_mapping_load:
    case SYS_mapping_load_and_resume:
        if (number == SYS_mapping_load && draw(3) == 0) {
            message_arguments(t, a);
            a[3] |= draw(6) == 0 ? MAP_REMOTE : 0;
        } else if (draw(3) == 0) {
            large_arguments(a);
        }
        break;
    case SYS_mapping_load_batch:
        batch_arguments(host_at(scratch), a);
        break;
    case SYS_mapping_unload:
    case SYS_mapping_protect:
        a[2] = (uint64_t)draw(30) * ABI_PAGE << (draw(4) * 6);
        a[3] = draw(8);
        break;
    case SYS_signal_at:
        a[0] = draw(4) == 0 ? any_va() : few_vas() + 8;
        break;
    case SYS_signal_wait:
        a[0] = draw(4) == 0 ? any_va() : few_vas() + 8;
        a[1] = draw(2) && t->o.id != host_instance()->info->thread ? 0 : host.clock + draw(3000);
        break;
    case SYS_wait:
        a[0] = draw(3) == 0 && t->o.id != host_instance()->info->thread ? 0 : host.clock + draw(3000);
        break;
    case SYS_thread_priority:
        a[1] = draw(12);
        break;
    case SYS_pinned:
        a[1] = a[0];
        a[0] = draw(6);
        a[2] = draw(2) ? few_vas() : any_va();
        break;
    case SYS_kernel_grant:
    case SYS_kernel_share:
    case SYS_kernel_limits:
        kernel_arguments(number, host_at(scratch), a);
        break;
    default:
        break;
    }
}

static void step_call(uint32_t n)
{
    struct cpu *cpu = host_enter(n);
    struct thread *t = cpu->thread;
    oid_t first_thread = host_instance()->info->thread, caller = t->o.id;
    uint64_t number = choose_number();
    uint64_t a[6] = {any_id(), any_va(), any_frame(), draw(3) == 0 ? draw(64) : 1u << draw(3), 0, 0};

    if (number == SYS_power_off || (number == SYS_thread_unload && caller == first_thread) ||
        ((number == SYS_wait || number == SYS_signal_wait) && caller == first_thread && draw(4) != 0)) {
        return;
    }
    choose_arguments(number, t, page(PAGES + SPACES + 16 + n), a);
    if (number == SYS_thread_unload && a[0] == first_thread) {
        return;
    }
    last_number = number;
    struct frame *f = cpu->frame;
    uint64_t loads = host_instance()->stats->loads[OBJECT_MAPPING];
    bool done = host_call_once(n, number, a);
    large += number == SYS_mapping_load && (a[3] & MAP_LARGE) != 0 &&
             host_instance()->stats->loads[OBJECT_MAPPING] != loads;
    if (done && cpu->thread == t && t->o.id == caller && cpu->frame == f && f->rax == ERR_OK &&
        (number == SYS_space_load || number == SYS_thread_load)) {
        remember(f->rdx);
    }
    limits += done && number == SYS_kernel_limits && cpu->thread == t && cpu->frame == f && f->rax == ERR_OK;
}

// The thread that runs is at depth 4 already: another fault would end it, and panic if it is the first kernel's.
static bool may_fault(const struct thread *t)
{
    return t->depth < ABI_MAX_DEPTH || t->kern != host_instance()->first;
}

static uint64_t consistency;           // consistency faults in all runs, as `signals` below

static void step_touch(uint32_t n)
{
    struct thread *t = host_enter(n)->thread;
    va_t va = draw(3) == 0 ? few_vas() : any_va();
    pa_t pa;

    if (!host_touch(n, va, (uint32_t[]){MAP_READ, MAP_WRITE, MAP_EXEC}[draw(3)], &pa) &&
        host_enter(n)->thread == t && t->depth > 0) {
        consistency += (t->state->frame[t->depth - 1].error & FAULT_CONSISTENCY) != 0;
    }
}

static void step(uint32_t n)
{
    struct cpu *cpu = host_enter(n);
    uint32_t what = draw(16);

    if (what < 4) {
        host_deliver(n);
    } else if (what == 4) {
        host.clock += draw(2000);
        if (draw(4) == 0) {
            host_deliver_all();
        }
    } else if (cpu->thread == NULL) {
        host_deliver(n);
    } else if (what < 9) {
        if (may_fault(cpu->thread)) {
            if (draw(20) == 0) {
                host_memory_lost(n, draw(2) ? page(draw(3)) : any_grant(), draw(2), draw(8) == 0);
            } else {
                step_touch(n);
            }
        }
    } else if (cpu->frame->rip >= ABI_USER_END || cpu->frame->rsp >= ABI_USER_END) {
        return;
    } else if (cpu->thread->depth < ABI_MAX_DEPTH || cpu->thread->kern != host_instance()->first) {
        step_call(n);
    } else {
        uint64_t a[6] = {any_id()};
        host_call_once(n, SYS_resume, a);
        if (cpu->thread != NULL && cpu->thread->depth == ABI_MAX_DEPTH) {
            a[0] = 0;
            a[1] = 0;
            host_call_once(
                n, cpu->thread->o.id == host_instance()->info->thread ? SYS_resume : SYS_thread_unload, a);
        }
    }
}

// A second kernel with a unit of memory of its own and a thread that sleeps at first.
static void load_second(void)
{
    struct instance *in = host_instance();
    pa_t scratch = page(PAGES + SPACES + 16);
    struct space_desc *s = host_at(scratch);
    uint64_t value, a[6] = {ABI_WINDOW + scratch};

    *s = (struct space_desc){.rule = TRAP_NATIVE, .place = page(100)};
    assert_int_equal(host_call(0, SYS_space_load, a, &value), ERR_OK);
    remember(value);
    struct kernel_desc *d = host_at(scratch);
    *d = (struct kernel_desc){.space = value,
                              .trap = HOST_TRAP,
                              .fault = HOST_FAULT,
                              .exception = HOST_EXCEPTION,
                              .place = page(100) + 64,
                              .channel = page(101),
                              .frame_states = page(102),
                              .first_frame = given >> 12,
                              .frame_count = 512,
                              .limits = {.max_priority = 8, .locked_mappings = 8}};
    a[0] = ABI_WINDOW + scratch;
    int64_t e = host_call(0, SYS_kernel_load, a, &value);
    assert_int_equal(e, ERR_OK);
    ids[0] = second = value;
    uint64_t g[6] = {value, given >> ABI_GROUP_SHIFT, 4, GROUP_WRITE};
    assert_int_equal(host_call(0, SYS_kernel_grant, g, NULL), ERR_OK);
    for (unsigned n = 0; n < 4; n++) {         // where step_call() puts descriptors
        pa_t at = page(PAGES + SPACES + 16 + n);
        uint64_t m[6] = {d->space, ABI_WINDOW + at, at, MAP_READ};
        assert_int_equal(host_call(0, SYS_mapping_load, m, NULL), ERR_OK);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct thread_desc *t = host_at(scratch);
        pa_t state = page(104 + i);
        *t = (struct thread_desc){.space = space_at(in, kernel_find(in, value)->space->o.slot)->o.id,
                                  .priority = 4,
                                  .state = state,
                                  .state_va = ABI_WINDOW + state,
                                  .xstack = 0x700000};
        ((struct thread_state *)host_at(state))->frame[0].rip = HOST_TEXT;
        uint64_t id;
        a[0] = ABI_WINDOW + scratch;
        if (host_call(0, SYS_thread_load, a, &id) == ERR_OK) {
            remember(id);
        }
    }
}

static void run(uint32_t cpus, const char *cmdline, uint64_t s, uint32_t steps)
{
    seed = s;
    memset(ids, 0, sizeof(ids));
    host_boot(cpus, 48 << 20, cmdline);
    given = host_instance()->info->range[0].base;
    memory = given + ABI_LARGE;
    memset(host_at(memory), 0, 128 * ABI_PAGE);
    load_second();
    for (uint32_t i = 0; i < steps; i++) {
        step(draw(cpus));
        host_check();
    }
    printf("seed %lu: %u processors, %s: %lu loads of threads, %lu writebacks, %lu of mappings\n",
           (unsigned long)s, cpus, cmdline, (unsigned long)host_instance()->stats->loads[OBJECT_THREAD],
           (unsigned long)host_instance()->stats->writebacks[OBJECT_THREAD],
           (unsigned long)host_instance()->stats->writebacks[OBJECT_MAPPING]);
    signals += host_instance()->stats->signals;
    copies += host_instance()->stats->copies;
    host_shutdown();
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);
    return s == NULL ? otherwise : strtoull(s, NULL, 0);
}

static void test_tiny(void **state)
{
    uint64_t first = from_environment("QUOIN_SEED", 1), count = getenv("QUOIN_SEED") != NULL ? 1 : 12;
    uint32_t steps = (uint32_t)from_environment("QUOIN_STEPS", 4000);

    (void)state;
    for (uint64_t s = first; s < first + count; s++) {
        printf("seed %lu\n", (unsigned long)s);
        fflush(stdout);
        run(s % 4 + 1, "kernels=3 spaces=5 threads=6 mappings=64 slice=500", s, steps);
        run(s % 4 + 1, "kernels=4 spaces=16 threads=32 mappings=256 slice=100", s, steps / 4);
    }
    printf("%lu signals, %lu copies, %lu large mappings, %lu changes of limits, %lu consistency faults\n",
           (unsigned long)signals,
           (unsigned long)copies, (unsigned long)large, (unsigned long)limits, (unsigned long)consistency);
    assert_true(count == 1 || (signals > 0 && copies > 0 && large > 0 && limits > 0 && consistency > 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tiny)};
    return cmocka_run_group_tests_name("kernel_random", tests, NULL, NULL);
}
