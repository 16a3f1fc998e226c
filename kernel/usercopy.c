// usercopy.c - arguments in user memory.
#include "usercopy.h"

#include "arch.h"
#include "base.h"
#include "instance.h"
#include "mapping.h"
#include "table.h"

// Where va of the caller's space is in the map of memory, and how many bytes follow in the same page.
static void *locate(struct cpu *cpu, va_t va, uint32_t access, size_t *rest)
{
    struct instance *in = cpu->instance;
    struct thread *t = cpu->thread;
    struct space *s = t->depth > 0 ? t->kern->space : t->space;
    struct leaf leaf;

    if (access & MAP_WRITE) {
        (void)mapping_copy(cpu, s, va);
    }
    if (va >= ABI_USER_END || !table_find(in, s, va, 0, &leaf) || !arch_pte_present(*leaf.pte) ||
        (arch_pte_access(*leaf.pte) & access) != access || (arch_pte_access(*leaf.pte) & MAP_DEVICE)) {
        return NULL;
    }
    uint64_t size = leaf.level == 1 ? ABI_LARGE : ABI_PAGE, offset = va & (size - 1);
    *rest = size - offset;
    return (char *)arch_phys(arch_pte_pa(*leaf.pte)) + offset;
}

static err_t copy(struct cpu *cpu, char *kernel, va_t user, size_t length, bool out, va_t *bad)
{
    while (length > 0) {
        size_t rest;
        void *at = locate(cpu, user, out ? MAP_WRITE : MAP_READ, &rest);
        if (at == NULL) {
            *bad = user;
            return (err_t)ERR_USER_FAULT;
        }
        size_t n = rest < length ? rest : length;
        memcpy(out ? at : kernel, out ? kernel : at, n);
        kernel += n;
        user += n;
        length -= n;
    }
    return ERR_OK;
}

err_t usercopy_in(struct cpu *cpu, void *to, va_t from, size_t length, va_t *bad)
{
    return copy(cpu, to, from, length, false, bad);
}

err_t usercopy_out(struct cpu *cpu, va_t to, const void *from, size_t length, va_t *bad)
{
    return copy(cpu, (char *)(uintptr_t)from, to, length, true, bad);
}
