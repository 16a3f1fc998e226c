// test_quick.c - the short ways of loading and unloading mappings end in the state that the long ones do.
//
// At random, a mapping is loaded, a batch of them, or one is unloaded, by the short way first.  If it did it, the world
// is put back and the long way does the same: page tables, records and their lists, buckets, counters, frame states,
// channels and TLBs must be the same, byte for byte.  If it did not, nothing may have changed.  Loaders are a kernel
// with all rights, in its own space and in one that another processor uses, and one with quotas, a short frame-state
// table and narrow rights.  QUOIN_SEED=n repeats a run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "mapping.h"
#include "mapping_quick.h"
#include "two_kernels.h"

enum {
    ALL = 2, VAS = 72, BATCH = 12, STEPS = 5000, LEAST = 20, GROUP_PAGES = ABI_GROUP / ABI_PAGE, MOST = 40,
    STATES = 340,
};
static const va_t AT = 0x401f0000;                 // 16 pages before the end of a leaf table

#define TINY "kernels=4 spaces=8 threads=10 mappings=128 slice=500"

enum short_way { LOAD, LOAD_SOME, UNLOAD, WAYS };

struct region { void *at; size_t size; char *before, *after; };

static struct test_kernel k[ALL];
static oid_t space;                                // a program's, of k[1]
static struct region region[16];
static unsigned regions;
static uint64_t seed;
static uint64_t taken[WAYS], refused[WAYS];

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

// ---- snapshots --------------------------------------------------------------------------------------------

static void region_add(void *at, size_t size)
{
    region[regions++] = (struct region){at, size, malloc(size), malloc(size)};
}

static void regions_make(unsigned kernels)
{
    struct instance *in = host_instance();

    regions = 0;
    region_add(arch_phys(in->table_base), arch_pa(in) + sizeof(*in) - in->table_base);     // it is laid out downwards
    region_add(arch_phys(in->system), 4 * ABI_PAGE);
    for (unsigned i = 0; i < kernels; i++) {
        struct appkernel *a = kernel_find(in, k[i].id);
        region_add(a->frame_states, a->frame_count);
        region_add(a->channel, sizeof(*a->channel));
    }
    for (unsigned i = 0; i < in->cpus; i++) {
        region_add(host.cpu[i].tlb, sizeof(host.cpu[i].tlb));
    }
}

static void regions_free(void)
{
    for (unsigned i = 0; i < regions; i++) {
        free(region[i].before);
        free(region[i].after);
    }
}

static void keep(bool after)
{
    for (unsigned i = 0; i < regions; i++) {
        memcpy(after ? region[i].after : region[i].before, region[i].at, region[i].size);
    }
}

static void put_back(void)
{
    for (unsigned i = 0; i < regions; i++) {
        memcpy(region[i].at, region[i].before, region[i].size);
    }
}

static void compare(bool after)
{
    for (unsigned i = 0; i < regions; i++) {
        assert_memory_equal(region[i].at, after ? region[i].after : region[i].before, region[i].size);
    }
}

// ---- who does what, where ---------------------------------------------------------------------------------

struct actor {
    struct cpu       *cpu;
    struct appkernel *kern;
    struct space     *space;
    pa_t              memory;
    int               sees;                        // the processor that runs in this space, or -1
};

static struct actor actor_choose(unsigned kernels)
{
    struct instance *in = host_instance();
    unsigned n = kernels == 1 ? 0 : draw(5);
    struct actor a = {.sees = n < 2 ? (int)n : -1};

    a.cpu = host_enter(n < 2 ? 0 : 1);
    a.kern = kernel_find(in, k[n < 2 ? 0 : 1].id);
    a.space = n == 0 ? in->first->space : n == 1 ? kernel_find(in, k[1].id)->space : space_find(in, space);
    a.space = n == 4 && draw(4) == 0 ? a.kern->space : a.space;         // which it does not own
    a.memory = k[draw(8) == 0 ? draw(kernels) : n >= 2].memory;
    return a;
}

static va_t any_va(void)
{
    return AT + draw(VAS) * (va_t)ABI_PAGE + (draw(60) == 0 ? 8 : 0);
}

