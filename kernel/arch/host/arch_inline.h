// arch_inline.h (host) - the inline part of the machine contract on a host: see host.h.
//
// Page-table entries have an encoding of their own, so that code which assumes the hardware's would fail.
#pragma once
#include <abi/object.h>

extern unsigned char *host_memory;                    // physical address 0
extern _Thread_local struct cpu *host_cpu;            // the processor this code runs as

void     host_relax(void);
uint64_t host_clock(void);

enum {
    HOST_PTE_PRESENT = 1, HOST_PTE_WRITE = 2, HOST_PTE_EXEC = 4, HOST_PTE_DEVICE = 8, HOST_PTE_LARGE = 16,
    HOST_PTE_LOCKED = 32, HOST_PTE_REFERENCED = 64, HOST_PTE_MODIFIED = 128, HOST_PTE_TABLE = 256,
    HOST_PTE_MESSAGE = 512, HOST_PTE_REMOTE = 1024, HOST_PTE_LOST = 2048,
};

static inline struct cpu *arch_cpu(void)
{
    return host_cpu;
}
static inline void *arch_phys(pa_t pa)
{
    return host_memory + pa;
}
static inline pa_t arch_pa(const void *p)
{
    return (pa_t)((const unsigned char *)p - host_memory);
}
static inline uint64_t arch_now(void)
{
    return host_clock();
}
static inline void arch_relax(void)
{
    host_relax();
}
static inline pte_t arch_pte_leaf(pa_t pa, uint32_t access)
{
    if (access & MAP_REMOTE) {
        access &= ~(uint32_t)(MAP_WRITE | MAP_EXEC);
    }
    return pa | HOST_PTE_PRESENT | (access & MAP_WRITE ? HOST_PTE_WRITE : 0u) |
           (access & MAP_EXEC ? HOST_PTE_EXEC : 0u) |
           (access & MAP_DEVICE ? HOST_PTE_DEVICE : 0u) | (access & MAP_LARGE ? HOST_PTE_LARGE : 0u) |
           (access & MAP_MESSAGE ? HOST_PTE_MESSAGE : 0u) | (access & MAP_REMOTE ? HOST_PTE_REMOTE : 0u) |
           (access & MAP_LOST ? HOST_PTE_LOST : 0u);
}
static inline pte_t arch_pte_table(pa_t table)
{
    return table | HOST_PTE_PRESENT | HOST_PTE_TABLE;
}
static inline bool arch_pte_present(pte_t e)
{
    return e & HOST_PTE_PRESENT;
}
static inline bool arch_pte_large(pte_t e)
{
    return e & HOST_PTE_LARGE;
}
static inline pa_t arch_pte_pa(pte_t e)
{
    return e & ~(pte_t)(ABI_PAGE - 1);
}
static inline uint32_t arch_pte_access(pte_t e)
{
    return (e & HOST_PTE_REMOTE ? MAP_REMOTE : MAP_READ) |
           (e & HOST_PTE_WRITE ? MAP_WRITE : 0u) | (e & HOST_PTE_EXEC ? MAP_EXEC : 0u) |
           (e & HOST_PTE_DEVICE ? MAP_DEVICE : 0u) | (e & HOST_PTE_LARGE ? MAP_LARGE : 0u) |
           (e & HOST_PTE_MESSAGE ? MAP_MESSAGE : 0u);
}
static inline bool arch_pte_lost(pte_t e)
{
    return e & HOST_PTE_LOST;
}
static inline bool arch_pte_message(pte_t e)
{
    return e & HOST_PTE_MESSAGE;
}
static inline bool arch_pte_referenced(pte_t e)
{
    return e & HOST_PTE_REFERENCED;
}
static inline bool arch_pte_modified(pte_t e)
{
    return e & HOST_PTE_MODIFIED;
}
static inline pte_t arch_pte_clear_referenced(pte_t e)
{
    return e & ~(pte_t)HOST_PTE_REFERENCED;
}
static inline pte_t arch_pte_set_locked(pte_t e)
{
    return e | HOST_PTE_LOCKED;
}
static inline bool arch_pte_locked(pte_t e)
{
    return e & HOST_PTE_LOCKED;
}
