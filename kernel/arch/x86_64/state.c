// state.c - what of a thread stays in the processor while the supervisor runs: bases and extended state.
//
// The words belong to the thread's owner, who may write them at any time: bases and MXCSR are read once and checked.
// The rest of the extended state is checked by XRSTOR itself as it loads it: it faults at a header that names what the
// processor does not have, and machine_fault turns that into `false`.  It loads MXCSR too, which hardware checks and
// QEMU does not; so MXCSR is loaded again, from the value that was checked.

#include "arch_impl.h"
#include "xstate.h"

// Between the two SWAPGS nothing comes but what may come between any two instructions of entry.S.
void arch_state_save(struct thread_state *s)
{
    uint64_t fs, gs;

    __asm__ volatile("rdfsbase %0\n\tswapgs\n\trdgsbase %1\n\tswapgs" : "=r"(fs), "=r"(gs));
    s->fs_base = fs;
    s->gs_base = gs;
    __asm__ volatile("xsave64 %0" : "+m"(s->xstate) : "a"((uint32_t)XCR0_ALL), "d"(0));
}

uint64_t arch_state_save_to(uint8_t xstate[XSTATE_SIZE])
{
    uint64_t fs;

    __asm__ volatile("rdfsbase %0\n\txsave64 (%1)"
                     : "=&r"(fs) : "r"(xstate), "a"((uint32_t)XCR0_ALL), "d"(0) : "memory");
    return fs;
}

// An area of zeros is the state of a new program.
bool arch_state_load(const struct thread_state *s)
{
    uint64_t fs = load_relaxed(&s->fs_base), gs = load_relaxed(&s->gs_base);
    uint32_t mxcsr = load_relaxed((const uint32_t *)(s->xstate + XSAVE_MXCSR));

    if (fs >= ABI_USER_END || gs >= ABI_USER_END || !mxcsr_ok(mxcsr)) {
        return false;
    }
    if (mxcsr == 0 && load_relaxed((const uint64_t *)(s->xstate + XSAVE_HEADER)) == 0) {
        mxcsr = MXCSR_INITIAL;
    }
    return state_restore(s->xstate, fs, mxcsr, gs);
}

// XRSTOR takes MXCSR from an area that has nothing else.
void arch_state_begin(uint64_t gs)
{
    static const uint8_t area[XSTATE_SIZE] __attribute__((aligned(64))) = {
        [XSAVE_MXCSR] = MXCSR_INITIAL & 0xff, [XSAVE_MXCSR + 1] = MXCSR_INITIAL >> 8,
    };

    __asm__ volatile("xrstor64 %0\n\twrfsbase %1\n\tswapgs\n\twrgsbase %2\n\tswapgs"
                     : : "m"(area), "r"(0ull), "r"(gs), "a"((uint32_t)XCR0_ALL), "d"(0));
}
