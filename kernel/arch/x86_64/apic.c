// apic.c - interrupt controllers: the local APIC of each processor, with its timer, and the IOAPICs.
//
// Two ways to the same registers: a page of memory (xAPIC), or model-specific registers where the processor
// has them (x2APIC).  Everything runs with interrupts off, NMIs send nothing, and machine checks only to their own
// processor, by one register: so a register pair needs no lock.
#include "arch_impl.h"

enum apic_register {                           // offsets in the page
    APIC_ID = 0x20, APIC_PRIORITY = 0x80, APIC_EOI = 0xb0, APIC_SPURIOUS = 0xf0, APIC_ERROR = 0x280,
    APIC_COMMAND = 0x300, APIC_COMMAND_HIGH = 0x310, APIC_LVT_TIMER = 0x320, APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370, APIC_INITIAL = 0x380, APIC_CURRENT = 0x390,
    APIC_DIVIDE = 0x3e0,
};

#define LVT_MASKED        (1u << 16)
#define LVT_NMI           (4u << 8)
#define SPURIOUS_ENABLE   (1u << 8)
#define COMMAND_PENDING   (1u << 12)
#define DIVIDE_BY_1       0xbu

static uint32_t apic_read(enum apic_register r)
{
    if (machine.apic_wide) {
        return (uint32_t)msr_read(MSR_X2APIC + r / 16);
    }
    return *(volatile uint32_t *)chip_at(CHIP_APIC, r);
}

static void apic_write(enum apic_register r, uint32_t value)
{
    if (machine.apic_wide) {
        msr_write(MSR_X2APIC + r / 16, value);
    } else {
        *(volatile uint32_t *)chip_at(CHIP_APIC, r) = value;
    }
}

uint32_t apic_own_id(void)
{
    if (machine.apic_wide && cpuid(0, 0).eax >= 11 && cpuid(11, 0).ebx != 0) {
        return cpuid(11, 0).edx;
    }
    return cpuid(1, 0).ebx >> 24;
}

void apic_init(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE;

    msr_write(MSR_APIC_BASE, base);            // the wide mode is entered from the narrow one
    if (machine.apic_wide) {
        msr_write(MSR_APIC_BASE, base | APIC_BASE_X2);
    }
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_PRIORITY, 0);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);    // the old controller, which is masked as well
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_LVT_ERROR, LVT_MASKED | VECTOR_SPURIOUS);
    apic_write(APIC_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);  // one shot
    apic_write(APIC_ERROR, 0);
    apic_eoi();
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_send(uint32_t apic_id, uint32_t command)
{
    if (machine.apic_wide) {
        __asm__ volatile("mfence; lfence" : : : "memory");     // writing this register orders nothing
        msr_write(MSR_X2APIC_ICR, (uint64_t)apic_id << 32 | command);
        return;
    }
    while (apic_read(APIC_COMMAND) & COMMAND_PENDING) {
        arch_relax();
    }
    apic_write(APIC_COMMAND_HIGH, apic_id << 24);
    apic_write(APIC_COMMAND, command);
}

void apic_interrupt_self(uint32_t vector)
{
    uint32_t command = APIC_SELF | APIC_FIXED | APIC_ASSERT | vector;

    if (machine.apic_wide) {
        msr_write(MSR_X2APIC_ICR, command);
    } else {
        apic_write(APIC_COMMAND, command);
    }
}

void arch_ipi(cpu_t target)
{
    const struct cpu *cpu = &arch_cpu()->instance->cpu[target];

    apic_send((uint32_t)cpu->arch[ARCH_APIC_ID], APIC_FIXED | APIC_ASSERT | VECTOR_IPI);
}

// ---- timer ------------------------------------------------------------------------------------------------

void apic_timer_free_run(void)
{
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    apic_write(APIC_INITIAL, UINT32_MAX);
}

uint32_t apic_timer_count(void)
{
    return apic_read(APIC_CURRENT);
}

// The longest count is some seconds: then the interrupt is early, and the timer is armed again.
void arch_timer_arm(uint64_t when)
{
    if (when == 0) {
        apic_write(APIC_INITIAL, 0);
        return;
    }
    uint64_t now = arch_now();
    unsigned __int128 ticks = when > now ? when - now : 0;
    unsigned __int128 count = (ticks * machine.apic_factor >> 32) + 1;
    apic_write(APIC_INITIAL, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

// ---- IOAPIC -----------------------------------------------------------------------------------------------

enum { IOAPIC_DATA = 0x10, IOAPIC_VERSION = 1, IOAPIC_ENTRY = 0x10, ISA_COM1 = 4 };
enum { PIC_A = 0x20, PIC_B = 0xa0 };

#define ENTRY_LOW         (1u << 13)           // active low
#define ENTRY_LEVEL       (1u << 15)
#define ENTRY_MASKED      (1u << 16)

static volatile uint32_t *ioapic_page(uint32_t n)
{
    return chip_at((enum chip)(CHIP_IOAPIC + n), machine.acpi.ioapic[n].base & (ABI_PAGE - 1));
}

static uint32_t ioapic_read(uint32_t n, uint32_t r)
{
    ioapic_page(n)[0] = r;
    return ioapic_page(n)[IOAPIC_DATA / 4];
}

static void ioapic_write(uint32_t n, uint32_t r, uint32_t value)
{
    ioapic_page(n)[0] = r;
    ioapic_page(n)[IOAPIC_DATA / 4] = value;
}

static void entry_write(uint32_t n, uint32_t entry, uint32_t low, uint32_t apic_id)
{
    ioapic_write(n, IOAPIC_ENTRY + 2 * entry, ENTRY_MASKED);
    ioapic_write(n, IOAPIC_ENTRY + 2 * entry + 1, apic_id << 24);
    ioapic_write(n, IOAPIC_ENTRY + 2 * entry, low);
}

// The pair of old controllers is moved out of the exceptions' vectors and masked.
static void pic_disable(void)
{
    static const uint8_t init[][2] = {
        {PIC_A, 0x11},           {PIC_B, 0x11},
        {PIC_A + 1, VECTOR_PIC}, {PIC_B + 1, VECTOR_PIC + 8},
        {PIC_A + 1, 4},          {PIC_B + 1, 2},
        {PIC_A + 1, 1},          {PIC_B + 1, 1},
        {PIC_A + 1, 0xff},       {PIC_B + 1, 0xff},
    };

    for (uint32_t i = 0; i < sizeof(init) / sizeof(init[0]); i++) {
        port_write8(init[i][0], init[i][1]);
    }
}

// Everything masked but the terminal, which goes to this processor.
void ioapic_init(void)
{
    uint32_t gsi = machine.acpi.isa_gsi[ISA_COM1], flags = machine.acpi.isa_flags[ISA_COM1];
    uint32_t low = VECTOR_CONSOLE | ((flags & 3) == 3 ? ENTRY_LOW : 0) |
                   ((flags >> 2 & 3) == 3 ? ENTRY_LEVEL : 0);

    pic_disable();
    for (uint32_t n = 0; n < machine.acpi.ioapics; n++) {
        uint32_t first = machine.acpi.ioapic[n].gsi, last = ioapic_read(n, IOAPIC_VERSION) >> 16 & 0xff;
        for (uint32_t i = 0; i <= last; i++) {
            entry_write(n, i, ENTRY_MASKED, 0);
        }
        if (gsi >= first && gsi - first <= last) {
            entry_write(n, gsi - first, low, machine.acpi.apic_id[machine.order[0]]);
        }
    }
}
