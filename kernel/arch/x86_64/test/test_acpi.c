// test_acpi.c - ACPI tables: whole ones, cut ones, and ones with random bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "acpi_tables.h"

enum { MOST = 4096 };

struct builder {
    uint8_t p[MOST];
    size_t  n;
};

static void put(struct builder *b, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        b->p[b->n++] = (uint8_t)(value >> 8 * i);
    }
}

static void begin(struct builder *b, const char *signature)
{
    memset(b, 0, sizeof(*b));
    memcpy(b->p, signature, 4);
    b->n = ACPI_HEADER;
}

static void finish(struct builder *b)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < 4; i++) {
        b->p[4 + i] = (uint8_t)(b->n >> 8 * i);
    }
    b->p[9] = 0;
    for (size_t i = 0; i < b->n; i++) {
        sum = (uint8_t)(sum + b->p[i]);
    }
    b->p[9] = (uint8_t)-sum;
}

static void put_cpu(struct builder *b, uint8_t apic_id, uint32_t flags)
{
    put(b, 0, 1);
    put(b, 8, 1);
    put(b, apic_id, 1);
    put(b, apic_id, 1);
    put(b, flags, 4);
}

static void make_madt(struct builder *b)
{
    begin(b, "APIC");
    put(b, 0xfee00000, 4);
    put(b, 1, 4);
    for (uint8_t i = 0; i < 4; i++) {
        put_cpu(b, (uint8_t)(i * 2), i == 3 ? 0 : 1);          // the last one is not enabled
    }
    put(b, 1, 1);                                              // IOAPIC
    put(b, 12, 1);
    put(b, 0, 2);
    put(b, 0xfec00000, 4);
    put(b, 0, 4);
    put(b, 2, 1);                                              // ISA 4 is global 17, low, level
    put(b, 10, 1);
    put(b, 0, 1);
    put(b, 4, 1);
    put(b, 17, 4);
    put(b, 0xf, 2);
    put(b, 9, 1);                                              // x2APIC 300
    put(b, 16, 1);
    put(b, 0, 2);
    put(b, 300, 4);
    put(b, 1, 4);
    put(b, 9, 4);
    put(b, 9, 1);                                              // x2APIC 2: named before
    put(b, 16, 1);
    put(b, 0, 2);
    put(b, 2, 4);
    put(b, 1, 4);
    put(b, 9, 4);
    finish(b);
}

static void put_memory(struct builder *b, uint32_t domain, uint64_t base, uint64_t length, uint32_t flags)
{
    put(b, 1, 1);
    put(b, 40, 1);
    put(b, domain, 4);
    put(b, 0, 2);
    put(b, base, 8);
    put(b, length, 8);
    put(b, 0, 4);
    put(b, flags, 4);
    put(b, 0, 8);
}

static void make_srat(struct builder *b)
{
    begin(b, "SRAT");
    put(b, 1, 4);
    put(b, 0, 8);
    put(b, 0, 1);                                              // APIC 2 in domain 0x010203 05
    put(b, 16, 1);
    put(b, 5, 1);
    put(b, 2, 1);
    put(b, 1, 4);
    put(b, 0, 1);
    put(b, 0x010203, 3);
    put(b, 0, 4);
    put(b, 2, 1);                                              // x2APIC 300 in domain 7
    put(b, 24, 1);
    put(b, 0, 2);
    put(b, 7, 4);
    put(b, 300, 4);
    put(b, 1, 4);
    put(b, 0, 8);
    put_memory(b, 0, 0, 0xa0000, 1);
    put_memory(b, 7, 0x100000000, 0x10000000, 1);
    put_memory(b, 9, 0, 0, 0);                                 // as QEMU ends the table
    put_memory(b, 9, 0xfffffffffffff000, 0x10000, 1);          // wraps
    finish(b);
}

