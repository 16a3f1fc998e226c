// rights.c - rights on page groups.
#include "supervisor.h"

void rights_set(struct appkernel *k, uint64_t group, uint32_t access)
{
    uint32_t shift = group % 4 * 2;
    k->rights[group / 4] = (uint8_t)((k->rights[group / 4] & ~(3u << shift)) | access << shift);
}

bool rights_cover(const struct instance *in, const struct appkernel *k, pa_t pa, uint64_t length, uint32_t access)
{
    if (pa + length < pa) {
        return false;
    }
    uint64_t last = (pa + length - 1) >> ABI_GROUP_SHIFT;
    if (last >= in->groups) {
        return false;
    }
    for (uint64_t g = pa >> ABI_GROUP_SHIFT; g <= last; g++) {
        if ((rights_get(k, g) & access) != access) {
            return false;
        }
    }
    return true;
}

bool rights_to_map(const struct instance *in, const struct appkernel *k, pa_t pa, uint64_t size, uint32_t access)
{
    uint64_t group = pa >> ABI_GROUP_SHIFT;

    if (size == ABI_PAGE) {
        return group < in->groups && (rights_get(k, group) & access) == access;
    }
    return rights_cover(in, k, pa, size, access);
}
