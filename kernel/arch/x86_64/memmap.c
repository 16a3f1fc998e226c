// memmap.c - from the firmware's list of memory to the ranges of struct boot_info.
#include "memmap.h"

#include "base.h"

enum { DISTANCE_HERE = 10, DISTANCE_AWAY = 20 };

// Working list: sorted, never overlapping.  Twice the final size, for splits before the smallest are left
// out.
struct ranges {
    uint32_t count, left_out;
    struct range { pa_t base, end; uint32_t domain; } r[2 * MEMMAP_ENTRIES];
};

void memmap_add(struct memmap *m, pa_t base, uint64_t length, bool usable)
{
    if (length == 0 || base + length < base) {
        return;
    }
    if (m->count == MEMMAP_ENTRIES) {
        m->left_out++;
        return;
    }
    m->entry[m->count++] = (struct memmap_entry){base, length, usable};
}

static void range_insert(struct ranges *l, uint32_t at, struct range r)
{
    if (l->count == sizeof(l->r) / sizeof(l->r[0])) {
        l->left_out++;
        return;
    }
    memmove(&l->r[at + 1], &l->r[at], (l->count - at) * sizeof(r));
    l->r[at] = r;
    l->count++;
}

static void range_remove(struct ranges *l, uint32_t at)
{
    l->count--;
    memmove(&l->r[at], &l->r[at + 1], (l->count - at) * sizeof(l->r[0]));
}

static void range_subtract(struct ranges *l, pa_t base, pa_t end)
{
    for (uint32_t i = 0; i < l->count;) {
        struct range r = l->r[i];
        if (end <= r.base || r.end <= base) {
            i++;
            continue;
        }
        range_remove(l, i);
        if (end < r.end) {
            range_insert(l, i, (struct range){end, r.end, r.domain});
        }
        if (r.base < base) {
            range_insert(l, i, (struct range){r.base, base, r.domain});
            i++;
        }
    }
}

static void range_add(struct ranges *l, pa_t base, pa_t end)
{
    uint32_t i = 0;

    range_subtract(l, base, end);                  // what is named twice counts once
    while (i < l->count && l->r[i].base < base) {
        i++;
    }
    range_insert(l, i, (struct range){base, end, 0});
}

static void ranges_merge(struct ranges *l)
{
    for (uint32_t i = 1; i < l->count;) {
        if (l->r[i - 1].end == l->r[i].base && l->r[i - 1].domain == l->r[i].domain) {
            l->r[i - 1].end = l->r[i].end;
            range_remove(l, i);
        } else {
            i++;
        }
    }
}

static void ranges_align(struct ranges *l)
{
    for (uint32_t i = 0; i < l->count;) {
        l->r[i].base = (l->r[i].base + ABI_PAGE - 1) & ~(pa_t)(ABI_PAGE - 1);
        l->r[i].end &= ~(pa_t)(ABI_PAGE - 1);
        if (l->r[i].base >= l->r[i].end) {
            range_remove(l, i);
        } else {
            i++;
        }
    }
}

// Give [base, end) its domain, splitting ranges at its borders.
static void range_place(struct ranges *l, pa_t base, pa_t end, uint32_t domain)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct range r = l->r[i];
        if (end <= r.base || r.end <= base) {
            continue;
        }
        if (r.base < base) {
            l->r[i].end = base;
            range_insert(l, i + 1, (struct range){base, r.end, r.domain});
            continue;
        }
        if (end < r.end) {
            l->r[i].end = end;
            range_insert(l, i + 1, (struct range){end, r.end, r.domain});
        }
        l->r[i].domain = domain;
    }
}

// Clusters are numbered in the order of their domains' numbers.
struct clusters {
    uint32_t count;
    uint32_t domain[ACPI_DOMAINS];
};

static void cluster_add(struct clusters *c, uint32_t domain)
{
    uint32_t i = 0;

    while (i < c->count && c->domain[i] < domain) {
        i++;
    }
    if ((i < c->count && c->domain[i] == domain) || c->count == ACPI_DOMAINS) {
        return;
    }
    memmove(&c->domain[i + 1], &c->domain[i], (c->count - i) * sizeof(c->domain[0]));
    c->domain[i] = domain;
    c->count++;
}