static pa_t any_frame(const struct actor *a)
{
    uint32_t r = draw(60);

    return r == 0 ? seed : r == 1 ? seed & ~4095ull : r == 2 ? arch_pa(host_instance()) & ~4095ull
           : a->memory + (draw(4) * GROUP_PAGES + GROUP_PAGES / 2 + draw(draw(3) ? 40 : 4)) * (pa_t)ABI_PAGE +
                 (r == 3 ? 8 : 0);
}

static uint64_t any_flags(void)
{
    static const uint64_t unusual[] = {0,
                                       MAP_WRITE | MAP_EXEC,
                                       MAP_READ | MAP_LOCKED,
                                       MAP_WRITE | MAP_LOCKED,
                                       MAP_READ | MAP_MESSAGE,
                                       MAP_WRITE | MAP_MESSAGE,
                                       MAP_READ | MAP_REMOTE,
                                       MAP_READ | MAP_LARGE,
                                       MAP_READ | MAP_DEVICE,
                                       MAP_WRITE | MAP_COPY,
                                       1ull << 32 | MAP_READ,
                                       ~0ull};
    static const uint64_t usual[] = {MAP_READ, MAP_WRITE, MAP_EXEC, MAP_READ | MAP_WRITE, MAP_READ | MAP_EXEC};

    return draw(5) == 0 ? unusual[draw(12)] : usual[draw(5)];
}

// What a processor notes, and a TLB keeps.
static void touch(const struct actor *a)
{
    va_t va = any_va() & ~(va_t)(ABI_PAGE - 1);
    struct leaf leaf;
    pa_t pa;

    if (!table_find(host_instance(), a->space, va, 0, &leaf) || !arch_pte_present(*leaf.pte) ||
        (arch_pte_access(*leaf.pte) & MAP_REMOTE)) {
        return;
    }
    bool write = (arch_pte_access(*leaf.pte) & MAP_WRITE) && draw(2);
    if (a->sees >= 0) {
        assert_true(host_touch((uint32_t)a->sees, va, write ? MAP_WRITE : MAP_READ, &pa));
        host_enter(a->cpu->number);
    } else {
        *leaf.pte |= HOST_PTE_REFERENCED | (write ? HOST_PTE_MODIFIED : 0);
    }
}

// ---- the ways ---------------------------------------------------------------------------------------------

static err_t long_load(const struct actor *a, const struct map_entry *e)
{
    const struct map_more more = {.source = e->pa ^ ABI_PAGE};

    return mapping_load(a->cpu, a->kern, a->space, e->va, e->pa, e->flags & ~(uint64_t)MAP_SIGNAL, &more);
}

// A replacement is an unload that never was short; with a full channel it differs in one number only.
static void long_unload(const struct actor *a, va_t va)
{
    struct instance *in = host_instance();
    uint64_t count = 0, evicted = in->stats->writebacks[OBJECT_MAPPING];
    va_t page = va & ~(va_t)(ABI_PAGE - 1), at = page;

    assert_int_equal(mapping_range_step(a->cpu, a->space, &at, page + ABI_PAGE, 0, REASON_EVICTED, &count), ERR_OK);
    in->stats->writebacks[OBJECT_MAPPING] = evicted;
}

static uint64_t do_short(const struct actor *a, enum short_way way, const struct map_entry *e, unsigned count)
{
    struct instance *in = host_instance();

    switch (way) {
    case LOAD:
        return mapping_load_quick(in, a->kern, a->space, e->va, e->pa, e->flags);
    case LOAD_SOME:
        return mapping_load_some(in, a->kern, a->space, e, count);
    default:
        return unload_quick(a->cpu, in, a->kern, a->space, e->va);
    }
}

static void entries_choose(const struct actor *a, struct map_entry e[BATCH])
{
    for (unsigned i = 0; i < BATCH; i++) {
        e[i] = (struct map_entry){any_va(), any_frame(a), any_flags()};
        if (i > 0 && draw(8) != 0) {               // beside the one before
            e[i] = e[i - 1];
            e[i].va += ABI_PAGE;
            e[i].pa += draw(3) ? ABI_PAGE : 0;
        }
    }
}

