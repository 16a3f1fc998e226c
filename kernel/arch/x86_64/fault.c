// fault.c - exceptions in the supervisor, backtraces, and the end of everything.
//
// The supervisor does not fault, with one exception: XRSTOR of an owner's bytes.  Anything else is reported
// and stops the machine.
#include "arch_impl.h"

enum { EXIT_PORT = 0xf4, EXIT_DONE = 0x10, EXIT_FAILED = 0x11 };
enum { SLEEP_ENABLE = 1 << 13, POWER_WAIT_US = 1000000 };

static void print_registers(const struct fault *f, uint64_t cr2)
{
    kprint("rip %016lx rsp %016lx rflags %lx cs %lx cr2 %lx cr3 %lx\n", f->rip, f->rsp, f->rflags, f->cs, cr2,
           cr3_read());
    kprint("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    kprint("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
    kprint("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
    kprint("r13 %016lx r14 %016lx r15 %016lx\n", f->r13, f->r14, f->r15);
}

// Which processor's area a stack pointer lies in; -1: none.
static int area_number(uint64_t rsp)
{
    return rsp >= AREA_BASE && rsp < area_of(ABI_MAX_CPUS) ? (int)((rsp - AREA_BASE) / AREA_SIZE) : -1;
}

// May a frame pointer and a return address be read there?
static bool on_stack(uint64_t rbp)
{
    uint64_t offset = (rbp - AREA_BASE) % AREA_SIZE;

    for (size_t i = 0; i < AREA_PARTS - 1; i++) {
        if (offset >= area_part[i][0] && offset + 16 <= area_part[i][1]) {
            return (rbp & 7) == 0;
        }
    }
    return false;
}

// Follow saved frame pointers while they stay within one processor's area: upwards, and from an interrupt stack on to
// what was interrupted.
unsigned arch_backtrace(uint64_t *out, unsigned max)
{
    uint64_t rbp = (uint64_t)__builtin_frame_address(0);
    unsigned n = 0;
    int area = area_number(rbp);

    while (n < max && area >= 0 && area_number(rbp) == area && on_stack(rbp)) {
        const uint64_t *frame = (const uint64_t *)rbp;
        out[n++] = frame[1];
        rbp = frame[0];
    }
    return n;
}

void machine_fault(struct fault *f)
{
    uint64_t cr2 = cr2_read();

    if (f->vector == VECTOR_GP && f->rip == (uint64_t)state_restore_load) {
        f->rip = (uint64_t)state_restore_refused;
        return;
    }
    if (f->vector == VECTOR_MC) {                  // the stack is in this processor's area, whatever GS base is
        machine_check_supervisor((struct cpu_tables *)(area_of((uint32_t)area_number((uint64_t)f)) + AREA_TABLES));
        return;
    }
    print_registers(f, cr2);
    panic("exception %lu, error %lx, in the supervisor at %lx on processor %d", f->vector, f->error, f->rip,
          area_number((uint64_t)f));
}

static _Noreturn void stop(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

// After a panic.  An emulator that was given an exit port ends with failure; a PC stands still and shows
// its last words.
void arch_halt(void)
{
    uart_drain();
    port_write32(EXIT_PORT, EXIT_FAILED);
    stop();
}

// The status has been told in the log: neither the emulator's exit port nor ACPI has room for it.
void arch_power_off(uint32_t status)
{
    const struct acpi_facts *a = &machine.acpi;

    (void)status;
    uart_drain();
    port_write32(EXIT_PORT, EXIT_DONE);
    if (a->has_s5 && a->pm1a != 0) {
        port_write16(a->pm1a, (uint16_t)(a->s5_a << 10 | SLEEP_ENABLE));
        if (a->pm1b != 0) {
            port_write16(a->pm1b, (uint16_t)(a->s5_b << 10 | SLEEP_ENABLE));
        }
        clock_delay(POWER_WAIT_US);
    }
    stop();
}