static void make_fadt(struct builder *b)
{
    begin(b, "FACP");
    b->n = 148;
    b->p[40] = 0x34;
    b->p[41] = 0x12;
    b->p[64] = 0x04;
    b->p[65] = 0x06;
    b->p[76] = 0x08;
    b->p[77] = 0x06;
    b->p[108] = 0x32;
    b->p[113] = 1;
    finish(b);
}

static void make_dsdt(struct builder *b, const char *aml, size_t n)
{
    begin(b, "DSDT");
    put(b, 0x5b5b5b5b, 4);
    memcpy(b->p + b->n, aml, n);
    b->n += n;
    finish(b);
}

static void madt(void **state)
{
    struct builder b;
    struct acpi_facts f;

    (void)state;
    make_madt(&b);
    assert_true(acpi_table_ok(b.p, b.n, "APIC"));
    assert_false(acpi_table_ok(b.p, b.n, "SRAT"));
    assert_int_equal(acpi_table_length(b.p), b.n);
    acpi_facts_init(&f);
    acpi_madt_read(&f, (struct bytes){b.p, b.n});
    assert_int_equal(f.cpus, 4);
    assert_int_equal(f.apic_id[1], 2);
    assert_int_equal(f.apic_id[3], 300);
    assert_int_equal(f.ioapics, 1);
    assert_int_equal(f.ioapic[0].base, 0xfec00000);
    assert_int_equal(f.isa_gsi[4], 17);
    assert_int_equal(f.isa_flags[4], 0xf);
    assert_int_equal(f.isa_gsi[3], 3);
    b.p[50]++;
    assert_false(acpi_table_ok(b.p, b.n, "APIC"));
}

static void madt_of_many(void **state)
{
    struct builder b;
    struct acpi_facts f;

    (void)state;
    begin(&b, "APIC");
    put(&b, 0, 8);
    for (uint32_t i = 0; i < 100; i++) {
        put_cpu(&b, (uint8_t)i, 1);
    }
    finish(&b);
    acpi_facts_init(&f);
    acpi_madt_read(&f, (struct bytes){b.p, b.n});
    assert_int_equal(f.cpus, ABI_MAX_CPUS);
    assert_int_equal(f.cpus_left_out, 100 - ABI_MAX_CPUS);
}

static void srat_and_slit(void **state)
{
    struct builder b;
    struct acpi_facts f;

    (void)state;
    acpi_facts_init(&f);
    make_madt(&b);
    acpi_madt_read(&f, (struct bytes){b.p, b.n});
    make_srat(&b);
    acpi_srat_read(&f, (struct bytes){b.p, b.n});
    assert_int_equal(f.cpu_domain[0], 0);
    assert_int_equal(f.cpu_domain[1], 0x01020305);
    assert_int_equal(f.cpu_domain[3], 7);
    assert_int_equal(f.memories, 2);
    assert_int_equal(f.memory[1].base, 0x100000000);
    assert_int_equal(f.memory[1].domain, 7);
    begin(&b, "SLIT");
    put(&b, 2, 8);
    put(&b, 10, 1);
    put(&b, 21, 1);
    put(&b, 22, 1);
    put(&b, 10, 1);
    finish(&b);
    acpi_slit_read(&f, (struct bytes){b.p, b.n});
    assert_int_equal(f.distances, 2);
    assert_int_equal(f.distance[0][1], 21);
    assert_int_equal(f.distance[1][0], 22);
    f.distances = 0;
    acpi_slit_read(&f, (struct bytes){b.p, b.n - 1});                          // the matrix is cut
    assert_int_equal(f.distances, 0);
    memset(b.p + ACPI_HEADER, 0xff, 8);
    acpi_slit_read(&f, (struct bytes){b.p, b.n});
    assert_int_equal(f.distances, 0);
}