static void step(unsigned kernels)
{
    struct instance *in = host_instance();
    struct actor a = actor_choose(kernels);
    enum short_way way = draw(4) != 0 ? UNLOAD : draw(2);
    struct map_entry e[BATCH];
    unsigned count = 1 + draw(BATCH);

    entries_choose(&a, e);
    touch(&a);
    a.kern->channel->tail = a.kern->channel_head - CHANNEL_ENTRIES;
    kernel_at(in, a.space->owner->o.slot)->channel->tail = a.space->owner->channel_head - CHANNEL_ENTRIES;
    instance_lock(a.cpu);
    keep(false);
    uint64_t n = do_short(&a, way, e, count);
    in->work = 0;
    if (n == 0) {
        compare(false);
        refused[way]++;
        for (unsigned i = 0; way != UNLOAD && i < (way == LOAD ? 1 : count) && work_left(in); i++) {
            (void)long_load(&a, &e[i]);
        }
        if (way == UNLOAD) {
            long_unload(&a, e->va);
        }
        if (draw(100) == 0) {
            va_t at = AT;
            uint64_t none = 0;
            (void)mapping_range_step(a.cpu, a.space, &at, AT + VAS * (va_t)ABI_PAGE, 0, REASON_UNLOADED, &none);
        }
    } else {
        taken[way] += n;
        keep(true);
        put_back();
        for (unsigned i = 0; i < n; i++) {
            if (way == UNLOAD) {
                long_unload(&a, e->va);
            } else {
                assert_int_equal(long_load(&a, &e[i]), ERR_OK);
            }
            in->work = 0;
        }
        compare(true);
    }
    instance_unlock(a.cpu);
    host_deliver_all();
    host_check();
}

static void run(unsigned kernels)
{
    const struct kernel_limits limits[ALL] = {
        {0}, {.max_priority = 20, .locked_mappings = 8, .range = {[OBJECT_MAPPING] = {0, MOST}}}};
    uint64_t again[WAYS] = {0};

    memcpy(taken, again, sizeof(taken));
    memcpy(refused, again, sizeof(refused));
    kernels_boot(TINY, k, kernels, limits);
    if (kernels > 1) {
        struct space_desc s = {.rule = TRAP_FORWARD, .place = kernel_pages(&k[1], 1)};
        uint64_t grant[6] = {k[1].id, (k[1].memory >> ABI_GROUP_SHIFT) + 1, 1, GROUP_READ};
        assert_int_equal(kernel_load(&k[1], SYS_space_load, &s, sizeof(s), &space), ERR_OK);
        assert_int_equal(kernel_call(&k[0], SYS_kernel_grant, grant, NULL), ERR_OK);
        grant[1] += 2;
        grant[3] = GROUP_NONE;
        assert_int_equal(kernel_call(&k[0], SYS_kernel_grant, grant, NULL), ERR_OK);
        kernel_find(host_instance(), k[1].id)->frame_count = STATES;    // it ends within a group
    }
    regions_make(kernels);
    for (unsigned i = 0; i < STEPS; i++) {
        step(kernels);
    }
    regions_free();
    host_shutdown();
    for (unsigned i = 0; i < WAYS; i++) {
        assert_true(taken[i] > LEAST && refused[i] > LEAST);
    }
}

static void test_one_processor(void **unused)
{
    (void)unused;
    run(1);
}

static void test_two_processors(void **unused)
{
    (void)unused;
    run(2);
}

// ---- calls ------------------------------------------------------------------------------------------------

static uint64_t value;

static int64_t call(unsigned n, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t r8,
                    uint64_t r9)
{
    const uint64_t args[6] = {a, b, c, d, r8, r9};

    return kernel_call(&k[n], number, args, &value);
}

static int64_t unload(uint64_t va, uint64_t length, uint64_t r8, uint64_t r9)
{
    return call(1, SYS_mapping_unload, space, va, length, 0, r8, r9);
}

static int64_t load(uint64_t va, unsigned page, uint64_t flags)
{
    return call(1, SYS_mapping_load, space, va, k[1].memory + page * (pa_t)ABI_PAGE, flags, 0, 0);
}

