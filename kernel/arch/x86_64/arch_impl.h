// arch_impl.h - what the files of this machine share with each other, and with nobody else.
//
// Order of start: machine_boot (loader, ACPI, memory; boot tables), machine_boot_on_stack (final tables;
// processor tables, APIC, clock), kernel_boot, arch_start_cpus.  `machine` is written up to then and
// read-only afterwards.
#pragma once
#include "acpi_tables.h"
#include "base.h"
#include "boot.h"
#include "instance.h"
#include "regs.h"

// Data that is written during boot only; its pages become read-only.
#define ONCE __attribute__((section(".once")))

enum chip {                                  // pages at CHIP_BASE
    CHIP_APIC,
    CHIP_HPET,
    CHIP_IOAPIC,                             // and those that follow
};

struct machine {                               // I
    struct boot_info  info;
    struct acpi_facts acpi;
    uint32_t order[ABI_MAX_CPUS];              // place in acpi of processor n
    pa_t     root;                             // the supervisor's own page tables
    pa_t     trampoline;
    bool     apic_wide;                        // x2APIC
    bool     has_umip, has_large_gib, has_tsc_aux;
    uint64_t apic_factor;                      // APIC timer counts for a tick of the clock, times 2^32
};
extern struct machine machine;

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];                           // stacks 1 to 7
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));
enum { IST_NMI = 1, IST_MC, IST_DF, IST_DB };

enum { LOST_FRAMES = 4 };

// At AREA_TABLES of each processor's area.
struct cpu_tables {
    uint64_t   nmis;                           // p  counted by entry_nmi
    uint64_t   gdt[8];                         // p
    struct tss tss;                            // I
    uint64_t   lost[LOST_FRAMES];              // p  machine_check.c: failed memory, to be told of; address + 1
    struct cpu *cpu;                           // I  for tools/gdb: whatever runs, all tables are found from here
};

// What of struct cpu's arch[] is used for what.
enum cpu_arch { ARCH_APIC_ID, ARCH_UP, ARCH_STARTED };

static inline va_t area_of(uint32_t number)
{
    return AREA_BASE + (va_t)number * AREA_SIZE;
}
static inline volatile void *chip_at(enum chip d, uint32_t offset)
{
    return (volatile void *)(CHIP_BASE + (va_t)d * ABI_PAGE + offset);
}

// The parts of an area that are mapped: its stacks, and last its tables.
enum { AREA_PARTS = 6 };
extern const uint32_t area_part[AREA_PARTS][2];

// boot.S, entry.S
extern char image_start[], image_rodata[], image_once[], image_data[], image_end[];
extern char trampoline[], trampoline_end[];
extern char entry_stubs[256][16];
extern pte_t boot_pml4[PT_ENTRIES], boot_pdpt_low[PT_ENTRIES], boot_pdpt_high[PT_ENTRIES];
extern char boot_tables_end[];
extern uint64_t start_root, start_stack;
extern struct cpu *start_cpu;
void entry_syscall(void);
bool state_restore(const void *area, uint64_t fs, uint32_t mxcsr, uint64_t gs);
extern char state_restore_load[], state_restore_refused[];

// Called by assembly.
struct fault {                                 // as entry_fault pushes it
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
va_t machine_boot(uint32_t protocol, uint32_t information);
void machine_boot_on_stack(void);
void machine_start(struct cpu *cpu);
void machine_interrupt(struct cpu *cpu, uint32_t vector);
void machine_fault(struct fault *f);

// acpi.c: all tables that are there, read into machine.acpi.  False: no root pointer.
bool acpi_read(const uint8_t *rsdp, uint32_t length, pa_t rsdp_at);

// paging.c
#define MAP_LIMIT (512ull << 30)                // of the map of memory: one entry of the root
void paging_widen_boot_map(void);              // the boot tables' map of memory, as far as can be
pa_t paging_map_limit(void);                   // how far that is
void paging_make(void);                        // machine.root
void paging_map_area(uint32_t number);
void paging_use(void);                         // on each processor
void paging_seal(void);                        // `once` data becomes read-only
void paging_drop_boot_tables(void);

// cpu_init.c
const char *cpu_lacks(void);                   // NULL, or what this processor does not have
void cpu_features_find(void);
void cpu_idt_make(void);
void cpu_tables_use(uint32_t number);

// machine_check.c
void machine_check_init(void);                 // of this processor
void machine_check_user(struct cpu *cpu);      // one came in user mode
void machine_check_supervisor(struct cpu_tables *t);
void machine_check_late(struct cpu *cpu);      // VECTOR_LOST

// apic.c
void apic_interrupt_self(uint32_t vector);     // also in a machine check, between any two instructions of apic_send
uint32_t apic_own_id(void);
void apic_init(void);                          // of this processor
void apic_eoi(void);
void apic_send(uint32_t apic_id, uint32_t command);
uint32_t apic_timer_count(void);
void apic_timer_free_run(void);                // count down from the top, no interrupt
void ioapic_init(void);
enum { APIC_FIXED = 0, APIC_INIT = 5 << 8, APIC_STARTUP = 6 << 8, APIC_ASSERT = 1 << 14,
       APIC_SELF = 1 << 18 };

// clock.c
void clock_calibrate(void);
void clock_wall_read(void);                    // after clock_calibrate
void clock_delay(uint64_t microseconds);       // after clock_calibrate

void uart_init(void);
void uart_drain(void);
