// test_quota.c - the minimum and the maximum of descriptors on the host machine.
//
// k[0] is the first kernel, k[1] keeps a few descriptors of each type, k[2] loads more of everything than there is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "two_kernels.h"

enum { SPACES = 2, THREADS = 3, MAPPINGS = 32, MANY = 30, ALL = 3 };

#define TINY "kernels=4 spaces=8 threads=10 mappings=128 slice=500"

static struct test_kernel k[ALL];
static oid_t space[ALL];                           // of programs: the last one loaded
static struct place *place[ALL][MANY];
static struct thread_state *state[ALL][MANY];
static const struct kernel_limits none = {.max_priority = 20};

static const struct kernel_limits sure = {
    .max_priority = 20,
    .range = {[OBJECT_SPACE] = {SPACES, 0}, [OBJECT_THREAD] = {THREADS, 0}, [OBJECT_MAPPING] = {MAPPINGS, 0}}};

static struct appkernel *kern(unsigned n)
{
    return kernel_find(host_instance(), k[n].id);
}

static void boot(const struct kernel_limits *l1, const struct kernel_limits *l2)
{
    struct kernel_limits l[ALL] = {{0}, *l1, *l2};

    kernels_boot(TINY, k, ALL, l);
}

static void load_spaces(unsigned n, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pa_t page = kernel_pages(&k[n], 1);
        struct space_desc s = {.rule = TRAP_FORWARD, .place = page};
        assert_int_equal(kernel_load(&k[n], SYS_space_load, &s, sizeof(s), &space[n]), ERR_OK);
        place[n][i] = host_at(page);
    }
}

static void load_threads(unsigned n, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pa_t page = kernel_pages(&k[n], 1);
        struct thread_desc t = {.space = space[n], .priority = 1, .state = page, .state_va = ABI_WINDOW + page,
                                .xstack = ABI_WINDOW + page + ABI_PAGE};
        oid_t id;
        state[n][i] = host_at(page);
        state[n][i]->frame[0].rip = HOST_TEXT;
        assert_int_equal(kernel_load(&k[n], SYS_thread_load, &t, sizeof(t), &id), ERR_OK);
    }
}

static int64_t map(unsigned n, va_t va, pa_t pa, uint64_t flags)
{
    uint64_t a[6] = {space[n], va, pa, flags};

    return kernel_call(&k[n], SYS_mapping_load, a, NULL);
}

static void load_mappings(unsigned n, unsigned count, va_t stride)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(map(n, ABI_LARGE + i * stride, k[n].memory + i % 512 * (pa_t)ABI_PAGE, MAP_READ), ERR_OK);
        assert_true(kern(n)->held[OBJECT_MAPPING] <= kern(n)->limits.range[OBJECT_MAPPING].most);
    }
}

static unsigned spaces_loaded(unsigned n, unsigned of)
{
    unsigned count = 0;

    for (unsigned i = 0; i < of; i++) {
        count += place[n][i]->loaded;
    }
    return count;
}

static unsigned threads_loaded(unsigned n, unsigned of)
{
    unsigned count = 0;

    for (unsigned i = 0; i < of; i++) {
        count += state[n][i]->loaded;
    }
    return count;
}

static uint64_t mappings_loaded(unsigned n)
{
    uint64_t a[6] = {space[n], 0, ABI_USER_END}, count = 0;

    assert_int_equal(kernel_call(&k[n], SYS_mapping_unload, a, &count), ERR_OK);
    return count;
}

// What was loaded is not fresh any more, and has been run in: only its minimum protects it.
static void grow_old(void)
{
    struct instance *in = host_instance();

    host_advance(in->slice + 1);
    for (uint32_t i = 0; i < in->spaces.size; i++) {
        space_at(in, i)->loader = NULL;
    }
}

// Everything that the thrasher can do, beside a keeper.
static void thrash(void)
{
    load_spaces(1, SPACES);
    load_threads(1, THREADS);
    load_mappings(1, MAPPINGS, ABI_PAGE);
    grow_old();
    load_spaces(2, MANY);
    load_threads(2, MANY);
    load_mappings(2, 400, ABI_PAGE);
    load_mappings(2, 200, 1 << 30);                                    // a leaf table and the one above it for each
    for (unsigned i = 0; i < 300; i++) {                               // more than a bucket has ways
        assert_int_equal(map(2, 0x40000000 + i * (va_t)ABI_PAGE, k[2].memory, MAP_READ), ERR_OK);
    }
}

