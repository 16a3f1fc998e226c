// bootmem.c - memory at boot.
#include "bootmem.h"

#include "assert.h"

pa_t boot_memory_end(const struct boot_info *info)
{
    pa_t end = 0;

    for (uint32_t i = 0; i < info->usable_ranges; i++) {
        pa_t e = info->usable[i].base + info->usable[i].length;
        end = e > end ? e : end;
    }
    return end;
}

static void remove_range(struct bootmem *m, uint32_t i)
{
    for (uint32_t j = i + 1; j < m->count; j++) {
        m->free[j - 1] = m->free[j];
    }
    m->count--;
}

static void split_range(struct bootmem *m, uint32_t i, pa_t base, pa_t end)
{
    assert(m->count < sizeof(m->free) / sizeof(m->free[0]));
    for (uint32_t j = m->count; j > i + 1; j--) {
        m->free[j] = m->free[j - 1];
    }
    m->free[i + 1] = m->free[i];
    m->free[i].end = base;
    m->free[i + 1].base = end;
    m->count++;
}

void bootmem_reserve(struct bootmem *m, pa_t base, pa_t end)
{
    for (uint32_t i = 0; i < m->count;) {
        pa_t b = m->free[i].base, e = m->free[i].end;
        if (end <= b || e <= base) {
            i++;
        } else if (base <= b && e <= end) {
            remove_range(m, i);
        } else if (base <= b) {
            m->free[i++].base = end;
        } else if (e <= end) {
            m->free[i++].end = base;
        } else {
            split_range(m, i, base, end);
            i += 2;
        }
    }
}

void bootmem_init(struct bootmem *m, const struct boot_info *info)
{
    m->count = 0;
    for (uint32_t i = 0; i < info->usable_ranges; i++) {
        m->free[m->count].base = info->usable[i].base;
        m->free[m->count].end = info->usable[i].base + info->usable[i].length;
        m->free[m->count].cluster = info->usable_cluster[i];
        m->count++;
    }
    bootmem_reserve(m, 0, 1 << 20);            // the first megabyte: firmware, trampoline
    for (uint32_t i = 0; i < info->reserved_ranges; i++) {
        bootmem_reserve(m, info->reserved[i].base, info->reserved[i].base + info->reserved[i].length);
    }
}

pa_t bootmem_take(struct bootmem *m, uint64_t size, uint64_t align)
{
    for (uint32_t i = m->count; i-- > 0;) {
        pa_t b = m->free[i].base, e = m->free[i].end;
        if (e - b < size) {
            continue;
        }
        pa_t at = (e - size) & ~(align - 1);
        if (at >= b && at <= e - size) {
            bootmem_reserve(m, at, at + size);
            return at;
        }
    }
    return 0;
}
