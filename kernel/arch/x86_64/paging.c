// paging.c - the supervisor's page tables, and the few instructions that act on any tables.
//
// One set of final tables for all processors; a space's root shares the two entries of the upper half that
// are used.  In them: the image (text R-X, rodata R--, data RW-), devices, the processors' areas, and the
// map of usable memory (RW-, without the image, so that nothing is writable here and executable there).  No
// address of the lower half is mapped.  After paging_seal nothing of this changes any more, so nobody has
// to be told.
#include "arch_impl.h"

enum { ROOT_MAP = 256, ROOT_IMAGE = 511, LEVEL_PAGE = 0, LEVEL_LARGE = 1, LEVEL_GIB = 2 };

#define GIB         (1ull << 30)
#define BOOT_LIMIT  (4 * GIB)           // of the boot tables as boot.S makes them
#define MAP_ACCESS  (PTE_WRITE | PTE_NO_EXECUTE)

static unsigned index_of(va_t va, int level)
{
    return va >> (12 + 9 * level) & (PT_ENTRIES - 1);
}

pa_t paging_map_limit(void)
{
    return machine.has_large_gib ? MAP_LIMIT : BOOT_LIMIT;
}

void paging_widen_boot_map(void)
{
    for (uint64_t i = BOOT_LIMIT / GIB; machine.has_large_gib && i < PT_ENTRIES; i++) {
        boot_pdpt_low[i] = i * GIB | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
    }
}

// ---- making -----------------------------------------------------------------------------------------------

// A page of memory that the boot tables map, for tables and processors' areas.
static pa_t page_take(void)
{
    pa_t pa = ranges_take(&machine.info.free, ABI_PAGE, ABI_PAGE, (pa_t)image_end - IMAGE_BASE, paging_map_limit());

    if (pa == 0) {
        boot_refuse("no memory for page tables and stacks");
    }
    memset(arch_phys(pa), 0, ABI_PAGE);
    return pa;
}

// The entry for va at this level; tables above it are made as needed.
static pte_t *entry_at(va_t va, int level)
{
    pte_t *table = arch_phys(machine.root);

    for (int at = PT_ROOT; at > level; at--) {
        pte_t *e = &table[index_of(va, at)];
        if (!(*e & PTE_PRESENT)) {
            *e = page_take() | PTE_PRESENT | PTE_WRITE;
        }
        table = arch_phys(*e & PTE_ADDRESS);
    }
    return &table[index_of(va, level)];
}

static void map(va_t va, pa_t pa, int level, pte_t bits)
{
    *entry_at(va, level) = pa | PTE_PRESENT | PTE_GLOBAL | bits | (level == LEVEL_PAGE ? 0 : PTE_LARGE);
}

static void map_image(const char *from, const char *to, pte_t bits)
{
    for (va_t va = (va_t)from; va < (va_t)to; va += ABI_PAGE) {
        map(va, va - IMAGE_BASE, LEVEL_PAGE, bits);
    }
}

static void map_chip(enum chip d, pa_t pa)
{
    if (pa != 0) {
        map((va_t)chip_at(d, 0), pa & ~(pa_t)(ABI_PAGE - 1), LEVEL_PAGE, MAP_ACCESS | PTE_UNCACHED);
    }
}

// One 2-MiB page of the map; with the image in it, by pages around the image.
static void map_memory_large(pa_t pa)
{
    pa_t image = (pa_t)image_start - IMAGE_BASE, end = (pa_t)image_end - IMAGE_BASE;

    if (pa + ABI_LARGE <= image || end <= pa) {
        map(MAP_BASE + pa, pa, LEVEL_LARGE, MAP_ACCESS);
        return;
    }
    for (pa_t p = pa; p < pa + ABI_LARGE; p += ABI_PAGE) {
        if (p < image || p >= end) {
            map(MAP_BASE + p, p, LEVEL_PAGE, MAP_ACCESS);
        }
    }
}

