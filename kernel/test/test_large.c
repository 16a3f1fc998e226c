// test_large.c - 2-MiB mappings in the space of a program: bits, conflicts, replacement, narrowing of rights.
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
#include "frame_state.h"
#include "instance.h"
#include "mapping.h"
#include "pmap.h"
#include "quota.h"
#include "table.h"

enum { AT = 0x40000000, BOTH = FRAME_REFERENCED | FRAME_MODIFIED };

static pa_t next_frame, unit, unit2;     // two 2-MiB units that nothing else uses
static uint64_t value;
static oid_t program;

static int64_t call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t args[6] = {a, b, c, d, d & MAP_SIGNAL ? host_instance()->info->thread : 0, 0};
    int64_t result = host_call(0, number, args, &value);
    host_check();
    return result;
}

static pa_t frames(unsigned n)
{
    pa_t pa = next_frame;
    next_frame += (pa_t)n * ABI_PAGE;
    memset(host_at(pa), 0, (size_t)n * ABI_PAGE);
    return pa;
}

static int64_t load(va_t va, pa_t pa, uint64_t flags)
{
    return call(SYS_mapping_load, program, va, pa, flags);
}

static uint8_t *state_of(pa_t pa)
{
    return &host_instance()->first->frame_states[pa >> ABI_PAGE_SHIFT];
}

// All 512 frames have these bits, and are forgotten; the ones beside them have none.
static void states_are(pa_t pa, uint8_t bits)
{
    for (unsigned i = 0; i < LARGE_FRAMES; i++) {
        assert_int_equal(state_of(pa)[i], bits);
    }
    assert_int_equal(state_of(pa)[-1], 0);
    assert_int_equal(state_of(pa)[LARGE_FRAMES], 0);
    memset(state_of(pa), 0, LARGE_FRAMES);
}

static oid_t space_make(void)
{
    pa_t page = frames(1);
    struct space_desc s = {.rule = TRAP_FORWARD, .place = page};

    memcpy(host_at(page + 512), &s, sizeof(s));
    assert_int_equal(call(SYS_space_load, ABI_WINDOW + page + 512, 0, 0, 0), ERR_OK);
    return value;
}

// Processor 0 runs the first kernel, processor 1 a program thread in `program`.
static void boot(const char *cmdline)
{
    host_boot(2, 64 << 20, cmdline);
    next_frame = host_instance()->info->range[0].base;
    pa_t begin = (next_frame + 3 * ABI_LARGE) & ~(pa_t)(ABI_LARGE - 1);
    unit = begin;
    unit2 = begin + 2 * ABI_LARGE;
    program = space_make();
    pa_t state = frames(2);
    struct thread_desc d = {.space = program, .priority = 5, .state = state, .state_va = ABI_WINDOW + state,
                            .xstack = ABI_WINDOW + state + 2 * ABI_PAGE, .affinity = 2};
    ((struct thread_state *)host_at(state))->frame[0].rip = HOST_TEXT;
    memcpy(host_at(state + ABI_PAGE), &d, sizeof(d));
    assert_int_equal(call(SYS_thread_load, ABI_WINDOW + state + ABI_PAGE, 0, 0, 0), ERR_OK);
    host_deliver_all();
    assert_non_null(host_instance()->cpu[1].thread);
}

static bool touch(va_t va, uint32_t access)
{
    pa_t pa;
    bool there = host_touch(1, va, access, &pa);
    if (!there) {                                  // the thread is in its handler: back
        uint64_t args[6] = {program};
        (void)host_call_once(1, SYS_resume, args);
    }
    host_check();
    return there;
}

static void test_bits(void **state)
{
    (void)state;
    boot("");
    uint32_t records = host_instance()->stats->free_mappings;
    assert_int_equal(load(AT, unit, MAP_WRITE | MAP_LARGE), ERR_OK);
    assert_int_equal(host_instance()->stats->free_mappings, records - 1);
    pa_t pa;
    assert_true(host_touch(1, AT + 0x123456, MAP_WRITE, &pa));
    assert_int_equal(pa, unit + 0x123456);
    assert_true(touch(AT + ABI_LARGE - 1, MAP_READ));
    assert_false(touch(AT + ABI_LARGE, MAP_READ));
    assert_int_equal(call(SYS_mapping_unload, program, AT, ABI_LARGE, 0), ERR_OK);
    assert_int_equal(value, 1);
    assert_false(touch(AT, MAP_READ));
    states_are(unit, BOTH);
    // Read only, then never touched.
    assert_int_equal(load(AT, unit, MAP_READ | MAP_EXEC | MAP_LARGE), ERR_OK);
    assert_true(touch(AT + 0x1000, MAP_EXEC));
    assert_false(touch(AT + 0x1000, MAP_WRITE));
    assert_int_equal(call(SYS_mapping_unload, program, AT, ABI_LARGE, 0), ERR_OK);
    states_are(unit, FRAME_REFERENCED);
    assert_int_equal(load(AT, unit, MAP_WRITE | MAP_LARGE), ERR_OK);
    assert_int_equal(call(SYS_space_unload, program, 0, 0, 0), ERR_OK);
    states_are(unit, 0);
    host_shutdown();
}

