// test_memmap.c - memory ranges of firmware, and what loaders leave.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader.h"
#include "memmap.h"

#define LIMIT (512ull << 30)

static struct memmap map;
static struct acpi_facts facts;
static struct boot_info info;
static const uint32_t order[ABI_MAX_CPUS] = {0, 1, 2, 3};

static uint64_t length_of(unsigned i)
{
    return info.usable.r[i].end - info.usable.r[i].base;
}

static int fresh(void **state)
{
    (void)state;
    memset(&map, 0, sizeof(map));
    memset(&info, 0, sizeof(info));
    acpi_facts_init(&facts);
    info.cpus = 2;
    return 0;
}

static void sorted_and_aligned(void **state)
{
    (void)state;
    memmap_add(&map, 0x100000000, 0x40000000, true);
    memmap_add(&map, 0x100000, 0x7ff00800, true);
    memmap_add(&map, 0, 0x9fc00, true);
    memmap_add(&map, 0x9fc00, 0x400, false);
    memmap_add(&map, 0x7000000000000, 0x1000000, true);            // beyond the limit
    assert_int_equal(memmap_build(&info, &map, &facts, order, LIMIT), 0);
    assert_int_equal(info.usable.count, 3);
    assert_int_equal(length_of(0), 0x9f000);
    assert_int_equal(info.usable.r[1].base, 0x100000);
    assert_int_equal(length_of(1), 0x7ff00000);
    assert_int_equal(info.usable.r[2].base, 0x100000000);
    assert_int_equal(info.clusters, 1);
    assert_int_equal(info.distance[0][0], 10);
}

static void reserved_wins(void **state)
{
    (void)state;
    memmap_add(&map, 0x200000, 0x1000, false);
    memmap_add(&map, 0x100000, 0x300000, true);
    memmap_add(&map, 0x180000, 0x100000, true);                    // said twice
    assert_int_equal(memmap_build(&info, &map, &facts, order, LIMIT), 0);
    assert_int_equal(info.usable.count, 2);
    assert_int_equal(length_of(0), 0x100000);
    assert_int_equal(info.usable.r[1].base, 0x201000);
    assert_int_equal(length_of(1), 0x1ff000);
}

static void split_at_clusters(void **state)
{
    (void)state;
    facts.cpu_domain[0] = 8;
    facts.cpu_domain[1] = 1;
    facts.memories = 2;
    facts.memory[0] = (struct acpi_memory){0, 0x10000000, 1};
    facts.memory[1] = (struct acpi_memory){0x10000000, 0x10000000, 8};
    facts.distances = 9;
    facts.distance[1][8] = 42;
    memmap_add(&map, 0x100000, 0x1ff00000, true);
    assert_int_equal(memmap_build(&info, &map, &facts, order, LIMIT), 0);
    assert_int_equal(info.clusters, 2);
    assert_int_equal(info.usable.count, 2);
    assert_int_equal(length_of(0), 0xff00000);
    assert_int_equal(info.usable.r[0].cluster, 0);
    assert_int_equal(info.usable.r[1].cluster, 1);
    assert_int_equal(info.cluster_of[0], 1);
    assert_int_equal(info.cluster_of[1], 0);
    assert_int_equal(info.distance[0][1], 42);
}

static void too_many(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        memmap_add(&map, i << 24, (1 + i) << 12, true);
    }
    assert_int_equal(memmap_build(&info, &map, &facts, order, LIMIT), 100 - BOOT_RANGES);
    assert_int_equal(info.usable.count, BOOT_RANGES);
    assert_int_equal(info.usable.r[0].base, 36ull << 24);            // the smallest are gone
}

static pa_t take(uint64_t size, uint64_t align, pa_t low, pa_t high)
{
    return ranges_take(&info.free, size, align, low, high);
}

