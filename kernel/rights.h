// rights.h - which memory a kernel may name: two bits for each page group (Cache Kernel, 4.3).
//
// Every physical address that an application kernel gives the supervisor passes rights_cover().
#pragma once
#include "appkernel.h"

static inline uint32_t rights_get(const struct appkernel *k, uint64_t group)
{
    return k->rights[group / 4] >> (group % 4 * 2) & 3;
}
// May k read a page of this group, or write it?  Who may write may read, so one bit tells.
static inline bool rights_of_page(const struct appkernel *k, uint64_t group, bool write)
{
    return k->rights[group / 4] >> (group % 4 * 2 + write) & 1;
}
void     rights_set(struct appkernel *k, uint64_t group, uint32_t access);
// Does k have this access (enum group_access) on all of [pa, pa + length)?  length > 0.
bool     rights_cover(const struct instance *in, const struct appkernel *k, pa_t pa, uint64_t length, uint32_t access);
// May k map these frames, a page or a large one?
bool     rights_to_map(const struct instance *in, const struct appkernel *k, pa_t pa, uint64_t size, uint32_t access);
