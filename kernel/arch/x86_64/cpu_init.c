// cpu_init.c - making a processor ours: features, segment and interrupt tables, the SYSCALL registers.
#include "arch_impl.h"

#define OFFSET(name, type, member) _Static_assert(name == offsetof(struct type, member), #member)
OFFSET(CPU_SELF, cpu, self);
OFFSET(CPU_FRAME, cpu, frame);
OFFSET(CPU_STACK_TOP, cpu, stack_top);
OFFSET(CPU_SCRATCH, cpu, scratch);
OFFSET(CPU_ENTER_FRESH, cpu, enter_fresh);
OFFSET(TABLES_NMIS, cpu_tables, nmis);
#define WORD(name) uint64_t name;
struct frame_words { FRAME_WORDS(WORD) };
#define SAME(name) _Static_assert(offsetof(struct frame_words, name) == offsetof(struct frame, name), #name);
FRAME_WORDS(SAME)
_Static_assert(KIND_TRAP == FRAME_TRAP && USER_END == ABI_USER_END, "frame");
_Static_assert(sizeof(struct tss) == 104 && sizeof(struct cpu_tables) <= ABI_PAGE, "tables");
_Static_assert(AREA_BASE + (uint64_t)ABI_MAX_CPUS * AREA_SIZE <= 0xffffffffffffffff, "areas");

// Flags that SYSCALL clears: TF IF DF IOPL NT RF AC.
enum { SYSCALL_CLEARS = 0x57700 };

// ---- features ---------------------------------------------------------------------------------------------

struct feature {
    uint32_t leaf;
    enum { EAX, EBX, ECX, EDX } where;
    uint32_t bits;
    const char *name;
};

const char *cpu_lacks(void)
{
    static const struct feature needed[] = {
        {0x80000001, EDX, 1u << 11, "SYSCALL"},
        {0x80000001, EDX, 1u << 20, "no-execute pages"},
        {1, ECX, 1u << 26 | 1u << 28, "XSAVE with AVX"},
        {13, EAX, XCR0_ALL, "XSAVE with AVX"},
        {7, EBX, 1u << 0, "FSGSBASE"},
        {7, EBX, 1u << 7 | 1u << 20, "SMEP and SMAP"},
    };

    for (const struct feature *f = needed; f != needed + sizeof(needed) / sizeof(needed[0]); f++) {
        bool there = f->leaf >= 0x80000000 || f->leaf <= cpuid(0, 0).eax;
        struct cpuid r = cpuid(there ? f->leaf : 0, 0);
        uint32_t has[] = {r.eax, r.ebx, r.ecx, r.edx};
        if (!there || (has[f->where] & f->bits) != f->bits) {
            return f->name;
        }
    }
    return NULL;
}

void cpu_features_find(void)
{
    struct cpuid wide = cpuid(0x80000001u, 0), more = cpuid(7, 0);

    machine.has_umip = more.ecx & 1u << 2;
    machine.has_large_gib = wide.edx & 1u << 26;
    machine.has_tsc_aux = wide.edx & 1u << 27;
    machine.apic_wide = cpuid(1, 0).ecx & 1u << 21;
}

static void features_enable(void)
{
    uint64_t cr4 = cr4_read() & ~(CR4_TSD | CR4_PGE);

    cr4 |= CR4_DE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE;
    cr4 |= CR4_SMEP | CR4_SMAP | (machine.has_umip ? CR4_UMIP : 0);
    cr4_write(cr4);
    cr0_write((cr0_read() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP | CR0_AM);
    xcr0_write(XCR0_ALL);
}

// ---- tables -----------------------------------------------------------------------------------------------

struct gate {
    uint16_t offset_low, selector;
    uint8_t  ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
enum { GATE_INTERRUPT = 0x8e, GATE_USER = 0xee };    // the second may be used by INT3 and INTO

static struct gate idt[256] ONCE;

void cpu_idt_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint64_t at = (uint64_t)entry_stubs[i];
        idt[i] = (struct gate){
            .offset_low = (uint16_t)at, .offset_middle = (uint16_t)(at >> 16), .offset_high = (uint32_t)(at >> 32),
            .selector = SELECTOR_KCODE, .type = i == 3 || i == 4 ? GATE_USER : GATE_INTERRUPT,
        };
    }
    idt[VECTOR_NMI].ist = IST_NMI;
    idt[VECTOR_MC].ist = IST_MC;
    idt[VECTOR_DF].ist = IST_DF;
    idt[VECTOR_DB].ist = IST_DB;
}