static uint8_t cluster_of(const struct clusters *c, uint32_t domain)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->domain[i] == domain) {
            return (uint8_t)i;
        }
    }
    return 0;
}

static void clusters_fill(struct boot_info *info, const struct clusters *c, const struct acpi_facts *f,
                          const uint32_t *order)
{
    info->clusters = c->count;
    for (uint32_t i = 0; i < info->cpus; i++) {
        info->cluster_of[i] = cluster_of(c, f->cpu_domain[order[i]]);
    }
    for (uint32_t i = 0; i < ACPI_DOMAINS; i++) {
        for (uint32_t j = 0; j < ACPI_DOMAINS; j++) {
            info->distance[i][j] = i == j ? DISTANCE_HERE : DISTANCE_AWAY;
            if (i < c->count && j < c->count && c->domain[i] < f->distances && c->domain[j] < f->distances) {
                info->distance[i][j] = f->distance[c->domain[i]][c->domain[j]];
            }
        }
    }
}

static uint32_t ranges_shrink(struct ranges *l)
{
    uint32_t left_out = l->left_out;

    while (l->count > BOOT_RANGES) {
        uint32_t smallest = 0;
        for (uint32_t i = 1; i < l->count; i++) {
            if (l->r[i].end - l->r[i].base < l->r[smallest].end - l->r[smallest].base) {
                smallest = i;
            }
        }
        range_remove(l, smallest);
        left_out++;
    }
    return left_out;
}

uint32_t memmap_build(struct boot_info *info, const struct memmap *m, const struct acpi_facts *f,
                      const uint32_t *order, pa_t limit)
{
    static struct ranges l;                        // too large for a stack; used once, at boot
    struct clusters c = {0};

    l.count = l.left_out = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->entry[i].usable) {
            range_add(&l, m->entry[i].base, m->entry[i].base + m->entry[i].length);
        }
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (!m->entry[i].usable) {
            range_subtract(&l, m->entry[i].base, m->entry[i].base + m->entry[i].length);
        }
    }
    range_subtract(&l, limit, ~(pa_t)0);
    ranges_merge(&l);
    for (uint32_t i = 0; i < f->memories; i++) {
        range_place(&l, f->memory[i].base, f->memory[i].base + f->memory[i].length, f->memory[i].domain);
    }
    ranges_align(&l);
    ranges_merge(&l);
    uint32_t left_out = ranges_shrink(&l);
    for (uint32_t i = 0; i < info->cpus; i++) {
        cluster_add(&c, f->cpu_domain[order[i]]);
    }
    for (uint32_t i = 0; i < l.count; i++) {
        cluster_add(&c, l.r[i].domain);
    }
    clusters_fill(info, &c, f, order);
    info->usable_ranges = l.count;
    for (uint32_t i = 0; i < l.count; i++) {
        info->usable[i] = (struct boot_range){l.r[i].base, l.r[i].end - l.r[i].base};
        info->usable_cluster[i] = cluster_of(&c, l.r[i].domain);
    }
    return left_out;
}

bool memmap_reserve(struct boot_info *info, pa_t base, uint64_t length)
{
    if (length == 0) {
        return true;
    }
    if (info->reserved_ranges == BOOT_RANGES) {
        return false;
    }
    info->reserved[info->reserved_ranges++] = (struct boot_range){base, length};
    return true;
}

// The first end of a reserved stretch that touches [base, base + size), or 0.
static pa_t blocked(const struct boot_info *info, pa_t base, uint64_t size)
{
    for (uint32_t i = 0; i < info->reserved_ranges; i++) {
        pa_t b = info->reserved[i].base, e = b + info->reserved[i].length;
        if (base < e && b < base + size) {
            return e;
        }
    }
    return 0;
}

pa_t memmap_find(const struct boot_info *info, uint64_t size, uint64_t align, pa_t low, pa_t high)
{
    for (uint32_t i = 0; i < info->usable_ranges; i++) {
        pa_t at = info->usable[i].base, end = at + info->usable[i].length;
        at = at > low ? at : low;
        end = end < high ? end : high;
        while (at < end) {
            at = (at + align - 1) & ~(align - 1);
            if (at >= end || end - at < size) {
                break;
            }
            pa_t next = blocked(info, at, size);
            if (next == 0) {
                return at;
            }
            at = next;
        }
    }
    return 0;
}