static void fadt_and_dsdt(void **state)
{
    struct builder b;
    struct acpi_facts f;

    (void)state;
    acpi_facts_init(&f);
    make_fadt(&b);
    acpi_fadt_read(&f, (struct bytes){b.p, b.n});
    assert_int_equal(f.dsdt, 0x1234);
    assert_int_equal(f.pm1a, 0x604);
    assert_int_equal(f.pm1b, 0);
    assert_int_equal(f.pm_timer, 0x608);
    assert_true(f.pm_timer_32);
    assert_int_equal(f.century, 0x32);
    make_dsdt(&b, "\x08_S5_\x12\x06\x04\x0a\x05\x01\x00\x00", 13);
    acpi_dsdt_read(&f, (struct bytes){b.p, b.n});
    assert_true(f.has_s5);
    assert_int_equal(f.s5_a, 5);
    assert_int_equal(f.s5_b, 1);
    f.has_s5 = false;
    make_dsdt(&b, "_S5_\x12\x06\x04\x0a\x09\x01\x00\x00", 12); // no such sleep type
    acpi_dsdt_read(&f, (struct bytes){b.p, b.n});
    assert_false(f.has_s5);
    make_dsdt(&b, "_S5_\x12\xc6\x04", 7);                      // cut within the package
    acpi_dsdt_read(&f, (struct bytes){b.p, b.n});
    assert_false(f.has_s5);
}

static void root(void **state)
{
    uint8_t p[36] = "RSD PTR ";
    pa_t list;
    bool wide;

    (void)state;
    p[16] = 0x10;
    for (unsigned i = 0; i < 20; i++) {
        p[8] = (uint8_t)(p[8] - (i == 8 ? 0 : p[i]));
    }
    assert_true(acpi_root_read(p, 20, &list, &wide));
    assert_int_equal(list, 0x10);
    assert_false(wide);
    assert_false(acpi_root_read(p, 19, &list, &wide));
    p[8]++;
    assert_false(acpi_root_read(p, 20, &list, &wide));
    p[8]--;
    p[8] = (uint8_t)(p[8] - 2);
    p[15] = 2;
    p[20] = 36;
    p[24] = 0x77;
    p[32] = (uint8_t)-(36 + 0x77);
    assert_true(acpi_root_read(p, 36, &list, &wide));
    assert_true(wide);
    assert_int_equal(list, 0x77);
    assert_true(acpi_root_read(p, 20, &list, &wide));          // only the old part is there
    assert_false(wide);
}

// Any bytes, in memory of exactly that size: nothing outside may be read, and what comes out is within
// bounds.
static void random_bytes(void **state)
{
    struct builder b;
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        switch (round % 4) {
        case 0: make_madt(&b); break;
        case 1: make_srat(&b); break;
        case 2: make_fadt(&b); break;
        default: make_dsdt(&b, "\x08_S5_\x12\x06\x04\x0a\x05\x01\x00\x00", 13); break;
        }
        size_t n = (size_t)rand_r(&seed) % (b.n + 1);
        for (int i = rand_r(&seed) % 8; i > 0 && n > 0; i--) {
            b.p[(size_t)rand_r(&seed) % n] = (uint8_t)rand_r(&seed);
        }
        uint8_t *p = malloc(n == 0 ? 1 : n);
        memcpy(p, b.p, n);
        struct acpi_facts f;
        pa_t list;
        bool wide;
        acpi_facts_init(&f);
        acpi_madt_read(&f, (struct bytes){p, n});
        acpi_srat_read(&f, (struct bytes){p, n});
        acpi_slit_read(&f, (struct bytes){p, n});
        acpi_hpet_read(&f, (struct bytes){p, n});
        acpi_fadt_read(&f, (struct bytes){p, n});
        acpi_dsdt_read(&f, (struct bytes){p, n});
        (void)acpi_root_read(p, n, &list, &wide);
        for (unsigned i = 0; i < 2000; i += 100) {
            (void)acpi_list_entry(p, n, round & 1, i);
        }
        assert_true(f.cpus <= ABI_MAX_CPUS && f.ioapics <= ACPI_IOAPICS && f.memories <= ACPI_RANGES);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(madt),          cmocka_unit_test(madt_of_many), cmocka_unit_test(srat_and_slit),
        cmocka_unit_test(fadt_and_dsdt), cmocka_unit_test(root),         cmocka_unit_test(random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
