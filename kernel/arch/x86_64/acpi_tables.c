// acpi_tables.c - reading ACPI's static tables.
#include "acpi_tables.h"

#include "base.h"

// A little-endian field of 1 to 8 bytes; 0 if it is not wholly there.
static uint64_t field(struct bytes b, size_t at, size_t size)
{
    uint64_t v = 0;

    if (at > b.length || b.length - at < size) {
        return 0;
    }
    for (size_t i = size; i-- > 0;) {
        v = v << 8 | b.p[at + i];
    }
    return v;
}

static bool sum_ok(const uint8_t *p, size_t length)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return sum == 0;
}

void acpi_facts_init(struct acpi_facts *f)
{
    memset(f, 0, sizeof(*f));
    for (uint32_t i = 0; i < ACPI_ISA_IRQS; i++) {
        f->isa_gsi[i] = i;
    }
}

bool acpi_root_read(const uint8_t *p, size_t length, pa_t *list, bool *wide)
{
    struct bytes b = {p, length};

    if (length < 20 || memcmp(p, "RSD PTR ", 8) != 0 || !sum_ok(p, 20)) {
        return false;
    }
    uint64_t whole = field(b, 20, 4);
    *wide = p[15] >= 2 && whole >= 36 && whole <= length && sum_ok(p, whole) && field(b, 24, 8) != 0;
    *list = *wide ? field(b, 24, 8) : field(b, 16, 4);
    return *list != 0;
}

uint32_t acpi_table_length(const uint8_t *p)
{
    uint32_t length = (uint32_t)field((struct bytes){p, ACPI_HEADER}, 4, 4);

    return length >= ACPI_HEADER && length <= 16 << 20 ? length : 0;
}

bool acpi_table_ok(const uint8_t *p, size_t length, const char *signature)
{
    return length >= ACPI_HEADER && memcmp(p, signature, 4) == 0 && sum_ok(p, length);
}

pa_t acpi_list_entry(const uint8_t *p, size_t length, bool wide, unsigned i)
{
    size_t size = wide ? 8 : 4;

    return field((struct bytes){p, length}, ACPI_HEADER + i * size, size);
}

// ---- MADT: processors and interrupt controllers -----------------------------------------------------------

// Its place, or f->cpus if it is not there.
static uint32_t cpu_find(const struct acpi_facts *f, uint32_t apic_id)
{
    uint32_t i = 0;

    while (i < f->cpus && f->apic_id[i] != apic_id) {
        i++;
    }
    return i;
}

static void cpu_add(struct acpi_facts *f, uint32_t apic_id, uint32_t flags)
{
    if (!(flags & 1) || cpu_find(f, apic_id) < f->cpus) {
        return;                         // some firmware names a processor in both kinds of entry
    }
    if (f->cpus == ABI_MAX_CPUS) {
        f->cpus_left_out++;
    } else {
        f->apic_id[f->cpus++] = apic_id;
    }
}

// field() gives 0 for what an entry is too short for: a processor is not enabled then.
static void madt_entry(struct acpi_facts *f, struct bytes e)
{
    uint32_t number = (uint32_t)field(e, 3, 1);

    if (e.p[0] == 0 && number != 0xff) {                           // processor
        cpu_add(f, number, (uint32_t)field(e, 4, 4));
    } else if (e.p[0] == 9) {                                      // processor with a wide number
        cpu_add(f, (uint32_t)field(e, 4, 4), (uint32_t)field(e, 8, 4));
    } else if (e.p[0] == 1 && e.length >= 12 && f->ioapics < ACPI_IOAPICS) {
        f->ioapic[f->ioapics].base = field(e, 4, 4);
        f->ioapic[f->ioapics++].gsi = (uint32_t)field(e, 8, 4);
    } else if (e.p[0] == 2 && e.length >= 10 && number < ACPI_ISA_IRQS) {      // an ISA line that is wired otherwise
        f->isa_gsi[number] = (uint32_t)field(e, 4, 4);
        f->isa_flags[number] = (uint16_t)field(e, 8, 2);
    }
}

// Entries of MADT and SRAT: a type byte and a length byte each.
static void entries_read(struct acpi_facts *f, struct bytes b, size_t at,
                         void (*entry)(struct acpi_facts *, struct bytes))
{
    while (at + 2 <= b.length) {
        size_t size = b.p[at + 1];
        if (size < 2 || size > b.length - at) {
            return;
        }
        entry(f, (struct bytes){b.p + at, size});
        at += size;
    }
}