// A table that begins and ends anywhere: only its own bytes change, and all of those.
static void test_bits_at_edges(void **state)
{
    static uint8_t bytes[1024 + 16];
    static const struct { uint64_t first, count; } table[] = {
        {1000, 1024}, {1024, 512}, {1025, 512}, {1030, 17}, {1023, 513}, {500, 530}, {1535, 9}, {1536, 9}, {0, 1024},
        {1027, 3}, {1024, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        memset(bytes, 0, sizeof(bytes));
        struct appkernel k = {.frame_states = bytes + i % 8, .first_frame = table[i].first,
                              .frame_count = table[i].count};
        bytes[i % 8] = 4;                          // the owner's own bits stay
        frame_state_note(&k, 1024, true, 0);
        frame_state_note(&k, 1024, true, FRAME_MODIFIED);
        for (uint64_t b = 0; b < sizeof(bytes); b++) {
            uint64_t frame = table[i].first + (b - i % 8);
            bool in = b >= i % 8 && b - i % 8 < table[i].count && frame >= 1024 && frame < 1536;
            assert_int_equal(bytes[b], (in ? FRAME_MODIFIED : 0) | (b == i % 8 ? 4 : 0));
        }
    }
}

static void test_protect(void **state)
{
    (void)state;
    boot("");
    assert_int_equal(load(AT, unit, MAP_WRITE | MAP_LARGE), ERR_OK);
    assert_true(touch(AT + 5 * ABI_PAGE, MAP_WRITE));
    // A page in the middle: all of it is lowered, and said to have been modified.
    assert_int_equal(call(SYS_mapping_protect, program, AT + 9 * ABI_PAGE, ABI_PAGE, MAP_READ), ERR_OK);
    assert_int_equal(value, 1);
    states_are(unit, BOTH);
    assert_true(touch(AT, MAP_READ));
    assert_false(touch(AT, MAP_WRITE));
    assert_false(touch(AT + ABI_LARGE - ABI_PAGE, MAP_WRITE));
    assert_int_equal(call(SYS_mapping_protect, program, AT, ABI_LARGE, MAP_READ), ERR_OK);
    assert_int_equal(value, 0);
    memset(state_of(unit), 0, LARGE_FRAMES);
    // Loaded again with more rights: in place.
    uint64_t loads = host_instance()->stats->loads[OBJECT_MAPPING];
    assert_int_equal(load(AT, unit, MAP_WRITE | MAP_LARGE), ERR_OK);
    assert_int_equal(host_instance()->stats->loads[OBJECT_MAPPING], loads);
    assert_true(touch(AT, MAP_WRITE));
    // One page of it, across its end: the whole mapping goes, once.
    assert_int_equal(load(AT + ABI_LARGE, frames(1), MAP_READ), ERR_OK);
    assert_int_equal(call(SYS_mapping_unload, program, AT + ABI_LARGE - ABI_PAGE, 2 * ABI_PAGE, 0), ERR_OK);
    assert_int_equal(value, 2);
    assert_false(touch(AT, MAP_READ));
    states_are(unit, BOTH);
    host_shutdown();
}

static void test_conflicts(void **state)
{
    (void)state;
    boot("");
    const struct system_stats *stats = host_instance()->stats;
    uint32_t records = stats->free_mappings, tables = stats->free_tables;
    for (unsigned i = 0; i < LARGE_FRAMES; i++) {
        assert_int_equal(load(AT + i * ABI_PAGE, unit + i * ABI_PAGE, MAP_WRITE), ERR_OK);
    }
    assert_true(touch(AT + 7 * ABI_PAGE, MAP_WRITE));
    // Promotion: in steps, bits of the small ones kept.
    uint64_t args[6] = {program, AT, unit, MAP_WRITE | MAP_LARGE};
    unsigned steps = 1;
    while (!host_call_once(0, SYS_mapping_load, args)) {
        host_check();
        steps++;
    }
    assert_in_range(steps, LARGE_FRAMES / (STEP_WORK / WORK_MAPPING), 2 * LARGE_FRAMES / (STEP_WORK / WORK_MAPPING));
    host_check();
    assert_int_equal(stats->free_mappings, records - 1);
    assert_int_equal(state_of(unit)[7], BOTH);
    assert_int_equal(state_of(unit)[6], 0);
    assert_true(touch(AT + 8 * ABI_PAGE, MAP_WRITE));
    // A small one inside: the large one goes, all its frames are noted.
    assert_int_equal(load(AT + ABI_PAGE, unit + ABI_PAGE, MAP_READ), ERR_OK);
    assert_int_equal(stats->free_mappings, records - 1);
    states_are(unit, BOTH);
    assert_true(touch(AT + ABI_PAGE, MAP_READ));
    assert_false(touch(AT, MAP_READ));
    // Another frame, and another kind of lock, where a large one is.
    assert_int_equal(load(AT, unit, MAP_READ | MAP_LARGE), ERR_OK);
    assert_int_equal(load(AT, unit2, MAP_READ | MAP_LARGE), ERR_OK);
    assert_int_equal(load(AT, unit2, MAP_READ | MAP_LARGE | MAP_LOCKED), ERR_OK);
    assert_int_equal(stats->free_mappings, records);
    assert_int_equal(call(SYS_mapping_unload, program, 0, 1ull << 46, 0), ERR_OK);
    assert_int_equal(value, 1);
    assert_int_equal(stats->free_tables, tables);
    host_shutdown();
}

static void test_refused(void **state)
{
    static const uint64_t odd[] = {MAP_MESSAGE, MAP_MESSAGE | MAP_SIGNAL, MAP_SIGNAL, MAP_COPY, MAP_EXEC};

    (void)state;
    boot("");
    struct instance *in = host_instance();
    assert_int_equal(load(AT + 3 * ABI_PAGE, unit, MAP_READ), ERR_OK);
    uint64_t loads = in->stats->loads[OBJECT_MAPPING];
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_int_equal(load(AT, unit, MAP_WRITE | MAP_LARGE | odd[i]), ERR_INVAL);
    }
    assert_int_equal(load(AT + ABI_PAGE, unit, MAP_READ | MAP_LARGE), ERR_INVAL);
    assert_int_equal(load(AT, unit + ABI_PAGE, MAP_READ | MAP_LARGE), ERR_INVAL);
    assert_int_equal(load(0x7fffffe00000, unit, MAP_READ | MAP_LARGE), ERR_INVAL);
    assert_int_equal(load(AT, 0, MAP_READ | MAP_LARGE), ERR_DENIED);
    assert_int_equal(load(AT, arch_pa(in) & ~(pa_t)(ABI_LARGE - 1), MAP_READ | MAP_LARGE), ERR_DENIED);
    assert_int_equal(load(AT, 1ull << 51, MAP_READ | MAP_LARGE), ERR_DENIED);
    struct appkernel *k = in->first;
    uint64_t count = k->frame_count;
    k->frame_count = (unit >> ABI_PAGE_SHIFT) + LARGE_FRAMES - 1 - k->first_frame;   // one frame has no place for bits
    assert_int_equal(load(AT, unit, MAP_WRITE | MAP_LARGE), ERR_INVAL);
    k->frame_count = count;
    struct kernel_limits none_left = k->limits;
    none_left.locked_mappings = k->held[HELD_LOCKED];
    quota_set(host_instance(), k, &none_left);
    assert_int_equal(load(AT, unit, MAP_READ | MAP_LARGE | MAP_LOCKED), ERR_LIMIT);
    assert_int_equal(in->stats->loads[OBJECT_MAPPING], loads);
    assert_true(touch(AT + 3 * ABI_PAGE, MAP_READ));
    host_shutdown();
}

