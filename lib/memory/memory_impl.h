// memory_impl.h - what the files of the library share.
#pragma once
#include "segment.h"

static inline uint64_t page_of(va_t va)
{
    return va >> ABI_PAGE_SHIFT;
}

// The page of its segment that a region shows at va.
static inline uint64_t region_page(const struct region *r, va_t va)
{
    return r->page + page_of(va - r->start);
}

// A range of whole pages in user space, not empty.
static inline bool range_valid(va_t start, va_t end)
{
    return ((start | end) & (ABI_PAGE - 1)) == 0 && start < end && end <= ABI_USER_END;
}

// segment.c
bool segment_replaceable(const struct segment *s);
void segment_copy(struct segment *s, uint64_t page, pa_t to, pa_t from);      // s may be NULL

// manager.c
uint8_t frame_state_take(pa_t frame);                // bits of enum frame_state since the last time

// large.c
// A first write at va: all pages of the 2 MiB around it at once, if it may be; *slot is that of va.  False: its page is
// to be made alone; *slot may be NULL now.
bool large_touch(struct aspace *a, const struct region *r, va_t va, uint64_t **slot);
// A fault on a page whose entry has E_LARGE: is the 2 MiB around it to be loaded?  False: the mark is gone.
bool large_load(struct aspace *a, va_t va, uint64_t entry, struct map_entry *load);

// region.c
void region_link(struct aspace *a, struct region *r, struct region *before);
void region_remove(struct aspace *a, struct region *r);      // with its user of the segment
err_t region_insert(struct aspace *a, const struct region *like, struct region **out);   // into free addresses
err_t range_split(struct aspace *a, va_t start, va_t end);    // regions begin and end there
void range_join(struct aspace *a, va_t start, va_t end);      // regions that are alike become one
