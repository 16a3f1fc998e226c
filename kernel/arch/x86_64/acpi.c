// acpi.c - finding ACPI's tables in memory, through the boot tables' map; acpi_tables.c reads them.
#include "arch_impl.h"

enum { TABLES_MOST = 256, RSDP_OLD = 20, RSDP_NEW = 36 };

// A table at pa, or NULL if it lies outside the map or is damaged.
static const uint8_t *table_at(pa_t pa, const char *signature, size_t *length)
{
    pa_t limit = paging_map_limit();

    if (pa == 0 || pa >= limit || limit - pa < ACPI_HEADER) {
        return NULL;
    }
    const uint8_t *p = arch_phys(pa);
    *length = acpi_table_length(p);
    return *length != 0 && limit - pa >= *length && acpi_table_ok(p, *length, signature) ? p : NULL;
}

// The last table of this kind in the list is taken; there is one of each.
static void each(const uint8_t *list, size_t length, bool wide, const char *signature,
                 void (*read)(struct acpi_facts *, struct bytes))
{
    for (unsigned i = 0; i < TABLES_MOST; i++) {
        pa_t pa = acpi_list_entry(list, length, wide, i);
        size_t size;
        if (pa == 0) {
            break;
        }
        const uint8_t *t = table_at(pa, signature, &size);
        if (t != NULL) {
            read(&machine.acpi, (struct bytes){t, size});
        }
    }
}

bool acpi_read(const uint8_t *rsdp, uint32_t length, pa_t rsdp_at)
{
    pa_t list_at;
    bool wide;
    size_t size, size_dsdt;

    acpi_facts_init(&machine.acpi);
    if (length == 0 && rsdp_at != 0 && rsdp_at < paging_map_limit() - RSDP_NEW) {
        rsdp = arch_phys(rsdp_at);
        length = rsdp[15] >= 2 ? RSDP_NEW : RSDP_OLD;
    }
    if (length == 0 || !acpi_root_read(rsdp, length, &list_at, &wide)) {
        return false;
    }
    const uint8_t *list = table_at(list_at, wide ? "XSDT" : "RSDT", &size);
    if (list == NULL) {
        return false;
    }
    each(list, size, wide, "APIC", acpi_madt_read);
    each(list, size, wide, "SRAT", acpi_srat_read);
    each(list, size, wide, "SLIT", acpi_slit_read);
    each(list, size, wide, "HPET", acpi_hpet_read);
    each(list, size, wide, "FACP", acpi_fadt_read);
    const uint8_t *dsdt = table_at(machine.acpi.dsdt, "DSDT", &size_dsdt);
    if (dsdt != NULL) {
        acpi_dsdt_read(&machine.acpi, (struct bytes){dsdt, size_dsdt});
    }
    return true;
}