static void test_least(void **unused)
{
    const struct system_stats *stats;

    (void)unused;
    boot(&sure, &none);
    thrash();
    stats = host_instance()->stats;
    assert_int_equal(spaces_loaded(1, SPACES), SPACES);
    assert_int_equal(threads_loaded(1, THREADS), THREADS);
    assert_true(spaces_loaded(2, MANY) < MANY && threads_loaded(2, MANY) < MANY);
    assert_true(stats->writebacks[OBJECT_SPACE] > 0 && stats->writebacks[OBJECT_THREAD] > 0);
    assert_true(stats->writebacks[OBJECT_MAPPING] > 400);
    assert_int_equal(mappings_loaded(1), MAPPINGS);
    host_shutdown();
    // The same without a minimum: something of each type goes.
    boot(&none, &none);
    thrash();
    assert_true(spaces_loaded(1, SPACES) < SPACES);
    assert_true(threads_loaded(1, THREADS) < THREADS);
    host_shutdown();
}

// With spaces that are safe, the mappings alone are not.
static void test_least_of_one_type(void **unused)
{
    struct kernel_limits l = sure;

    (void)unused;
    l.range[OBJECT_MAPPING].least = 0;
    boot(&l, &none);
    thrash();
    assert_int_equal(spaces_loaded(1, SPACES), SPACES);
    assert_true(mappings_loaded(1) < MAPPINGS);
    host_shutdown();
}

// What is above the minimum may go, down to it and no further; and a kernel that fills its minimum gets it.
static void test_down_to_it(void **unused)
{
    struct kernel_limits l = sure;

    (void)unused;
    l.range[OBJECT_MAPPING] = (struct kernel_range){16, 0};
    boot(&l, &none);
    load_spaces(1, SPACES + 2);
    load_mappings(1, 100, ABI_PAGE);
    grow_old();
    load_spaces(2, MANY);
    load_mappings(2, 400, ABI_PAGE);
    assert_int_equal(kern(1)->held[OBJECT_SPACE], SPACES);
    assert_true(kern(1)->held[OBJECT_MAPPING] <= 16);                  // its space may have gone, and all with it
    load_spaces(1, SPACES);
    load_mappings(1, 16, ABI_PAGE);
    load_spaces(2, MANY);
    load_mappings(2, 400, ABI_PAGE);
    assert_int_equal(spaces_loaded(1, SPACES), SPACES);
    assert_int_equal(mappings_loaded(1), 16);
    host_shutdown();
}

// A bucket of the physical-to-virtual map that is full of one kernel's records takes those first, if another's are its
// minimum: the older ones, which would go else.
static void test_crowded(void **unused)
{
    (void)unused;
    for (unsigned least = 0; least < 2; least++) {
        struct kernel_limits l = {.range = {[OBJECT_MAPPING] = {least, 0}}};
        struct kernel_limits all[ALL] = {{0}, l, {0}};
        kernels_boot("kernels=4 spaces=8 threads=10 mappings=1024 slice=500", k, ALL, all);
        uint64_t grant[6] = {k[2].id, k[1].memory >> ABI_GROUP_SHIFT, 4, GROUP_READ};
        assert_int_equal(kernel_call(&k[0], SYS_kernel_grant, grant, NULL), ERR_OK);
        load_spaces(1, 1);
        load_spaces(2, 1);
        assert_int_equal(map(1, 0x5000, k[1].memory + 0x5000, MAP_READ), ERR_OK);
        for (unsigned i = 0; i < 200; i++) {
            assert_int_equal(map(2, 0x40000000 + i * (va_t)ABI_PAGE, k[1].memory + 0x5000, MAP_READ), ERR_OK);
        }
        assert_int_equal(mappings_loaded(1), least);
        host_shutdown();
    }
}

