// arch.h - the machine contract: everything that the supervisor asks of a machine.
//
// Two implementations: arch/x86_64, and arch/host (processors are pthreads or scripted calls, memory is an
// array) on which objects, caches and state machines are unit-tested and fuzzed.  Generic code includes
// nothing else of the machine.  The inline functions are in <arch_inline.h>, included at the end.
//
// The supervisor is an event kernel: one stack a processor, interrupts off, no thread of its own.
//   - The machine saves the interrupted user registers in *cpu->frame (a struct frame of a state page,
//     reached through the map of memory), then calls one of the kernel_... functions below on the
//     processor's stack.
//   - Each returns when the processor may go back to user mode; the machine then loads the registers from
//     *cpu->frame, whatever that is by then, after checking them: RIP and RSP are below ABI_USER_END,
//     RFLAGS is masked; or it idles if
//     cpu->frame is NULL: it enables interrupts and halts, and calls kernel_interrupt when one comes.
//   - cpu->enter_fresh set: load RIP, RSP, RFLAGS, RDI, RSI and RDX only, and zero all other registers.
//     The machine clears the flag.
// Everything runs with interrupts off, except the halt.
#pragma once
#include <abi/frame.h>

#include "names.h"

// Page-table entries.  Tables have 512 entries of 64 bits at four levels: 3 is the root, 0 a leaf table.
typedef uint64_t pte_t;
enum { PT_ENTRIES = 512, PT_ROOT = 3 };

// ---- called by the machine --------------------------------------------------------------------------------

// Boot processor, once: all processors that will ever run are described in info, the others wait.
// Builds the instance, loads the first kernel, then calls arch_start_cpus().  Returns as the others do.
void kernel_boot(struct boot_info *info);
// Each other processor, once, on its own stack.
void kernel_cpu_start(struct cpu *cpu);
// A SYSCALL instruction; frame holds RIP after it.
void kernel_syscall(struct cpu *cpu);
// A page fault (vector 14) or other exception from user mode.
void kernel_exception(struct cpu *cpu, uint32_t vector, uint64_t error, uint64_t addr);
// An interrupt from user mode or from the halt.  What it was:
enum arch_irq { ARCH_IRQ_TIMER, ARCH_IRQ_IPI, ARCH_IRQ_CONSOLE, ARCH_IRQ_SPURIOUS };
void kernel_interrupt(struct cpu *cpu, enum arch_irq irq);
// The memory at pa has failed; called as kernel_interrupt is.  `here`: the thread that runs here was using it.
// `broken`: and cannot be gone on with.
void kernel_memory_lost(struct cpu *cpu, pa_t pa, bool here, bool broken);
// The registers in *cpu->frame cannot be returned to (RIP or RSP is no user address, or loading them faulted).
void kernel_bad_frame(struct cpu *cpu);

// ---- the machine gives ------------------------------------------------------------------------------------

// Inline, in <arch_inline.h>:
//   struct cpu *arch_cpu(void)                the processor that runs this code
//   void *arch_phys(pa_t pa)                  memory as the supervisor sees it: every physical address, cached
//   pa_t arch_pa(const void *p)               the inverse, for pointers that arch_phys gave
//   uint64_t arch_now(void)                   the clock: ticks since some moment, the same on all processors; user mode
//                                             reads it by RDTSC
//   void arch_relax(void)                     one step of a wait loop: PAUSE
// and page-table entries; access is of enum map_flags, the functions know nothing of policy:
//   pte_t arch_pte_leaf(pa_t, uint32_t access)  access may have MAP_LARGE for level 1
//                                             that of a frame n bytes on is the same plus n
//   pte_t arch_pte_table(pa_t table)
//   bool arch_pte_present(pte_t)              there is an entry, even if it allows nothing
//   bool arch_pte_large(pte_t)                a 2-MiB leaf at level 1
//   pa_t arch_pte_pa(pte_t)
//   uint32_t arch_pte_access(pte_t)           MAP_READ, _WRITE, _EXEC, _DEVICE, _LARGE, _MESSAGE, _REMOTE
//   bool arch_pte_lost(pte_t), arch_pte_message(pte_t), arch_pte_referenced(pte_t), arch_pte_modified(pte_t)
//   pte_t arch_pte_clear_referenced(pte_t)    as a value; store it with atomic ops
//   pte_t arch_pte_set_locked(pte_t), bool arch_pte_locked(pte_t)
//                                             remember in an entry's software bits that its record is locked
// An entry with MAP_REMOTE allows no access at all: a user's faults, with the entry present.  One that was made with
// MAP_LOST beside it, which is the supervisor's own flag, says so.
enum { MAP_LOST = 1 << 16 };

// A root table for a space: fills the supervisor's half. `root` is a cleared page.  Called once for each root, at boot.
void arch_root_init(pa_t root);
// Run in this space from now on, whose page tables begin at `root`.
void arch_space_switch(struct cpu *cpu, pa_t root);
// Run in the supervisor's own, in which no user address is mapped; cpu->root is 0.
void arch_space_leave(struct cpu *cpu);
// Forget cached translations of this processor: one page, or all of the present space.
void arch_tlb_flush_page(va_t va);
void arch_tlb_flush_all(void);

// Write FS and GS base and the extended state of the running thread to its state page; load them.
// arch_state_load gives false if the words there cannot be loaded; then nothing of them has been.
void arch_state_save(struct thread_state *s);
bool arch_state_load(const struct thread_state *s);
// The same to another place, aligned to 64; gives FS base.  GS base is not kept.
uint64_t arch_state_save_to(uint8_t xstate[XSTATE_SIZE]);
// Load what a new program has: FS base is 0, GS base as given.
void arch_state_begin(uint64_t gs);

// One-shot timer of this processor: interrupt at or after `when` (arch_now ticks); 0 disarms.
void arch_timer_arm(uint64_t when);
// From now on something happens every 838 ns, on no processor: an emulator whose processors take turns ends one then.
void arch_turns(void);
// Interrupt another processor with ARCH_IRQ_IPI.
void arch_ipi(cpu_t target);
// Make this code run as processor `cpu`: from here on arch_cpu() works.
void arch_cpu_init(struct cpu *cpu);
// Let the other processors go: each calls kernel_cpu_start.  cpu[i].stack_top is set for each.
void arch_start_cpus(void);

// Serial ports: 0 terminal, 1 log, 2 the programs' error stream.  Never blocks.
bool arch_console_put(uint32_t port, uint8_t byte);              // false: busy, try later
int  arch_console_get(uint32_t port);                            // -1: nothing there

// End of everything.  status 0-255 is told to the machine's owner where there is a way.
_Noreturn void arch_power_off(uint32_t status);
_Noreturn void arch_halt(void);
// Return addresses of the supervisor's stack, newest first; gives how many.
unsigned arch_backtrace(uint64_t *out, unsigned max);

#include <arch_inline.h>
