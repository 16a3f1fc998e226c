// usercopy.c - arguments in user memory.
#include "supervisor.h"

const void *usercopy_see(struct cpu *cpu, va_t va, size_t *rest)
{
    struct space *s = thread_where(cpu->thread);
    struct leaf leaf;

    if (!table_present(cpu->instance, s, va, &leaf) || (arch_pte_access(*leaf.pte) & (MAP_DEVICE | MAP_REMOTE))) {
        return NULL;
    }
    uint64_t size = leaf.level == 1 ? ABI_LARGE : ABI_PAGE, offset = va & (size - 1);
    *rest = size - offset;
    return (const char *)arch_phys(arch_pte_pa(*leaf.pte)) + offset;
}

err_t usercopy_in(struct cpu *cpu, void *to, va_t from, size_t length, va_t *bad)
{
    char *next = to;

    while (length > 0) {
        size_t rest;
        const void *at = usercopy_see(cpu, from, &rest);
        if (at == NULL) {
            *bad = from;
            return (err_t)ERR_USER_FAULT;
        }
        size_t n = rest < length ? rest : length;
        memcpy(next, at, n);
        next += n;
        from += n;
        length -= n;
    }
    return ERR_OK;
}