// More than there are records: the clock replaces them, one referenced later than the others.
static void test_clock(void **state)
{
    (void)state;
    boot("kernels=2 spaces=4 threads=4 mappings=64 tables=64");
    const struct system_stats *stats = host_instance()->stats;
    unsigned n = 0;
    for (; stats->free_mappings > 0; n++) {
        assert_int_equal(load(AT + n * (va_t)ABI_LARGE, n == 5 ? unit2 : unit, MAP_WRITE | MAP_LARGE), ERR_OK);
    }
    assert_true(touch(AT + 5 * (va_t)ABI_LARGE + 77 * ABI_PAGE, MAP_WRITE));
    uint64_t back = stats->writebacks[OBJECT_MAPPING];
    for (unsigned i = 0; i < 20; i++, n++) {
        assert_int_equal(load(AT + n * (va_t)ABI_LARGE, unit, MAP_WRITE | MAP_LARGE), ERR_OK);
    }
    assert_int_equal(stats->writebacks[OBJECT_MAPPING], back + 20);
    // A second chance: its reference has been noted for all frames, and it is still there.
    states_are(unit2, FRAME_REFERENCED);
    assert_true(touch(AT + 5 * (va_t)ABI_LARGE, MAP_READ));
    assert_int_equal(call(SYS_mapping_unload, program, AT + 5 * (va_t)ABI_LARGE, ABI_PAGE, 0), ERR_OK);
    states_are(unit2, FRAME_MODIFIED);             // the TLB had it: nothing was referenced again
    states_are(unit, 0);
    host_shutdown();
}