// A kernel at its maximum evicts its own, though slots are free; nobody else loses anything.
static void test_most(void **unused)
{
    struct kernel_limits l = {
        .max_priority = 20, .range = {[OBJECT_SPACE] = {0, 2}, [OBJECT_THREAD] = {0, 3}, [OBJECT_MAPPING] = {0, 48}}};

    (void)unused;
    boot(&none, &l);
    const struct system_stats *stats = host_instance()->stats;
    load_spaces(1, SPACES);
    load_threads(1, 2);
    load_mappings(1, MAPPINGS, ABI_PAGE);
    load_spaces(2, 5);
    assert_int_equal(kern(2)->held[OBJECT_SPACE], 2);
    assert_int_equal(spaces_loaded(2, 5), 2);
    assert_true(stats->free_spaces > 0);
    load_threads(2, 8);
    assert_int_equal(threads_loaded(2, 8), 3);
    assert_true(stats->free_threads > 0);
    load_mappings(2, 200, ABI_PAGE);
    assert_int_equal(kern(2)->held[OBJECT_MAPPING], 48);
    assert_true(stats->free_mappings > 0);
    // One with a receiver is two records.
    pa_t page = kernel_pages(&k[2], 1);
    uint64_t a[6] = {k[2].space, 0x900000, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, k[2].thread};
    assert_int_equal(kernel_call(&k[2], SYS_mapping_load, a, NULL), ERR_OK);
    assert_int_equal(kern(2)->held[OBJECT_MAPPING], 48);
    assert_int_equal(mappings_loaded(2), 46);
    assert_int_equal(spaces_loaded(1, SPACES), SPACES);
    assert_int_equal(threads_loaded(1, 2), 2);
    assert_int_equal(mappings_loaded(1), MAPPINGS);
    host_shutdown();
}

// A maximum below what is loaded is reached by the next load.
static void test_lowered(void **unused)
{
    struct kernel_limits l = {.range = {[OBJECT_SPACE] = {0, 2}, [OBJECT_MAPPING] = {0, 48}}};

    (void)unused;
    boot(&none, &none);
    load_spaces(2, 4);
    load_mappings(2, 70, ABI_PAGE);
    assert_int_equal(kernel_limits(&k[2], &l), ERR_OK);
    assert_int_equal(kern(2)->held[OBJECT_SPACE], 4);
    assert_int_equal(map(2, 0x40000000, k[2].memory, MAP_READ), ERR_OK);
    assert_int_equal(kern(2)->held[OBJECT_MAPPING], 48);
    load_spaces(2, 1);
    assert_int_equal(kern(2)->held[OBJECT_SPACE], 2);
    host_shutdown();
}

static int64_t set(unsigned n, enum object_type type, uint32_t least, uint32_t most)
{
    struct kernel_limits l = {0};

    l.range[type] = (struct kernel_range){least, most};
    return kernel_limits(&k[n], &l);
}

