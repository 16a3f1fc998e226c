// state.c - what of a thread stays in the processor while the supervisor runs: bases and extended state.
//
// The words belong to the thread's owner, who may write them at any time: bases are read once and checked.
// The extended state is checked in place, then loaded by XRSTOR, which checks it again and faults if it has
// been changed meanwhile (machine_fault turns that into `false`).  QEMU checks less than hardware does,
// hence arch_xstate_ok.
#include "arch_impl.h"
#include "atomic.h"
#include "xstate.h"

static uint64_t base_fs(void)
{
    uint64_t v;
    __asm__ volatile("rdfsbase %0" : "=r"(v));
    return v;
}

void arch_state_save(struct cpu *cpu, struct thread_state *s)
{
    (void)cpu;
    s->fs_base = base_fs();
    s->gs_base = msr_read(MSR_KERNEL_GS);
    __asm__ volatile("xsave64 %0" : "+m"(s->xstate) : "a"((uint32_t)XCR0_ALL), "d"(0) : "memory");
}

// An area of zeros is the state of a new program.  Hardware takes MXCSR from the area even if the header
// says that SSE is as at reset, QEMU does not: so it is loaded by itself, from the value that was checked.
bool arch_state_load(struct cpu *cpu, const struct thread_state *s)
{
    uint64_t fs = load_relaxed(&s->fs_base), gs = load_relaxed(&s->gs_base);
    uint32_t mxcsr = load_relaxed((const uint32_t *)(s->xstate + XSAVE_MXCSR));
    uint64_t saved = load_relaxed((const uint64_t *)(s->xstate + XSAVE_HEADER));

    (void)cpu;
    if (fs >= ABI_USER_END || gs >= ABI_USER_END || (mxcsr & ~(uint32_t)MXCSR_ALLOWED) != 0 ||
        !arch_xstate_ok(s->xstate) || !state_restore(s->xstate)) {
        return false;
    }
    if (saved == 0 && mxcsr == 0) {
        mxcsr = MXCSR_INITIAL;
    }
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    __asm__ volatile("wrfsbase %0" : : "r"(fs));
    msr_write(MSR_KERNEL_GS, gs);
    return true;
}