void acpi_madt_read(struct acpi_facts *f, struct bytes b)
{
    entries_read(f, b, 44, madt_entry);
}

// ---- SRAT and SLIT: what is near to what ------------------------------------------------------------------

static void cpu_place(struct acpi_facts *f, uint32_t apic_id, uint32_t domain)
{
    uint32_t i = cpu_find(f, apic_id);

    if (i < f->cpus) {
        f->cpu_domain[i] = domain;
    }
}

static void srat_entry(struct acpi_facts *f, struct bytes e)
{
    if (e.p[0] == 0 && e.length >= 16 && (field(e, 4, 4) & 1)) {
        cpu_place(f, e.p[3], (uint32_t)(e.p[2] | field(e, 9, 3) << 8));
    } else if (e.p[0] == 1 && e.length >= 32 && (field(e, 28, 4) & 1)) {
        struct acpi_memory m = {field(e, 8, 8), field(e, 16, 8), (uint32_t)field(e, 2, 4)};
        if (f->memories < ACPI_RANGES && m.length != 0 && m.base + m.length > m.base) {
            f->memory[f->memories++] = m;
        }
    } else if (e.p[0] == 2 && e.length >= 16 && (field(e, 12, 4) & 1)) {
        cpu_place(f, (uint32_t)field(e, 8, 4), (uint32_t)field(e, 4, 4));
    }
}

void acpi_srat_read(struct acpi_facts *f, struct bytes b)
{
    entries_read(f, b, 48, srat_entry);
}

void acpi_slit_read(struct acpi_facts *f, struct bytes b)
{
    uint64_t n = field(b, 36, 8);

    if (n == 0 || n > 4096 || b.length < 44 || b.length - 44 < n * n) {
        return;
    }
    f->distances = n < ACPI_DOMAINS ? (uint32_t)n : ACPI_DOMAINS;
    for (uint32_t i = 0; i < f->distances; i++) {
        for (uint32_t j = 0; j < f->distances; j++) {
            f->distance[i][j] = b.p[44 + i * n + j];
        }
    }
}

// ---- clocks and power -------------------------------------------------------------------------------------

void acpi_hpet_read(struct acpi_facts *f, struct bytes b)
{
    if (b.length >= 52 && b.p[40] == 0) {   // in memory
        f->hpet = field(b, 44, 8);
    }
}

void acpi_fadt_read(struct acpi_facts *f, struct bytes b)
{
    uint32_t flags = (uint32_t)field(b, 112, 4);

    f->dsdt = field(b, 140, 8);
    if (f->dsdt == 0) {
        f->dsdt = field(b, 40, 4);
    }
    if (flags & 1u << 20) {             // reduced hardware: none of these
        return;
    }
    f->pm1a = (uint16_t)field(b, 64, 4);
    f->pm1b = (uint16_t)field(b, 68, 4);
    f->pm_timer = (uint16_t)field(b, 76, 4);
    f->pm_timer_32 = flags & 1u << 8;
    f->century = (uint8_t)field(b, 108, 1);
}

// A small constant in AML; false if it is something else.
static bool aml_byte(struct bytes b, size_t *at, uint8_t *value)
{
    uint8_t op = (uint8_t)field(b, *at, 1);
    bool is_value = op <= 1;            // Zero, One

    *value = is_value ? op : (uint8_t)field(b, *at + 1, 1);
    *at += is_value ? 1 : 2;
    return (is_value || op == 0x0a) && *at <= b.length;
}

// Name (_S5_, Package (n) {a, b, ...})
void acpi_dsdt_read(struct acpi_facts *f, struct bytes b)
{
    for (size_t i = ACPI_HEADER; i + 8 < b.length && !f->has_s5; i++) {
        if (memcmp(b.p + i, "_S5_", 4) != 0 || b.p[i + 4] != 0x12) {
            continue;
        }
        size_t at = i + 5 + (b.p[i + 5] >> 6) + 1u + 1;     // the package's length, then its count
        uint8_t s5_a, s5_b;
        if (aml_byte(b, &at, &s5_a) && aml_byte(b, &at, &s5_b) && s5_a < 8 && s5_b < 8) {
            f->s5_a = s5_a;
            f->s5_b = s5_b;
            f->has_s5 = true;
        }
    }
}
