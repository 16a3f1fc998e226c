// ranges.c - lists of stretches of memory at boot.
#include "ranges.h"

#include "base.h"

static void insert(struct ranges *l, uint32_t at, struct range r)
{
    if (l->count == RANGES_MOST) {
        l->left_out++;
        return;
    }
    memmove(&l->r[at + 1], &l->r[at], (l->count - at) * sizeof(r));
    l->r[at] = r;
    l->count++;
}

void ranges_remove(struct ranges *l, uint32_t at)
{
    l->count--;
    memmove(&l->r[at], &l->r[at + 1], (l->count - at) * sizeof(l->r[0]));
}

// Make two of a range that goes over `at`.
static void split(struct ranges *l, pa_t at)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct range r = l->r[i];
        if (r.base < at && at < r.end) {
            l->r[i].end = at;
            insert(l, i + 1, (struct range){at, r.end, r.cluster});
            return;
        }
    }
}

void ranges_subtract(struct ranges *l, pa_t base, pa_t end)
{
    split(l, base);
    split(l, end);
    for (uint32_t i = l->count; i-- > 0;) {
        if (base <= l->r[i].base && l->r[i].end <= end) {
            ranges_remove(l, i);
        }
    }
}

void ranges_add(struct ranges *l, pa_t base, pa_t end)
{
    uint32_t i = 0;

    ranges_subtract(l, base, end);
    while (i < l->count && l->r[i].base < base) {
        i++;
    }
    insert(l, i, (struct range){base, end, 0});
}

void ranges_place(struct ranges *l, pa_t base, pa_t end, uint32_t cluster)
{
    split(l, base);
    split(l, end);
    for (uint32_t i = 0; i < l->count; i++) {
        if (base <= l->r[i].base && l->r[i].end <= end) {
            l->r[i].cluster = cluster;
        }
    }
}

pa_t ranges_take(struct ranges *l, uint64_t size, uint64_t align, pa_t low, pa_t high)
{
    for (uint32_t i = l->count; i-- > 0;) {
        pa_t base = l->r[i].base > low ? l->r[i].base : low, end = l->r[i].end < high ? l->r[i].end : high;
        pa_t at = (end - size) & ~(align - 1);
        if (base < end && end - base >= size && at >= base) {
            ranges_subtract(l, at, at + size);
            return at;
        }
    }
    return 0;
}
