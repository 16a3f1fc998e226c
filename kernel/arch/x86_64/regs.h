// regs.h - processor registers: bits, and the instructions that reach them.
#pragma once
#include <stdint.h>

enum {                                   // model-specific registers
    MSR_APIC_BASE      = 0x1b,
    MSR_SYSENTER_CS    = 0x174,
    MSR_X2APIC         = 0x800,          // + offset of the register in the page / 16
    MSR_X2APIC_ICR     = 0x830,
};
#define MSR_MCG_CAP      0x179u          // machine checks: global; then four registers for each bank
#define MSR_MCG_STATUS   0x17au
#define MSR_MCG_CTL      0x17bu
#define MSR_MC_CTL(n)    (0x400u + 4 * (n))
#define MSR_MC_STATUS(n) (0x401u + 4 * (n))
#define MSR_MC_ADDR(n)   (0x402u + 4 * (n))
#define MSR_MC_MISC(n)   (0x403u + 4 * (n))
#define MSR_EFER         0xc0000080u
#define MSR_STAR         0xc0000081u
#define MSR_LSTAR        0xc0000082u
#define MSR_CSTAR        0xc0000083u
#define MSR_SFMASK       0xc0000084u
#define MSR_GS_BASE      0xc0000101u
#define MSR_KERNEL_GS    0xc0000102u     // the user's GS base while the supervisor runs
#define MSR_TSC_AUX      0xc0000103u

#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_X2     (1ull << 10)

#define EFER_SCE         (1ull << 0)     // SYSCALL
#define EFER_NXE         (1ull << 11)    // no-execute pages

#define CR0_MP           (1ull << 1)     // WAIT obeys TS
#define CR0_EM           (1ull << 2)     // no x87: must be clear
#define CR0_TS           (1ull << 3)     // task switched: must be clear
#define CR0_NE           (1ull << 5)     // x87 errors are exceptions
#define CR0_WP           (1ull << 16)    // write protection holds in ring 0 too
#define CR0_AM           (1ull << 18)    // ring 3 may ask for alignment checks

#define CR4_TSD          (1ull << 2)     // RDTSC only in ring 0: must be clear
#define CR4_DE           (1ull << 3)
#define CR4_MCE          (1ull << 6)     // machine checks
#define CR4_PGE          (1ull << 7)     // global pages
#define CR4_OSFXSR       (1ull << 9)     // SSE
#define CR4_OSXMMEXCPT   (1ull << 10)    // SSE errors are exceptions
#define CR4_UMIP         (1ull << 11)    // SGDT and such only in ring 0
#define CR4_FSGSBASE     (1ull << 16)
#define CR4_OSXSAVE      (1ull << 18)
#define CR4_SMEP         (1ull << 20)    // ring 0 does not execute user pages
#define CR4_SMAP         (1ull << 21)    // ring 0 does not touch user pages

#define XCR0_ALL         7ull            // x87, SSE, AVX

static inline uint64_t msr_read(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}
static inline void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
static inline void xcr0_write(uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

#define CR_READ_WRITE(n)                                                     \
    static inline uint64_t cr##n##_read(void)                                \
    {                                                                        \
        uint64_t v;                                                          \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory");       \
        return v;                                                            \
    }                                                                        \
    static inline void cr##n##_write(uint64_t v)                             \
    {                                                                        \
        __asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory");           \
    }
CR_READ_WRITE(0)
CR_READ_WRITE(2)
CR_READ_WRITE(3)
CR_READ_WRITE(4)
#undef CR_READ_WRITE

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub));
    return r;
}

#define PORT_READ_WRITE(bits, suffix)                                                      \
    static inline uint##bits##_t port_read##bits(uint16_t port)                            \
    {                                                                                      \
        uint##bits##_t value;                                                              \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port));                \
        return value;                                                                      \
    }                                                                                      \
    static inline void port_write##bits(uint16_t port, uint##bits##_t value)               \
    {                                                                                      \
        __asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port));               \
    }
PORT_READ_WRITE(8, "b")
PORT_READ_WRITE(16, "w")
PORT_READ_WRITE(32, "l")
#undef PORT_READ_WRITE
