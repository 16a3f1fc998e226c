// memmap.c - from the firmware's list of memory to the ranges of struct boot_info.
#include "memmap.h"

#include "base.h"

enum { DISTANCE_HERE = 10, DISTANCE_AWAY = 20 };

void memmap_add(struct memmap *m, pa_t base, uint64_t length, bool usable)
{
    if (length != 0 && base + length > base) {
        ranges_add(usable ? &m->usable : &m->other, base, base + length);
    }
}

static void ranges_merge(struct ranges *l)
{
    for (uint32_t i = 1; i < l->count;) {
        if (l->r[i - 1].end == l->r[i].base && l->r[i - 1].cluster == l->r[i].cluster) {
            l->r[i - 1].end = l->r[i].end;
            ranges_remove(l, i);
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
            ranges_remove(l, i);
        } else {
            i++;
        }
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

static void ranges_shrink(struct ranges *l)
{
    while (l->count > BOOT_RANGES) {
        uint32_t smallest = 0;
        for (uint32_t i = 1; i < l->count; i++) {
            if (l->r[i].end - l->r[i].base < l->r[smallest].end - l->r[smallest].base) {
                smallest = i;
            }
        }
        ranges_remove(l, smallest);
        l->left_out++;
    }
}

uint32_t memmap_build(struct boot_info *info, const struct memmap *m, const struct acpi_facts *f,
                      const uint32_t *order, pa_t limit)
{
    struct ranges *l = &info->usable;
    struct clusters c = {0};

    *l = m->usable;
    for (uint32_t i = 0; i < m->other.count; i++) {
        ranges_subtract(l, m->other.r[i].base, m->other.r[i].end);
    }
    ranges_subtract(l, limit, ~(pa_t)0);
    for (uint32_t i = 0; i < f->memories; i++) {
        ranges_place(l, f->memory[i].base, f->memory[i].base + f->memory[i].length, f->memory[i].domain);
    }
    ranges_merge(l);
    ranges_align(l);
    ranges_shrink(l);
    for (uint32_t i = 0; i < info->cpus; i++) {
        cluster_add(&c, f->cpu_domain[order[i]]);
    }
    for (uint32_t i = 0; i < l->count; i++) {
        cluster_add(&c, l->r[i].cluster);
    }
    clusters_fill(info, &c, f, order);
    for (uint32_t i = 0; i < l->count; i++) {
        l->r[i].cluster = cluster_of(&c, l->r[i].cluster);
    }
    info->free = *l;
    return l->left_out + m->other.left_out;
}