static void taking(void **state)
{
    (void)state;
    memmap_add(&map, 0, 0xa0000, true);
    memmap_add(&map, 0x100000, 0xf00000, true);
    assert_int_equal(memmap_build(&info, &map, &facts, order, LIMIT), 0);
    ranges_subtract(&info.free, 0x9e000, 0x9f000);
    ranges_subtract(&info.free, 0xfff000, 0x1000000);
    assert_int_equal(info.free.count, 3);
    assert_int_equal(take(0x2000, 0x1000, 0x9d000, 0xa0000), 0);       // two pages, but not in a row
    assert_int_equal(take(0x1000, 0x1000, 0x1000, 0xa0000), 0x9f000);
    assert_int_equal(take(0x1000, 0x1000, 0x1000, 0xa0000), 0x9d000);
    assert_int_equal(take(0x200000, 0x200000, 0, LIMIT), 0xc00000);    // what is left above it goes first
    assert_int_equal(take(0x10000, 0x1000, 0, LIMIT), 0xfef000);
    assert_int_equal(take(0x1000, 0x1000, 0x500000, 0x600800), 0x5ff000);
    assert_int_equal(take(0x600000, 0x1000, 0, LIMIT), 0x600000);
    assert_int_equal(take(0x600000, 0x1000, 0, LIMIT), 0);
    assert_int_equal(take(0x4ff000, 0x1000, 0, LIMIT), 0x100000);
    assert_int_equal(info.usable.count, 2);                        // it stays what it is
    for (uint32_t i = 0; i < info.free.count; i++) {
        assert_true(info.free.r[i].base < info.free.r[i].end);
        assert_true(i == 0 || info.free.r[i - 1].end <= info.free.r[i].base);
    }
}

// A full list loses what it has no room for, and says so; it never has what was taken away.
static void full(void **state)
{
    static struct ranges l;

    (void)state;
    for (uint64_t i = 0; i <= RANGES_MOST; i++) {
        ranges_add(&l, i << 20, (i << 20) + 0x10000);
    }
    assert_int_equal(l.count, RANGES_MOST);
    assert_int_equal(l.left_out, 1);
    ranges_subtract(&l, 0x4000, 0x5000);
    assert_int_equal(l.count, RANGES_MOST);
    assert_int_equal(l.r[0].end, 0x4000);
    assert_int_equal(l.left_out, 2);
}

// Against a plain model: a page is usable if some entry says so and none denies it.
static void random_maps(void **state)
{
    enum { PAGES = 256 };
    unsigned seed = 7;

    for (int round = 0; round < 3000; round++) {
        int8_t model[PAGES] = {0};
        fresh(state);
        for (int i = rand_r(&seed) % 40; i > 0; i--) {
            unsigned from = (unsigned)rand_r(&seed) % PAGES, n = 1 + (unsigned)rand_r(&seed) % 20;
            bool usable = rand_r(&seed) % 3 != 0;
            n = from + n > PAGES ? PAGES - from : n;
            memmap_add(&map, from * 4096ull, n * 4096ull, usable);
            for (unsigned p = from; p < from + n; p++) {
                model[p] = !usable || model[p] == -1 ? -1 : 1;
            }
        }
        facts.memories = (uint32_t)(rand_r(&seed) % 4);
        for (uint32_t i = 0; i < facts.memories; i++) {
            uint64_t base = (uint64_t)(rand_r(&seed) % (PAGES * 4096));
            facts.memory[i] = (struct acpi_memory){base, 1 + (uint64_t)(rand_r(&seed) % 300000), i};
        }
        assert_int_equal(memmap_build(&info, &map, &facts, order, LIMIT), 0);
        for (uint32_t i = 0; i < info.usable.count; i++) {
            assert_true(i == 0 || info.usable.r[i - 1].end <= info.usable.r[i].base);
            assert_true(info.usable.r[i].cluster < info.clusters);
            for (pa_t p = info.usable.r[i].base; p < info.usable.r[i].end; p += 4096) {
                assert_int_equal(model[p / 4096], 1);
                model[p / 4096] = 2;
            }
        }
        for (unsigned p = 0; facts.memories == 0 && p < PAGES; p++) {
            assert_int_not_equal(model[p], 1);                     // nothing is forgotten
        }
    }
}

// ---- loaders ----------------------------------------------------------------------------------------------

static uint8_t memory[65536] __attribute__((aligned(4096)));
static void *at(pa_t pa)
{
    assert_true(pa < sizeof(memory));
    return memory + pa;
}

static size_t tag(size_t n, uint32_t type, const void *data, uint32_t size)
{
    uint32_t head[2] = {type, size + 8};

    memcpy(memory + n, head, 8);
    memcpy(memory + n + 8, data, size);
    return n + ((size + 8 + 7) & ~7u);
}

