// machine_check.c - machine checks: memory that fails, and processors that do.
//
// One comes between any two instructions, interrupts off or on.  In user mode it is taken as any other event.  In the
// supervisor structures may be half changed: the address is noted in the processor's own tables, and an interrupt of
// the processor to itself looks at it as soon as interrupts are taken, in user mode or in the halt.  If the supervisor
// itself was using the memory, or the error is of another kind, it is a panic.
// A second check on the same stack before the first has returned is not survived; nor is it by the hardware while
// MCG_STATUS says that one is in progress, which is why that is cleared last.
#include "arch_impl.h"
#include "mc_decode.h"

static bool has_machine_check(void)
{
    const uint32_t need = 1u << 7 | 1u << 14;      // MCE, MCA

    return (cpuid(1, 0).edx & need) == need;
}

// Report everything, and forget what the firmware left.
void machine_check_init(void)
{
    if (!has_machine_check()) {
        return;
    }
    uint64_t cap = msr_read(MSR_MCG_CAP);
    if (cap & MCG_CAP_CTL) {
        msr_write(MSR_MCG_CTL, ~0ull);
    }
    for (uint32_t n = 0; n < (cap & MCG_CAP_BANKS); n++) {
        msr_write(MSR_MC_CTL(n), ~0ull);
        msr_write(MSR_MC_STATUS(n), 0);
    }
}

static struct mc_bank bank_take(uint32_t n)
{
    struct mc_bank b = {.status = msr_read(MSR_MC_STATUS(n))};

    if (b.status & MC_STATUS_VALID) {
        b.addr = b.status & MC_STATUS_ADDRV ? msr_read(MSR_MC_ADDR(n)) : 0;
        b.misc = b.status & MC_STATUS_MISCV ? msr_read(MSR_MC_MISC(n)) : 0;
        msr_write(MSR_MC_STATUS(n), 0);
    }
    return b;
}

// All errors of memory that the banks tell of; gives how many.  Anything else is the end.
static uint32_t check_take(struct mc_error found[LOST_FRAMES], bool *broken)
{
    uint64_t cap = msr_read(MSR_MCG_CAP), global = msr_read(MSR_MCG_STATUS);
    uint32_t count = 0;

    for (uint32_t n = 0; n < (cap & MCG_CAP_BANKS); n++) {
        struct mc_bank b = bank_take(n);
        struct mc_error e = mc_decode(cap, global, &b);
        if (e.kind == MC_NOTHING) {
            continue;
        }
        if (e.kind == MC_FATAL || count == LOST_FRAMES) {
            panic("machine check: %s: bank %u, status %lx, address %lx, global %lx",
                  e.kind == MC_FATAL ? e.why : "too many errors", n, b.status, b.addr, global);
        }
        found[count++] = e;
    }
    *broken = !(global & MCG_STATUS_RIPV);
    msr_write(MSR_MCG_STATUS, 0);
    return count;
}

void machine_check_user(struct cpu *cpu)
{
    struct mc_error e[LOST_FRAMES];
    bool broken;
    uint32_t count = check_take(e, &broken);

    if (broken && count == 0) {
        panic("machine check: the thread on processor %u cannot go on, and no bank says why", cpu->number);
    }
    for (uint32_t i = 0; i < count; i++) {
        kernel_memory_lost(cpu, e[i].pa, e[i].here, broken && i + 1 == count);
    }
}

static void note(struct cpu_tables *t, pa_t pa)
{
    for (uint32_t i = 0; i < LOST_FRAMES; i++) {
        if (load_relaxed(&t->lost[i]) == 0) {      // nobody else writes: not even a second check
            store_relaxed(&t->lost[i], pa + 1);
            return;
        }
    }
    panic("machine check: too much memory has failed, %lx too", (unsigned long)pa);
}

// From any instruction of the supervisor: no lock, nothing of the instance, GS base may be a program's.
void machine_check_supervisor(struct cpu_tables *t)
{
    struct mc_error e[LOST_FRAMES];
    bool broken;
    uint32_t count = check_take(e, &broken);

    for (uint32_t i = 0; i < count; i++) {
        broken |= e[i].here;
        note(t, e[i].pa);
    }
    if (broken) {
        panic("machine check: the supervisor cannot go on, memory at %lx", count > 0 ? (unsigned long)e[0].pa : 0ul);
    }
    if (count > 0) {
        apic_interrupt_self(VECTOR_LOST);
    }
}

void machine_check_late(struct cpu *cpu)
{
    struct cpu_tables *t = (struct cpu_tables *)(area_of(cpu->number) + AREA_TABLES);

    for (uint32_t i = 0; i < LOST_FRAMES; i++) {
        uint64_t lost = exchange_acq_rel(&t->lost[i], 0);
        if (lost != 0) {
            kernel_memory_lost(cpu, lost - 1, false, false);
        }
    }
}