static void boot(const char *cmdline)
{
    static const struct kernel_limits limits[ALL] = {{0}, {.max_priority = 20, .locked_mappings = 8}};

    kernels_boot(cmdline, k, ALL, limits);
    struct space_desc s = {.rule = TRAP_FORWARD, .place = kernel_pages(&k[1], 1)};
    assert_int_equal(kernel_load(&k[1], SYS_space_load, &s, sizeof(s), &space), ERR_OK);
    assert_int_equal(load(AT, 8, MAP_READ), ERR_OK);           // the table stays
}

// The same registers come from a page that is unloaded the short way and from one that is not.
static void test_registers(void **unused)
{
    const struct frame *f;

    (void)unused;
    boot(TINY);
    f = host_instance()->cpu[1].frame;
    for (unsigned locked = 0; locked < 2; locked++) {
        assert_int_equal(load(AT + ABI_PAGE, 9, MAP_WRITE | (locked ? MAP_LOCKED : 0)), ERR_OK);
        assert_int_equal(value, 0);
        assert_int_equal(unload(AT + ABI_PAGE, ABI_PAGE, 0, 0), ERR_OK);
        assert_true(value == 1 && f->r8 == 1 && f->r9 == AT + 2 * ABI_PAGE);
        assert_int_equal(unload(AT + ABI_PAGE, ABI_PAGE, 0, 0), ERR_OK);
        assert_true(value == 0 && f->r8 == 0 && f->r9 == AT + 2 * ABI_PAGE);
    }
    assert_int_equal(load(AT + ABI_PAGE, 9, MAP_WRITE), ERR_OK);
    assert_int_equal(unload(AT + ABI_PAGE, ABI_PAGE, 7, AT + 2 * ABI_PAGE), ERR_OK);      // was done already
    assert_int_equal(value, 7);
    assert_int_equal(unload(AT + ABI_PAGE, ABI_PAGE, 7, 0), ERR_OK);
    assert_int_equal(value, 8);
    host_shutdown();
}

static void test_hostile(void **unused)
{
    static const uint64_t bad[][2] = {
        {AT, 0}, {AT, 4095}, {AT, 4097}, {AT + 1, ABI_PAGE}, {~0ull, ABI_PAGE}, {0ull - ABI_PAGE, ABI_PAGE},
        {ABI_USER_END, ABI_PAGE}, {AT, ~0ull}, {AT | 1ull << 63, ABI_PAGE},
    };
    static const struct { uint64_t va, flags; int64_t error; } wrong[] = {
        {AT + ABI_PAGE, 0, ERR_INVAL}, {AT + ABI_PAGE, MAP_WRITE | MAP_EXEC, ERR_INVAL},
        {AT + ABI_PAGE, 1ull << 32 | MAP_READ, ERR_INVAL}, {AT + ABI_PAGE + 8, MAP_READ, ERR_INVAL},
        {AT | 1ull << 63, MAP_READ, ERR_INVAL}, {0ull - ABI_PAGE, MAP_READ, ERR_INVAL},
    };

    (void)unused;
    boot(TINY);
    uint32_t free = host_instance()->stats->free_mappings;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(unload(bad[i][0], bad[i][1], 0, 0), ERR_INVAL);
    }
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(load(wrong[i].va, 9, wrong[i].flags), wrong[i].error);
    }
    assert_int_equal(call(1, SYS_mapping_unload, 0, AT, ABI_PAGE, 0, 0, 0), ERR_STALE);
    assert_int_equal(call(1, SYS_mapping_unload, space + (1ull << 19), AT, ABI_PAGE, 0, 0, 0), ERR_STALE);
    assert_int_equal(call(1, SYS_mapping_unload, space | 0xffff, AT, ABI_PAGE, 0, 0, 0), ERR_STALE);
    assert_int_equal(call(0, SYS_mapping_unload, space, AT, ABI_PAGE, 0, 0, 0), ERR_DENIED);
    assert_int_equal(call(0, SYS_mapping_load, space, AT, k[0].memory, MAP_READ, 0, 0), ERR_DENIED);
    assert_int_equal(load(AT + ABI_PAGE, 512, MAP_READ), ERR_DENIED);                   // the next unit
    assert_int_equal(call(1, SYS_mapping_load, space, AT + ABI_PAGE, ~4095ull, MAP_READ, 0, 0), ERR_DENIED);
    assert_int_equal(call(1, SYS_mapping_load, space, AT + ABI_PAGE, k[1].memory + 8, MAP_READ, 0, 0), ERR_INVAL);
    assert_int_equal(host_instance()->stats->free_mappings, free);
    host_shutdown();
}