static size_t make_multiboot(void)
{
    static const uint64_t entries[] = {0, 0x9f000, 1, 0x9f000, 0x1000, 2, 0x100000, 0x700000, 1};
    uint8_t data[256];
    uint32_t head[2] = {24, 0}, module[2] = {0x5000, 0x5100};
    size_t n = 8;

    memset(memory, 0, sizeof(memory));
    n = tag(n, 1, "kernels=4 x", 12);
    memcpy(data, module, 8);
    memcpy(data + 8, "archive", 8);
    n = tag(n, 3, data, 16);
    memcpy(data, head, 8);
    memcpy(data + 8, entries, sizeof(entries));
    n = tag(n, 6, data, 8 + sizeof(entries));
    n = tag(n, 15, "RSD PTR 0123456789012345678901234567", 36);
    n = tag(n, 14, "RSD PTR old.........", 20);
    n = tag(n, 0, "", 0);
    *(uint32_t *)memory = (uint32_t)n;
    return n;
}

static void multiboot(void **state)
{
    static struct loader l;

    (void)state;
    make_multiboot();
    assert_null(loader_read(&l, LOADER_MULTIBOOT2, 0, at));
    assert_string_equal(l.cmdline, "kernels=4 x");
    assert_int_equal(l.archive, 0x5000);
    assert_int_equal(l.archive_length, 0x100);
    assert_int_equal(l.map.usable.count, 2);
    assert_int_equal(l.map.other.count, 1);
    assert_int_equal(l.map.other.r[0].base, 0x9f000);
    assert_int_equal(l.rsdp_length, 36);
    *(uint32_t *)memory = 4;
    assert_non_null(loader_read(&l, LOADER_MULTIBOOT2, 0, at));
}

static void multiboot_random(void **state)
{
    static struct loader l;
    unsigned seed = 3;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = make_multiboot();
        for (int i = rand_r(&seed) % 6; i > 0; i--) {
            memory[4 + (size_t)rand_r(&seed) % (n - 4)] = (uint8_t)rand_r(&seed);
        }
        (void)loader_read(&l, LOADER_MULTIBOOT2, 0, at);
        assert_true(l.map.usable.count <= RANGES_MOST && l.rsdp_length <= 36);
        assert_true(strnlen(l.cmdline, sizeof(l.cmdline)) < sizeof(l.cmdline));
    }
}

static void pvh(void **state)
{
    static struct loader l;
    uint32_t head[] = {0x336ec578, 1, 0, 1};
    uint64_t rest[] = {0x100, 0x200, 0x300, 0x400, 2};
    uint64_t module[] = {0x6000, 0x1234, 0, 0}, entries[] = {0, 0x9f000, 1, 0x9f000, 0x1000, 2};

    (void)state;
    memset(memory, 0, sizeof(memory));
    memcpy(memory, head, 16);
    memcpy(memory + 16, rest, 40);
    memcpy(memory + 0x100, module, 32);
    memset(memory + 0x200, 'x', 5000);                             // longer than there is room for
    memcpy(memory + 0x400 + 5000, entries, 48);
    *(uint64_t *)(memory + 40) = 0x400 + 5000;
    assert_null(loader_read(&l, LOADER_PVH, 0, at));
    assert_int_equal(strlen(l.cmdline), SYSTEM_CMDLINE - 1);
    assert_int_equal(l.archive, 0x6000);
    assert_int_equal(l.archive_length, 0x1234);
    assert_int_equal(l.rsdp_at, 0x300);
    assert_int_equal(l.map.usable.count, 1);
    memory[4] = 0;                                                 // version 0 has no memory map
    assert_non_null(loader_read(&l, LOADER_PVH, 0, at));
    memory[0] = 0;
    assert_non_null(loader_read(&l, LOADER_PVH, 0, at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sorted_and_aligned, fresh), cmocka_unit_test_setup(reserved_wins, fresh),
        cmocka_unit_test_setup(split_at_clusters, fresh),  cmocka_unit_test_setup(too_many, fresh),
        cmocka_unit_test_setup(taking, fresh),             cmocka_unit_test(random_maps),
        cmocka_unit_test(full),
        cmocka_unit_test(multiboot),                       cmocka_unit_test(multiboot_random),
        cmocka_unit_test(pvh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