// An interrupt stack: its top has the pointer by which handlers find the processor.
static uint64_t ist_make(uint32_t number, uint32_t top)
{
    uint64_t at = area_of(number) + top - IST_RESERVE;

    *(struct cpu_tables **)at = (struct cpu_tables *)(area_of(number) + AREA_TABLES);
    return at;
}

static void tables_make(struct cpu_tables *t, uint32_t number)
{
    uint64_t tss = (uint64_t)&t->tss;

    t->tss.rsp[0] = area_of(number) + AREA_STACK_TOP;
    t->tss.ist[IST_NMI - 1] = ist_make(number, AREA_NMI_TOP);
    t->tss.ist[IST_MC - 1] = ist_make(number, AREA_MC_TOP);
    t->tss.ist[IST_DF - 1] = ist_make(number, AREA_DF_TOP);
    t->tss.ist[IST_DB - 1] = ist_make(number, AREA_DB_TOP);
    t->tss.io_map = sizeof(t->tss);            // beyond the limit: no port for ring 3
    t->gdt[SELECTOR_KCODE / 8] = 0x00af9b000000ffff;
    t->gdt[SELECTOR_KDATA / 8] = 0x00cf93000000ffff;
    t->gdt[SELECTOR_UDATA / 8] = 0x00cff3000000ffff;
    t->gdt[SELECTOR_UCODE / 8] = 0x00affb000000ffff;
    t->gdt[SELECTOR_TSS / 8] =
        (sizeof(t->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    t->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
}

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static void tables_load(struct cpu_tables *t)
{
    struct table_register gdtr = {sizeof(t->gdt) - 1, (uint64_t)t->gdt};
    struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};

    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %2, %%eax\n\t"
                     "movl %%eax, %%ss\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs\n\t"
                     "lldt %%ax\n\t"
                     "movl %3, %%eax\n\t"
                     "ltr %%ax\n\t"
                     "lidt %4"
                     : : "m"(gdtr), "i"(SELECTOR_KCODE), "i"(SELECTOR_KDATA),
                         "i"(SELECTOR_TSS), "m"(idtr) : "rax", "memory");
}

// The boot processor does this early too, so that a fault is reported.
void cpu_tables_use(uint32_t number)
{
    struct cpu_tables *t = (struct cpu_tables *)(area_of(number) + AREA_TABLES);

    tables_make(t, number);
    tables_load(t);
}

void arch_cpu_init(struct cpu *cpu)
{
    cpu->stack_top = area_of(cpu->number) + AREA_STACK_TOP;
    cpu->arch[ARCH_APIC_ID] = machine.acpi.apic_id[machine.order[cpu->number]];
    features_enable();
    cpu_tables_use(cpu->number);
    ((struct cpu_tables *)(area_of(cpu->number) + AREA_TABLES))->cpu = cpu;
    msr_write(MSR_GS_BASE, (uint64_t)cpu);
    msr_write(MSR_KERNEL_GS, 0);
    msr_write(MSR_SYSENTER_CS, 0);
    msr_write(MSR_STAR, (uint64_t)(SELECTOR_SYSRET | 3) << 48 | (uint64_t)SELECTOR_KCODE << 32);
    msr_write(MSR_LSTAR, (uint64_t)entry_syscall);
    msr_write(MSR_CSTAR, (uint64_t)entry_syscall);
    msr_write(MSR_SFMASK, SYSCALL_CLEARS);
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | EFER_NXE);
    machine_check_init();
    if (machine.has_tsc_aux) {
        msr_write(MSR_TSC_AUX, cpu->number);
    }
}
