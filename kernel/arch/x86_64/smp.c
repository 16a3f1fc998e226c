// smp.c - starting the other processors, and what interrupts mean.
//
// One at a time: INIT and STARTUP send a processor to the trampoline below 1 MiB; machine_start makes it
// ours, says so in ARCH_UP, and it halts as an idle processor does.  When all are up, an interrupt lets
// each of them go: the first one that finds ARCH_STARTED clear becomes kernel_cpu_start.  So nobody spins
// while the others come up.
#include "arch_impl.h"

enum { STARTUP_TRIES = 2, STARTUP_WAIT_US = 5000000, STEP_US = 10 };

void machine_start(struct cpu *cpu)
{
    paging_use();
    arch_cpu_init(cpu);
    apic_init();
    store_release(&cpu->arch[ARCH_UP], 1);         // pairs with cpu_start()
}

static bool wait_up(struct cpu *cpu, uint64_t microseconds)
{
    for (uint64_t waited = 0; waited < microseconds; waited += STEP_US) {
        if (load_acquire(&cpu->arch[ARCH_UP])) {   // pairs with machine_start()
            return true;
        }
        clock_delay(STEP_US);
    }
    return false;
}

static void cpu_start(struct cpu *cpu)
{
    uint32_t apic_id = machine.acpi.apic_id[machine.order[cpu->number]];

    start_root = machine.root;
    start_stack = area_of(cpu->number) + AREA_STACK_TOP;
    start_cpu = cpu;
    fence_full();
    apic_send(apic_id, APIC_INIT | APIC_ASSERT);
    clock_delay(STEP_US);
    for (uint32_t i = 0; i < STARTUP_TRIES; i++) {
        apic_send(apic_id, APIC_STARTUP | APIC_ASSERT | (uint32_t)(machine.trampoline >> ABI_PAGE_SHIFT));
        // The second message is for old hardware only: it may hit a processor that is slow, but already on
        // its way.
        if (wait_up(cpu, STARTUP_WAIT_US)) {
            return;
        }
    }
    panic("processor %u (APIC %u) does not start", cpu->number, apic_id);
}

void arch_start_cpus(void)
{
    struct cpu *self = arch_cpu();
    uint32_t count = machine.info.cpus;

    self->arch[ARCH_UP] = self->arch[ARCH_STARTED] = 1;
    if (count > 1) {
        memcpy(arch_phys(machine.trampoline), trampoline, (size_t)(trampoline_end - trampoline));
    }
    for (uint32_t i = 1; i < count; i++) {
        cpu_start(&self->instance->cpu[i]);
    }
    paging_drop_boot_tables();
    paging_seal();
    for (uint32_t i = 1; i < count; i++) {
        arch_ipi(i);
    }
}

static void interrupt_seldom(struct cpu *cpu, uint32_t vector)
{
    if (vector == VECTOR_MC_USER) {
        machine_check_user(cpu);
    } else if (vector == VECTOR_LOST) {
        apic_eoi();
        machine_check_late(cpu);
    } else {
        kernel_interrupt(cpu, ARCH_IRQ_SPURIOUS);  // of the old controller: nothing to acknowledge
    }
}

void machine_interrupt(struct cpu *cpu, uint32_t vector)
{
    if (vector < VECTOR_CONSOLE) {
        interrupt_seldom(cpu, vector);
        return;
    }
    if (vector != VECTOR_SPURIOUS) {
        apic_eoi();
    }
    if (!cpu->arch[ARCH_STARTED]) {
        if (vector == VECTOR_IPI) {
            cpu->arch[ARCH_STARTED] = 1;
            kernel_cpu_start(cpu);
        }
        return;
    }
    kernel_interrupt(cpu, vector == VECTOR_TIMER     ? ARCH_IRQ_TIMER
                          : vector == VECTOR_IPI     ? ARCH_IRQ_IPI
                          : vector == VECTOR_CONSOLE ? ARCH_IRQ_CONSOLE
                                                     : ARCH_IRQ_SPURIOUS);
}