static void test_refused(void **unused)
{
    struct kernel_limits l = {0};

    (void)unused;
    boot(&none, &none);
    // The first kernel may lock 4 spaces and 4 threads of 8 and 10; 1 and 2 are nobody's.  48 mappings are nobody's.
    assert_int_equal(set(1, OBJECT_SPACE, 4, 0), ERR_LIMIT);
    assert_int_equal(set(1, OBJECT_SPACE, ~0u, 0), ERR_LIMIT);
    assert_int_equal(set(1, OBJECT_SPACE, 3, 0), ERR_OK);
    assert_int_equal(set(2, OBJECT_SPACE, 1, 0), ERR_LIMIT);
    assert_int_equal(set(1, OBJECT_THREAD, 5, 0), ERR_LIMIT);
    assert_int_equal(kern(1)->limits.range[OBJECT_SPACE].least, 3);    // nothing has changed
    assert_int_equal(kern(2)->limits.range[OBJECT_SPACE].least, 0);
    assert_int_equal(set(1, OBJECT_THREAD, 4, 0), ERR_OK);
    assert_int_equal(set(1, OBJECT_MAPPING, 81, 0), ERR_LIMIT);
    assert_int_equal(set(1, OBJECT_MAPPING, 80, 0), ERR_OK);
    assert_int_equal(set(2, OBJECT_MAPPING, 1, 0), ERR_LIMIT);
    // What is contradictory, whatever others have.
    assert_int_equal(set(2, OBJECT_SPACE, 2, 1), ERR_INVAL);
    assert_int_equal(set(2, OBJECT_THREAD, 0, 1), ERR_INVAL);          // one may be the caller itself
    assert_int_equal(set(2, OBJECT_MAPPING, 0, 47), ERR_INVAL);
    assert_int_equal(set(2, OBJECT_KERNEL, 1, 0), ERR_INVAL);
    assert_int_equal(set(2, 0, 0, 1), ERR_INVAL);
    l.locked_spaces = 2;
    l.range[OBJECT_SPACE].most = 2;
    assert_int_equal(kernel_limits(&k[2], &l), ERR_INVAL);
    // Lock quotas are a part of the minimum.
    l = (struct kernel_limits){.locked_spaces = 2, .range = {[OBJECT_SPACE] = {3, 0}}};
    assert_int_equal(kernel_limits(&k[1], &l), ERR_OK);
    l = (struct kernel_limits){.locked_spaces = 4, .range = {[OBJECT_SPACE] = {3, 0}}};
    assert_int_equal(kernel_limits(&k[1], &l), ERR_LIMIT);
    // A load that would be too much loads nothing.
    struct kernel_desc d = k[2].desc;
    uint64_t unload[6] = {k[2].id};
    assert_int_equal(kernel_call(&k[0], SYS_kernel_unload, unload, NULL), ERR_OK);
    struct space_desc s = {.place = d.place + 64};
    oid_t id;
    assert_int_equal(kernel_load(&k[0], SYS_space_load, &s, sizeof(s), &d.space), ERR_OK);
    d.limits.range[OBJECT_SPACE].least = 1;
    assert_int_equal(kernel_load(&k[0], SYS_kernel_load, &d, sizeof(d), &id), ERR_LIMIT);
    d.limits.range[OBJECT_SPACE] = (struct kernel_range){2, 1};
    assert_int_equal(kernel_load(&k[0], SYS_kernel_load, &d, sizeof(d), &id), ERR_INVAL);
    d.limits.range[OBJECT_SPACE] = (struct kernel_range){0, 1};
    assert_int_equal(kernel_load(&k[0], SYS_kernel_load, &d, sizeof(d), &id), ERR_OK);
    host_shutdown();
}

// ---- is it really pinned? ---------------------------------------------------------------------------------

static int64_t ask(unsigned n, uint64_t type, oid_t id, va_t va)
{
    uint64_t a[6] = {type, id, va}, value;
    int64_t e = kernel_call(&k[n], SYS_pinned, a, &value);

    assert_true(value <= (e == ERR_OK));
    return e == ERR_OK ? (int64_t)value : -e;
}

