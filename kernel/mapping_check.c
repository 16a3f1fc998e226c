// mapping_check.c - may this mapping be loaded?  Every check of a load, and no change.  Under the instance lock.
#include "supervisor.h"

enum {
    MAP_ALL = MAP_READ | MAP_WRITE | MAP_EXEC | MAP_LARGE | MAP_LOCKED | MAP_DEVICE | MAP_MESSAGE | MAP_SIGNAL |
              MAP_COPY | MAP_REMOTE,
    MAP_ACCESS = MAP_READ | MAP_WRITE | MAP_EXEC,
};

// Is there a place in k's table for what the processor notes of these frames?
static bool has_frame_states(const struct appkernel *k, uint64_t pfn, uint64_t frames)
{
    return pfn >= k->first_frame && k->frame_count >= frames && pfn - k->first_frame <= k->frame_count - frames;
}

static err_t source_check(const struct instance *in, const struct appkernel *k, pa_t source)
{
    if (source & (ABI_PAGE - 1)) {
        return ERR_INVAL;
    }
    return rights_to_map(in, k, source, ABI_PAGE, GROUP_READ) ? ERR_OK : ERR_DENIED;
}

err_t mapping_check(struct instance *in, struct appkernel *k, struct space *s, va_t va, pa_t pa, uint64_t flags,
                    pa_t source)
{
    uint64_t size = flags & MAP_LARGE ? ABI_LARGE : ABI_PAGE;
    bool write = flags & MAP_WRITE;

    if (s->owner != k && s->manager != k) {
        return ERR_DENIED;
    }
    if ((flags & ~(uint64_t)MAP_ALL) != 0 || (flags & MAP_ACCESS) == 0 || (write && (flags & MAP_EXEC)) ||
        ((va | pa) & (size - 1)) != 0 || va > ABI_USER_END - size || ((flags & MAP_SIGNAL) && !(flags & MAP_MESSAGE)) ||
        ((flags & MAP_MESSAGE) && (flags & MAP_LARGE))) {
        return ERR_INVAL;
    }
    if ((flags & MAP_COPY) && (!write || (flags & (MAP_LARGE | MAP_MESSAGE | MAP_DEVICE | MAP_REMOTE)))) {
        return ERR_INVAL;
    }
    if (!rights_to_map(in, k, pa, size, write ? GROUP_WRITE : GROUP_READ)) {
        return ERR_DENIED;
    }
    if (write && !has_frame_states(k, pa >> ABI_PAGE_SHIFT, size >> ABI_PAGE_SHIFT)) {
        return ERR_INVAL; // a modified bit would have no place to go
    }
    if ((flags & MAP_LOCKED) && k->limits.locked_mappings - k->held[HELD_LOCKED] < records_for(flags)) {
        return ERR_LIMIT;
    }
    if ((flags & MAP_MESSAGE) && pmap_is_full(in, pa >> ABI_PAGE_SHIFT) &&
        pmap_find(in, pa >> ABI_PAGE_SHIFT, s->o.slot, va >> ABI_PAGE_SHIFT) == NULL) {
        return ERR_LIMIT; // a signal would take too long
    }
    return flags & MAP_COPY ? source_check(in, k, source) : ERR_OK;
}
