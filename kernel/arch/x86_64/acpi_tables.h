// acpi_tables.h - reading ACPI's static tables: bytes in, facts out.
//
// No hardware is touched here and no pointer in a table is followed: callers hand in each table as (bytes,
// length) and get addresses back.  Every read is checked against the length; a field that does not fit
// reads as absent. Bytecode (AML) is not interpreted, except that the sleep values of \_S5 are found by
// their shape.
#pragma once
#include <abi/types.h>

enum {
    ACPI_HEADER      = 36,              // bytes before a table's own fields
    ACPI_IOAPICS     = 8,
    ACPI_ISA_IRQS    = 16,
    ACPI_RANGES      = 64,
    ACPI_DOMAINS     = 16,
};

struct acpi_memory {                    // memory of one proximity domain
    pa_t     base;
    uint64_t length;
    uint32_t domain;
};

struct bytes {                          // of a table
    const uint8_t *p;
    size_t length;
};

struct acpi_facts {
    uint32_t cpus;                      // processors that are enabled, in the table's order
    uint32_t cpus_left_out;             // more than ABI_MAX_CPUS
    uint32_t apic_id[ABI_MAX_CPUS];
    uint32_t cpu_domain[ABI_MAX_CPUS];

    uint32_t ioapics;
    struct { pa_t base; uint32_t gsi; } ioapic[ACPI_IOAPICS];
    uint32_t isa_gsi[ACPI_ISA_IRQS];    // global interrupt of an old interrupt line, and its MPS flags
    uint16_t isa_flags[ACPI_ISA_IRQS];

    uint32_t memories;
    struct acpi_memory memory[ACPI_RANGES];
    uint32_t distances;                 // domains that distance[][] covers
    uint8_t  distance[ACPI_DOMAINS][ACPI_DOMAINS];

    pa_t     hpet;                      // 0: none
    uint16_t pm_timer;                  // port, 0: none
    bool     pm_timer_32;               // counts 32 bits instead of 24
    pa_t     dsdt;
    uint16_t pm1a, pm1b;                // control ports, 0: none
    bool     has_s5;
    uint8_t  s5_a, s5_b;                // sleep types of power-off
    uint8_t  century;                   // RTC register of the century, 0: none
};

// Everything absent: call it first.
void acpi_facts_init(struct acpi_facts *f);
// The root pointer (20 or 36 bytes): where the list of tables is, and whether its entries have 8 bytes.
bool acpi_root_read(const uint8_t *p, size_t length, pa_t *list, bool *wide);
// The length a table's header gives, 0 if that cannot be.  p has ACPI_HEADER bytes.
uint32_t acpi_table_length(const uint8_t *p);
// A whole table: is it of this kind, and its sum right?
bool acpi_table_ok(const uint8_t *p, size_t length, const char *signature);
// Entry i of a list of tables; 0 when there are no more.
pa_t acpi_list_entry(const uint8_t *p, size_t length, bool wide, unsigned i);

void acpi_madt_read(struct acpi_facts *f, struct bytes b);
void acpi_srat_read(struct acpi_facts *f, struct bytes b);      // after the MADT
void acpi_slit_read(struct acpi_facts *f, struct bytes b);
void acpi_hpet_read(struct acpi_facts *f, struct bytes b);
void acpi_fadt_read(struct acpi_facts *f, struct bytes b);
void acpi_dsdt_read(struct acpi_facts *f, struct bytes b);
