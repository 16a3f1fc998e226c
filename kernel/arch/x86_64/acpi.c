// acpi.c - finding ACPI's tables in memory, through the boot tables' map; acpi_tables.c reads them.
#include "arch_impl.h"

enum { TABLES_MOST = 256, RSDP_OLD = 20, RSDP_NEW = 36 };

// A table at pa; no bytes if it lies outside the map or is damaged.
static struct bytes table_at(pa_t pa, const char *signature)
{
    const struct bytes none = {NULL, 0};
    pa_t limit = paging_map_limit();

    if (pa == 0 || pa >= limit || limit - pa < ACPI_HEADER) {
        return none;
    }
    struct bytes b = {arch_phys(pa), acpi_table_length(arch_phys(pa))};
    return b.length != 0 && limit - pa >= b.length && acpi_table_ok(b.p, b.length, signature) ? b : none;
}

// The last table of this kind in the list is taken; there is one of each.
static void each(struct bytes list, bool wide, const char *signature, void (*read)(struct acpi_facts *, struct bytes))
{
    pa_t pa;

    for (unsigned i = 0; i < TABLES_MOST && (pa = acpi_list_entry(list.p, list.length, wide, i)) != 0; i++) {
        struct bytes b = table_at(pa, signature);
        if (b.length != 0) {
            read(&machine.acpi, b);
        }
    }
}

bool acpi_read(const uint8_t *rsdp, uint32_t length, pa_t rsdp_at)
{
    pa_t list_at;
    bool wide;

    acpi_facts_init(&machine.acpi);
    if (length == 0 && rsdp_at != 0 && rsdp_at < paging_map_limit() - RSDP_NEW) {
        rsdp = arch_phys(rsdp_at);
        length = rsdp[15] >= 2 ? RSDP_NEW : RSDP_OLD;
    }
    if (length == 0 || !acpi_root_read(rsdp, length, &list_at, &wide)) {
        return false;
    }
    struct bytes list = table_at(list_at, wide ? "XSDT" : "RSDT");
    if (list.length == 0) {
        return false;
    }
    each(list, wide, "APIC", acpi_madt_read);
    each(list, wide, "SRAT", acpi_srat_read);
    each(list, wide, "SLIT", acpi_slit_read);
    each(list, wide, "HPET", acpi_hpet_read);
    each(list, wide, "FACP", acpi_fadt_read);
    acpi_dsdt_read(&machine.acpi, table_at(machine.acpi.dsdt, "DSDT"));
    return true;
}