// Each in a GiB of its own, each holding tables: these are replaced too, and a lock does not keep them.
static void test_tables(void **state)
{
    (void)state;
    boot("kernels=2 spaces=4 threads=4 mappings=256 tables=48");
    const struct system_stats *stats = host_instance()->stats;
    oid_t other = space_make();
    uint64_t again = stats->again;
    assert_int_equal(load(AT + ABI_PAGE, frames(1), MAP_READ), ERR_OK);
    for (uint64_t i = 0; i < 200; i++) {
        oid_t s = i % 2 ? program : other;
        assert_int_equal(call(SYS_mapping_load, s, i << 30, unit, MAP_WRITE | MAP_LARGE | (i % 5 ? 0 : MAP_LOCKED)),
                         ERR_OK);
        // More of one table than go in a step.
        for (uint64_t j = 1; i % 50 == 0 && j < 20; j++) {
            assert_int_equal(call(SYS_mapping_load, s, (i << 30) + j * ABI_LARGE, unit, MAP_READ | MAP_LARGE), ERR_OK);
        }
    }
    assert_int_equal(stats->again, again);
    // And small ones push them out in turn.
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(load((i << 39 | (i & 511) << 30) & ~(1ull << 46), unit, MAP_READ), ERR_OK);
    }
    assert_int_equal(stats->again, again);
    // The first kernel's own memory, mapped by large mappings, is where it was.
    assert_int_equal(call(SYS_space_unload, other, 0, 0, 0), ERR_OK);
    assert_int_equal(call(SYS_space_unload, program, 0, 0, 0), ERR_OK);
    host_shutdown();
}

static oid_t second_kernel(void)
{
    pa_t page = frames(4), scratch = page + 3 * ABI_PAGE;
    oid_t space;

    struct space_desc s = {.rule = TRAP_NATIVE, .place = page};
    memcpy(host_at(scratch), &s, sizeof(s));
    assert_int_equal(call(SYS_space_load, ABI_WINDOW + scratch, 0, 0, 0), ERR_OK);
    space = value;
    struct kernel_desc d = {.space = space, .trap = HOST_TRAP, .fault = HOST_FAULT, .exception = HOST_EXCEPTION,
                            .place = page + 64, .channel = page + ABI_PAGE, .frame_states = page + 2 * ABI_PAGE,
                            .first_frame = unit >> ABI_PAGE_SHIFT, .frame_count = LARGE_FRAMES,
                            .limits = {8, 0, 0, 8}};
    memcpy(host_at(scratch), &d, sizeof(d));
    assert_int_equal(call(SYS_kernel_load, ABI_WINDOW + scratch, 0, 0, 0), ERR_OK);
    return value;
}

// Without the rights to any one of the four groups that it lies in, a large mapping goes.
static void test_narrowing(void **state)
{
    (void)state;
    boot("");
    struct instance *in = host_instance();
    oid_t second = second_kernel();
    struct appkernel *k = kernel_find(in, second);
    uint64_t group = unit >> ABI_GROUP_SHIFT;
    struct leaf leaf;
    for (unsigned lock = 0; lock < 2; lock++) {
        for (uint64_t g = 0; g < 4; g++) {
            for (uint32_t to = GROUP_NONE; to <= GROUP_READ; to++) {
                assert_int_equal(call(SYS_kernel_grant, second, group, 4, GROUP_WRITE), ERR_OK);
                struct cpu *cpu = host_enter(0);
                instance_lock(cpu);
                assert_int_equal(mapping_load(cpu, k, k->space, AT, unit,
                                              MAP_WRITE | MAP_LARGE | (lock ? MAP_LOCKED : 0), NULL), ERR_OK);
                assert_int_equal(mapping_load(cpu, k, k->space, AT + ABI_LARGE, unit, MAP_READ | MAP_LARGE, NULL),
                                 ERR_OK);
                instance_unlock(cpu);
                assert_int_equal(call(SYS_kernel_grant, second, group + g, 1, to), ERR_OK);
                assert_int_equal(k->held[HELD_LOCKED], 0);
                bool readable = table_find(in, k->space, AT + ABI_LARGE, 1, &leaf) && arch_pte_present(*leaf.pte);
                assert_int_equal(readable, to == GROUP_READ);
                assert_false(table_find(in, k->space, AT, 1, &leaf) && arch_pte_present(*leaf.pte));
            }
        }
    }
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),    cmocka_unit_test(test_bits_at_edges), cmocka_unit_test(test_protect),
        cmocka_unit_test(test_conflicts), cmocka_unit_test(test_refused),     cmocka_unit_test(test_clock),
        cmocka_unit_test(test_tables),  cmocka_unit_test(test_narrowing),
    };
    return cmocka_run_group_tests_name("kernel_large", tests, NULL, NULL);
}