static void test_pinned(void **unused)
{
    struct kernel_limits l = {.max_priority = 20, .locked_spaces = 1, .locked_threads = 1, .locked_mappings = 8};
    struct space_desc s = {.flags = LOAD_LOCKED};

    (void)unused;
    boot(&l, &none);
    assert_int_equal(ask(1, OBJECT_KERNEL, k[1].id, 0), 1);
    assert_int_equal(ask(1, OBJECT_SPACE, k[1].space, 0), 1);
    assert_int_equal(ask(1, OBJECT_THREAD, k[1].thread, 0), 1);
    assert_int_equal(ask(1, OBJECT_MAPPING, k[1].space, TEST_AT), 1);
    load_spaces(1, 1);                                                 // nothing of it is locked
    load_threads(1, 1);
    assert_int_equal(map(1, 0x5000, k[1].memory, MAP_READ), ERR_OK);
    assert_int_equal(map(1, 0x6000, k[1].memory, MAP_READ | MAP_LOCKED), ERR_OK);
    assert_int_equal(ask(1, OBJECT_SPACE, space[1], 0), 0);
    assert_int_equal(ask(1, OBJECT_MAPPING, space[1], 0x5000), 0);
    assert_int_equal(ask(1, OBJECT_MAPPING, space[1], 0x6000), 0);     // its space is not
    s.place = kernel_pages(&k[1], 1);
    assert_int_equal(kernel_load(&k[1], SYS_space_load, &s, sizeof(s), &space[1]), ERR_OK);
    assert_int_equal(map(1, 0x5000, k[1].memory, MAP_READ), ERR_OK);
    assert_int_equal(map(1, 0x6000, k[1].memory, MAP_READ | MAP_LOCKED), ERR_OK);
    assert_int_equal(ask(1, OBJECT_SPACE, space[1], 0), 1);
    assert_int_equal(ask(1, OBJECT_MAPPING, space[1], 0x5000), 0);
    assert_int_equal(ask(1, OBJECT_MAPPING, space[1], 0x6000), 1);
    // Others, and nonsense.
    assert_int_equal(ask(2, OBJECT_SPACE, space[1], 0), -ERR_DENIED);
    assert_int_equal(ask(2, OBJECT_MAPPING, space[1], 0x6000), -ERR_DENIED);
    assert_int_equal(ask(2, OBJECT_THREAD, k[1].thread, 0), -ERR_DENIED);
    assert_int_equal(ask(2, OBJECT_KERNEL, k[1].id, 0), -ERR_DENIED);
    assert_int_equal(ask(0, OBJECT_KERNEL, k[1].id, 0), 1);
    assert_int_equal(ask(1, OBJECT_MAPPING, space[1], 0x7000), -ERR_STALE);
    assert_int_equal(ask(1, OBJECT_MAPPING, space[1], 0x6001), -ERR_INVAL);
    assert_int_equal(ask(1, OBJECT_MAPPING, space[1], ABI_USER_END), -ERR_INVAL);
    assert_int_equal(ask(1, OBJECT_THREAD, space[1], 0), -ERR_STALE);
    assert_int_equal(ask(1, OBJECT_SPACE, 0, 0), -ERR_STALE);
    assert_int_equal(ask(1, 0, space[1], 0), -ERR_INVAL);
    assert_int_equal(ask(1, 5, space[1], 0), -ERR_INVAL);
    host_shutdown();
}

// A receiver's mapping needs its thread, and a sender's all receivers.
static void test_pinned_messages(void **unused)
{
    struct kernel_limits l = {.max_priority = 20, .locked_threads = 1, .locked_mappings = 8};
    uint64_t flags = MAP_READ | MAP_MESSAGE | MAP_LOCKED;

    (void)unused;
    boot(&l, &none);
    pa_t page = kernel_pages(&k[1], 1), free_page = kernel_pages(&k[1], 1);
    uint64_t send[6] = {k[1].space, 0x900000, page, flags | MAP_WRITE};
    uint64_t receive[6] = {k[1].space, 0x901000, page, flags | MAP_SIGNAL, k[1].thread};
    struct thread_desc t = {.space = k[1].space, .priority = 1, .state = free_page, .state_va = ABI_WINDOW + free_page,
                            .xstack = ABI_WINDOW + free_page};
    assert_int_equal(kernel_call(&k[1], SYS_mapping_load, send, NULL), ERR_OK);
    assert_int_equal(kernel_call(&k[1], SYS_mapping_load, receive, NULL), ERR_OK);
    assert_int_equal(ask(1, OBJECT_MAPPING, k[1].space, 0x900000), 1);
    assert_int_equal(ask(1, OBJECT_MAPPING, k[1].space, 0x901000), 1);
    ((struct thread_state *)host_at(free_page))->frame[0].rip = HOST_TEXT;
    assert_int_equal(kernel_load(&k[1], SYS_thread_load, &t, sizeof(t), &receive[4]), ERR_OK);
    assert_int_equal(ask(1, OBJECT_THREAD, receive[4], 0), 0);
    receive[1] = 0x902000;
    assert_int_equal(kernel_call(&k[1], SYS_mapping_load, receive, NULL), ERR_OK);
    assert_int_equal(ask(1, OBJECT_MAPPING, k[1].space, 0x902000), 0); // locked, but its thread is not
    assert_int_equal(ask(1, OBJECT_MAPPING, k[1].space, 0x901000), 1);
    assert_int_equal(ask(1, OBJECT_MAPPING, k[1].space, 0x900000), 0);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least),           cmocka_unit_test(test_least_of_one_type),
        cmocka_unit_test(test_down_to_it),      cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_most),            cmocka_unit_test(test_lowered),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_pinned_messages),
    };
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