// Four entries lie across the end of a page, at any offset.  While the second page is not mapped the call is a fault,
// which leaves what was loaded and where to go on; then the rest is loaded.
static void test_batch_across_pages(void **unused)
{
    (void)unused;
    for (unsigned offset = 0; offset <= 4 * sizeof(struct map_entry); offset += 4) {
        boot(TINY);
        struct cpu *cpu = &host_instance()->cpu[1];
        struct frame *f = cpu->frame;
        char *end = (char *)host_at(k[1].memory) + ABI_PAGE;    // both pages are beside each other in memory, too
        unsigned whole = offset / sizeof(struct map_entry);
        for (unsigned i = 0; i < 4; i++) {
            struct map_entry e = {AT + (i + 1) * (va_t)ABI_PAGE, k[1].memory + (9 + i) * (pa_t)ABI_PAGE, MAP_READ};
            memcpy(end - offset + i * sizeof(e), &e, sizeof(e));
        }
        uint64_t args[6] = {space, TEST_AT + ABI_PAGE - offset, 4};
        uint64_t loads = host_instance()->stats->loads[OBJECT_MAPPING];
        if (whole < 4) {
            assert_true(host_call_once(1, SYS_mapping_load_batch, args));
            assert_true(cpu->frame == f + 1 && f->kind == FRAME_FAULT && f->addr >= TEST_AT + ABI_PAGE - 24);
            assert_int_equal(f->r9, whole);
            assert_int_equal(host_instance()->stats->loads[OBJECT_MAPPING] - loads, whole);
            pa_t second = k[1].memory + ABI_PAGE;
            assert_int_equal(call(0, SYS_mapping_load, k[1].space, TEST_AT + ABI_PAGE, second, MAP_READ, 0, 0), ERR_OK);
            uint64_t back[6] = {0};
            assert_true(host_call_once(1, SYS_resume, back));
            assert_ptr_equal(cpu->frame, f);
            args[5] = f->r9;
        }
        assert_int_equal(kernel_call(&k[1], SYS_mapping_load_batch, args, &value), ERR_OK);
        assert_int_equal(value, 4);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(unload(AT + (i + 1) * (va_t)ABI_PAGE, ABI_PAGE, 0, 0), ERR_OK);
            assert_int_equal(value, 1);
        }
        host_shutdown();
    }
}

// One frame at more addresses than a bucket has ways: a batch replaces the oldest as single loads do.
static void test_full_bucket(void **unused)
{
    enum { COUNT = 40, BATCHES = 5 };
    struct map_entry *e;

    (void)unused;
    boot("kernels=4 spaces=8 threads=10 mappings=512 slice=500");
    e = host_at(k[1].memory);
    for (unsigned b = 0; b < BATCHES; b++) {
        for (unsigned i = 0; i < COUNT; i++) {
            e[i] = (struct map_entry){AT + (1 + b * COUNT + i) * (va_t)ABI_PAGE, k[1].memory + 9 * ABI_PAGE, MAP_READ};
        }
        assert_int_equal(call(1, SYS_mapping_load_batch, space, TEST_AT, COUNT, 0, 0, 0), ERR_OK);
        assert_int_equal(value, COUNT);
        unsigned mapped = 0;
        uint64_t pfn = e->pa >> ABI_PAGE_SHIFT;
        struct instance *in = host_instance();
        for (struct record *r = pmap_frame_first(in, pfn); r != NULL; r = pmap_frame_next(in, r)) {
            mapped++;
        }
        assert_int_equal(mapped, (b + 1) * COUNT < PMAP_WAYS ? (b + 1) * COUNT : PMAP_WAYS);
    }
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_processor),
        cmocka_unit_test(test_two_processors),
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_batch_across_pages),
        cmocka_unit_test(test_full_bucket),
    };
    const char *given = getenv("QUOIN_SEED");

    seed = given != NULL ? strtoull(given, NULL, 0) : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
