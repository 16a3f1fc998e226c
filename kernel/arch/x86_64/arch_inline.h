// arch_inline.h - the inline part of the machine contract on x86-64.
#pragma once
#include <abi/object.h>
#include <abi/types.h>

#include "layout.h"

#define PTE_PRESENT      (1ull << 0)
#define PTE_WRITE        (1ull << 1)
#define PTE_USER         (1ull << 2)
#define PTE_UNCACHED     (1ull << 4)     // PCD: with the PAT as at reset, "UC-"
#define PTE_REFERENCED   (1ull << 5)     // set by the processor
#define PTE_MODIFIED     (1ull << 6)     // set by the processor
#define PTE_LARGE        (1ull << 7)     // a leaf above level 0
#define PTE_GLOBAL       (1ull << 8)     // stays in the TLB when the page-table register is written
#define PTE_LOCKED       (1ull << 9)     // ours: the mapping record is locked
#define PTE_MESSAGE      (1ull << 10)    // ours: in message mode
#define PTE_REMOTE       (1ull << 11)    // ours: held elsewhere, so not a user's page
#define PTE_LOST         (1ull << 52)    // ours: nobody has it
#define PTE_NO_EXECUTE   (1ull << 63)
#define PTE_ADDRESS      0x000ffffffffff000ull

static inline struct cpu *arch_cpu(void)
{
    struct cpu *cpu;
    // Not volatile: a processor's own base never changes while it runs supervisor code.
    __asm__("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}
static inline void *arch_phys(pa_t pa)
{
    return (void *)(MAP_BASE + pa);
}
static inline pa_t arch_pa(const void *p)
{
    return (pa_t)p - MAP_BASE;
}
static inline uint64_t arch_now(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
static inline void arch_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

// A remote page is the supervisor's, which can neither write nor execute it, and never reads through it.
static inline pte_t arch_pte_leaf(pa_t pa, uint32_t access)
{
    if (access & MAP_REMOTE) {
        return pa | PTE_PRESENT | PTE_REMOTE | PTE_NO_EXECUTE | (access & MAP_DEVICE ? PTE_UNCACHED : 0) |
               (access & MAP_LARGE ? PTE_LARGE : 0) | (access & MAP_MESSAGE ? PTE_MESSAGE : 0) |
               (access & MAP_LOST ? PTE_LOST : 0);
    }
    return pa | PTE_PRESENT | PTE_USER | (access & MAP_WRITE ? PTE_WRITE : 0) |
           (access & MAP_EXEC ? 0 : PTE_NO_EXECUTE) | (access & MAP_DEVICE ? PTE_UNCACHED : 0) |
           (access & MAP_LARGE ? PTE_LARGE : 0) | (access & MAP_MESSAGE ? PTE_MESSAGE : 0);
}
#define PTE_BIT(name, bit)                              \
    static inline bool arch_pte_##name(pte_t e)         \
    {                                                   \
        return e & (bit);                               \
    }
PTE_BIT(present, PTE_PRESENT)
PTE_BIT(large, PTE_LARGE)
PTE_BIT(lost, PTE_LOST)
PTE_BIT(message, PTE_MESSAGE)
PTE_BIT(referenced, PTE_REFERENCED)
PTE_BIT(modified, PTE_MODIFIED)
PTE_BIT(locked, PTE_LOCKED)
#undef PTE_BIT
static inline pte_t arch_pte_table(pa_t table)
{
    return table | PTE_PRESENT | PTE_WRITE | PTE_USER;
}
static inline pa_t arch_pte_pa(pte_t e)
{
    return e & PTE_ADDRESS;
}
static inline uint32_t arch_pte_access(pte_t e)
{
    return MAP_READ | (e & PTE_WRITE ? MAP_WRITE : 0u) | (e & PTE_NO_EXECUTE ? 0u : MAP_EXEC) |
           (e & PTE_UNCACHED ? MAP_DEVICE : 0u) | (e & PTE_LARGE ? MAP_LARGE : 0u) |
           (e & PTE_MESSAGE ? MAP_MESSAGE : 0u) | (e & PTE_REMOTE ? MAP_REMOTE : 0u);
}
static inline pte_t arch_pte_clear_referenced(pte_t e)
{
    return e & ~PTE_REFERENCED;
}
static inline pte_t arch_pte_set_locked(pte_t e)
{
    return e | PTE_LOCKED;
}
