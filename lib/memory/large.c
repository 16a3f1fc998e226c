// large.c - 2 MiB of an address space at once: one fault, one mapping.
//
// The first write to an aligned 2 MiB of private memory without a segment, of which no page has been touched, makes all
// of its pages, if the manager has an aligned 2 MiB of frames for them.  From then on each is a page like any other: it
// has an entry and its frame has users of its own, so what copies, protects, moves and unbinds need not know.
// Their entries are marked E_LARGE.  A fault on one of them looks whether all 512 are still what one mapping can
// stand for (these frames, readable and writable) and loads that; if not, the marks go, and with them what is loaded.
//
// Whoever changes an entry unloads its page, if E_MAPPED says so, and with it the whole large mapping
// (abi/object.h): so E_MAPPED is set in all 512 before that is loaded.
#include "memory_impl.h"

#include <base.h>

enum { FRAMES = ABI_LARGE / ABI_PAGE, BITS = E_PRESENT | E_READ | E_WRITE | E_LARGE };

static uint64_t first_page(va_t va)
{
    return page_of(va & ~(va_t)(ABI_LARGE - 1));
}

static bool make_nodes(struct aspace *a, uint64_t first)
{
    for (uint64_t i = 0; i < FRAMES; i += TREE_SLOTS) {
        if (tree_make(&a->pages, first + i) == NULL) {
            return false;
        }
    }
    return true;
}

static bool may_be_large(struct aspace *a, const struct region *r, va_t start)
{
    const struct manager_ops *ops = a->manager->ops;
    uint64_t index = page_of(start);

    return ops != NULL && ops->large != NULL && r->segment == NULL && r->access == (MAP_READ | MAP_WRITE) &&
           start >= r->start && r->end - start >= ABI_LARGE &&
           tree_next(&a->pages, &index, page_of(start) + FRAMES) == NULL;
}

bool large_touch(struct aspace *a, const struct region *r, va_t va, uint64_t **slot)
{
    uint64_t first = first_page(va);

    if (!may_be_large(a, r, first << ABI_PAGE_SHIFT)) {
        return false;
    }
    pa_t frame = make_nodes(a, first) ? a->manager->ops->large(a->manager, r) : 0;
    if (frame == 0) {
        tree_prune(&a->pages, first, first + FRAMES);
        *slot = NULL;
        return false;
    }
    memset(ak_window(frame), 0, ABI_LARGE);
    for (uint64_t i = 0; i < FRAMES; i++) {
        *tree_find(&a->pages, first + i) = (frame + (i << ABI_PAGE_SHIFT)) | BITS;
    }
    a->resident += FRAMES;
    *slot = tree_find(&a->pages, page_of(va));
    return true;
}

static bool whole(struct aspace *a, uint64_t first, pa_t frame)
{
    for (uint64_t i = 0; i < FRAMES; i++) {
        const uint64_t *slot = tree_find(&a->pages, first + i);
        if (slot == NULL || (*slot & ~(uint64_t)E_MAPPED) != ((frame + (i << ABI_PAGE_SHIFT)) | BITS)) {
            return false;
        }
    }
    return true;
}

bool large_load(struct aspace *a, va_t va, uint64_t entry, struct map_entry *load)
{
    uint64_t first = first_page(va), *slot;
    va_t start = first << ABI_PAGE_SHIFT;
    pa_t frame = entry_frame(entry) - ((page_of(va) - first) << ABI_PAGE_SHIFT);
    bool large = frame % ABI_LARGE == 0 && whole(a, first, frame);

    if (!large) {
        aspace_unload(a, start, start + ABI_LARGE);
    }
    for (uint64_t index = first; (slot = tree_next(&a->pages, &index, first + FRAMES)) != NULL; index++) {
        *slot = large ? *slot | E_MAPPED : *slot & ~(uint64_t)(E_LARGE | E_MAPPED);
    }
    *load = (struct map_entry){start, frame, MAP_READ | MAP_WRITE | MAP_LARGE};
    return large;
}