static void map_memory(pa_t base, pa_t end)
{
    base &= ~(pa_t)(ABI_LARGE - 1);
    end = (end + ABI_LARGE - 1) & ~(pa_t)(ABI_LARGE - 1);
    while (base < end) {
        if (machine.has_large_gib && (base & (GIB - 1)) == 0 && end - base >= GIB && base >= GIB) {
            map(MAP_BASE + base, base, LEVEL_GIB, MAP_ACCESS);
            base += GIB;
        } else {
            map_memory_large(base);
            base += ABI_LARGE;
        }
    }
}

void paging_make(void)
{
    const struct ranges *usable = &machine.info.usable;

    machine.root = page_take();
    map_image(image_start, image_rodata, 0);
    map_image(image_rodata, image_once, PTE_NO_EXECUTE);
    map_image(image_once, image_end, PTE_WRITE | PTE_NO_EXECUTE);
    map_chip(CHIP_APIC, msr_read(MSR_APIC_BASE) & PTE_ADDRESS);
    map_chip(CHIP_HPET, machine.acpi.hpet);
    for (uint32_t i = 0; i < machine.acpi.ioapics; i++) {
        map_chip((enum chip)(CHIP_IOAPIC + i), machine.acpi.ioapic[i].base);
    }
    for (uint32_t i = 0; i < usable->count; i++) {
        map_memory(usable->r[i].base, usable->r[i].end);
    }
}

const uint32_t area_part[AREA_PARTS][2] = {
    {AREA_STACK, AREA_STACK_TOP}, {AREA_NMI, AREA_NMI_TOP}, {AREA_MC, AREA_MC_TOP},
    {AREA_DF, AREA_DF_TOP},       {AREA_DB, AREA_DB_TOP},   {AREA_TABLES, AREA_END},
};

void paging_map_area(uint32_t number)
{
    for (size_t i = 0; i < AREA_PARTS; i++) {
        for (uint32_t at = area_part[i][0]; at < area_part[i][1]; at += ABI_PAGE) {
            map(area_of(number) + at, page_take(), LEVEL_PAGE, MAP_ACCESS);
        }
    }
}

void paging_seal(void)
{
    for (va_t va = (va_t)image_once; va < (va_t)image_data; va += ABI_PAGE) {
        *entry_at(va, LEVEL_PAGE) &= ~(pte_t)PTE_WRITE;
        arch_tlb_flush_page(va);
    }
}

void paging_drop_boot_tables(void)
{
    memset(boot_pml4, 0, (size_t)(boot_tables_end - (char *)boot_pml4));
    if (machine.trampoline != 0) {
        memset(arch_phys(machine.trampoline), 0, ABI_PAGE);
    }
}

// ---- using ------------------------------------------------------------------------------------------------

void paging_use(void)
{
    cr3_write(machine.root);
    cr4_write(cr4_read() & ~CR4_PGE);          // whatever was global is forgotten
    cr4_write(cr4_read() | CR4_PGE);
}

void arch_root_init(pa_t root)
{
    const pte_t *from = arch_phys(machine.root);
    pte_t *to = arch_phys(root);

    to[ROOT_MAP] = from[ROOT_MAP];
    to[ROOT_IMAGE] = from[ROOT_IMAGE];
}

// cpu->root is stored before the register is written, which serialises: whoever changes an entry and then
// sees the old root knows that this processor reads the new tables only after that change.
void arch_space_switch(struct cpu *cpu, pa_t root)
{
    __atomic_store_n(&cpu->root, root, __ATOMIC_RELAXED);
    cr3_write(root);
}

void arch_space_leave(struct cpu *cpu)
{
    __atomic_store_n(&cpu->root, 0, __ATOMIC_RELAXED);
    cr3_write(machine.root);
}

void arch_tlb_flush_page(va_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void arch_tlb_flush_all(void)
{
    cr3_write(cr3_read());
}
