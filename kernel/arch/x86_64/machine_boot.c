// machine_boot.c - the boot processor's way from the loader to kernel_boot.
//
// machine_boot runs on the boot stack with the boot tables: it learns what the machine is and decides where
// everything goes, before any low memory that the loader used is written.  machine_boot_on_stack runs on
// the processor's real stack with the final tables.
#include "arch_impl.h"
#include "loader.h"

struct machine machine ONCE;

enum { LOW_BEGIN = 0x1000, LOW_END = 0xa0000 };

// Large and used once: not on the stack.
static struct loader loader;

// The boot processor becomes number 0, the others follow in ACPI's order.
static void cpus_order(void)
{
    struct acpi_facts *f = &machine.acpi;
    uint32_t self = apic_own_id(), n = 1;

    if (f->cpus == 0) {
        f->apic_id[0] = self;
        f->cpus = 1;
    }
    for (uint32_t i = 0; i < f->cpus; i++) {
        if (f->apic_id[i] == self) {
            machine.order[0] = i;
        }
    }
    f->apic_id[machine.order[0]] = self;
    for (uint32_t i = 0; i < f->cpus; i++) {
        if (i != machine.order[0]) {
            machine.order[n++] = i;
        }
    }
    machine.info.cpus = f->cpus;
}

static void reserve(pa_t base, uint64_t length)
{
    pa_t end = (base + length + ABI_PAGE - 1) & ~(pa_t)(ABI_PAGE - 1);

    ranges_subtract(&machine.info.free, base & ~(pa_t)(ABI_PAGE - 1), end);
}

// Where the machine's own things go: beside everything that is in use.
static void memory_plan(void)
{
    struct boot_info *info = &machine.info;
    uint32_t left_out = memmap_build(info, &loader.map, &machine.acpi, machine.order, MAP_LIMIT);

    if (left_out != 0) {
        kprint("%u memory ranges are left out: there are too many\n", left_out);
    }
    reserve((pa_t)image_start - IMAGE_BASE, (uint64_t)(image_end - image_start));
    if (loader.archive_length != 0) {
        reserve(loader.archive, loader.archive_length);
    }
    if (info->cpus > 1) {
        machine.trampoline = ranges_take(&info->free, ABI_PAGE, ABI_PAGE, LOW_BEGIN, LOW_END);
        if (machine.trampoline == 0) {
            boot_refuse("no memory below 640 KiB to start processors from");
        }
    }
}

va_t machine_boot(uint32_t protocol, uint32_t information)
{
    uart_init();
    const char *lack = cpu_lacks();
    if (lack != NULL) {
        kprint("this processor has no %s\n", lack);
        boot_refuse("the processor is too old");
    }
    cpu_features_find();
    paging_widen_boot_map();
    const char *why = loader_read(&loader, protocol, information, arch_phys);
    if (why != NULL) {
        boot_refuse(why);
    }
    if (!acpi_read(loader.rsdp, loader.rsdp_length, loader.rsdp_at)) {
        kprint("no ACPI tables: one processor\n");
    }
    cpus_order();
    if (machine.acpi.cpus_left_out != 0) {
        kprint("%u processors are left out: there are too many\n", machine.acpi.cpus_left_out);
    }
    memory_plan();
    machine.info.archive = loader.archive;
    machine.info.archive_length = loader.archive_length;
    machine.info.cmdline = loader.cmdline;
    paging_make();
    for (uint32_t i = 0; i < machine.info.cpus; i++) {
        paging_map_area(i);
    }
    paging_use();
    return area_of(0) + AREA_STACK_TOP;
}

void machine_boot_on_stack(void)
{
    cpu_idt_make();
    cpu_tables_use(0);
    apic_init();
    ioapic_init();
    clock_calibrate();
    clock_wall_read();
    kernel_boot(&machine.info);
}
