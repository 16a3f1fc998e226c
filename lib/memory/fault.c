// fault.c - a page of an address space: found, made, or copied; and what is loaded for it.
#include "memory_impl.h"

#include <base.h>
#include <sys.h>

enum { MAPPINGS_SCARCE = 1024 };         // with fewer in the supervisor, none is loaded before it is touched

static bool allows(const struct region *r, uint32_t access)
{
    uint32_t need = access == E_WRITE ? MAP_WRITE : access == E_EXEC ? MAP_EXEC : MAP_READ | MAP_WRITE | MAP_EXEC;
    return (r->access & need) != 0;
}

// Does the region write the segment's own pages?
static bool writes_through(const struct region *r)
{
    return r->shared && (r->access & MAP_WRITE);
}

// The frame that a page of a region has from the beginning, with a user for us.
static err_t first_frame(struct aspace *a, const struct region *r, va_t va, pa_t *frame)
{
    if (r->segment != NULL) {
        return segment_page(r->segment, region_page(r, va), writes_through(r), frame);
    }
    *frame = manager_frame(a->manager);
    if (*frame == 0) {
        return ERR_LIMIT;
    }
    memset(ak_window(*frame), 0, ABI_PAGE);
    return ERR_OK;
}

// The frame, whose user was counted for us, takes the place of what is in the slot, which may be nothing.
static void place(struct aspace *a, uint64_t *slot, va_t va, pa_t frame)
{
    va_t page = va & ~(va_t)(ABI_PAGE - 1);

    if (*slot == 0) {
        a->resident++;
        *slot = frame | E_PRESENT;
        return;
    }
    pa_t old = entry_frame(*slot);
    if (old != frame) {
        if (*slot & E_MAPPED) {
            aspace_unload(a, page, page + ABI_PAGE);
        }
        *slot = frame | E_PRESENT;
    }
    ak_frame_put(old);
}

static err_t make_private(struct aspace *a, const struct region *r, va_t va, uint64_t *slot)
{
    pa_t old = entry_frame(*slot);

    if (ak_frame_users(old) == 1) {
        return ERR_OK;
    }
    bool may_go = a->manager->hand != NULL;
    if (may_go) {
        ak_frame_get(old);               // the manager may take it away from the slot
    }
    pa_t frame = manager_frame(a->manager);
    if (frame != 0) {
        segment_copy(r->segment, region_page(r, va), frame, old);
        place(a, slot, va, frame);
    }
    if (may_go) {
        ak_frame_put(old);
    }
    return frame != 0 ? ERR_OK : ERR_LIMIT;
}

static uint64_t allowed(const struct region *r, uint64_t slot)
{
    uint64_t bits = r->access != 0 ? E_READ : 0;

    if (r->access & MAP_EXEC) {
        bits |= E_EXEC;
    }
    if (r->shared) {
        return bits | E_SHARED | (r->access & MAP_WRITE ? E_WRITE : 0);
    }
    if ((r->access & MAP_WRITE) && ak_frame_users(entry_frame(slot)) == 1) {
        bits |= E_WRITE;
    }
    return bits;
}

// slot: of the page, or NULL if the tree has no node for it yet.
static err_t fill(struct aspace *a, const struct region *r, va_t va, uint32_t access, uint64_t *slot, uint64_t *entry)
{
    err_t e = ERR_OK;

    // Also for a page of a segment that was found when nobody here could write it: its own may be another one.
    if (slot == NULL || *slot == 0 || (writes_through(r) && !(*slot & E_WRITE))) {
        pa_t frame;
        e = first_frame(a, r, va, &frame);
        if (e != ERR_OK) {
            return e;
        }
        slot = slot != NULL ? slot : tree_make(&a->pages, page_of(va));
        if (slot == NULL) {
            ak_frame_put(frame);
            return ERR_LIMIT;
        }
        place(a, slot, va, frame);
    }
    if (access == E_WRITE && !r->shared) {
        e = make_private(a, r, va, slot);
    }
    if (e == ERR_OK) {
        *slot = (*slot & ~(uint64_t)(E_BITS & ~E_MAPPED)) | E_PRESENT | allowed(r, *slot);
        *entry = *slot;
    }
    return e;
}

err_t aspace_make(struct aspace *a, va_t va, uint32_t access, uint64_t *slot, uint64_t *entry)
{
    const struct region *r = va < ABI_USER_END ? aspace_find(a, va) : NULL;

    if (r == NULL) {
        return ERR_INVAL;
    }
    if (!allows(r, access)) {
        return ERR_DENIED;
    }
    if (access == E_WRITE && (slot == NULL || *slot == 0) && large_touch(a, r, va, &slot)) {
        *entry = *slot;
        return ERR_OK;
    }
    return fill(a, r, va, access, slot, entry);
}

// Writable and executable at once is refused by the supervisor: such a page is what was asked for last.
static uint64_t load_flags(uint64_t entry, uint32_t access)
{
    if ((entry & E_EXEC) && (access == E_EXEC || !(entry & E_WRITE))) {
        return MAP_READ | MAP_EXEC;
    }
    return entry & E_WRITE ? MAP_READ | MAP_WRITE : MAP_READ;
}

static struct map_entry load_entry(va_t page, uint64_t *slot, uint32_t access)
{
    *slot |= E_MAPPED;
    return (struct map_entry){page, entry_frame(*slot), load_flags(*slot, access)};
}

// May pages of this region be loaded before they are touched?  Those that cost no copy and no new frame.
static bool may_precede(const struct region *r, uint32_t access)
{
    return r->segment != NULL && r->segment->ops->ahead && access != E_WRITE && !r->shared && !(r->access & MAP_WRITE);
}

// Neighbours of a page that was touched: not worth it where mappings are scarce, nor for memory without a segment
// that nobody has touched.
static void load_around(struct aspace *a, va_t page, uint32_t access)
{
    const struct region *r = aspace_find(a, page);
    const va_t window = (va_t)ASPACE_AROUND << ABI_PAGE_SHIFT;
    struct map_entry load[ASPACE_AROUND];
    uint64_t count = 0, loaded = 0;

    if (r == NULL || a->id == 0 || a->pages.height == 0 || ak_system->mappings < MAPPINGS_SCARCE) {
        return;
    }
    va_t from = page & ~(window - 1), to = from + window;
    from = from > r->start ? from : r->start;
    to = to < r->end ? to : r->end;
    bool precede = may_precede(r, access);
    // A window lies in one leaf of the tree: the one that has the page.
    uint64_t *slot = tree_find(&a->pages, page_of(from));
    for (va_t at = from; at < to; at += ABI_PAGE, slot++) {
        uint64_t ignore;
        if (precede && *slot == 0) {
            precede = fill(a, r, at, access, slot, &ignore) == ERR_OK;
        }
        if ((*slot & (E_MAPPED | E_READ)) == E_READ) {
            load[count++] = load_entry(at, slot, access);
        }
    }
    if (count > 0) {
        (void)sys_mapping_load_batch(a->id, load, count, &loaded);
    }
}

err_t aspace_fault(struct aspace *a, va_t va, uint64_t error, struct map_entry *load)
{
    uint32_t access = error & FAULT_WRITE ? E_WRITE : error & FAULT_EXEC ? E_EXEC : E_READ;
    va_t page = va & ~(va_t)(ABI_PAGE - 1);
    uint64_t entry;
    err_t e = aspace_page(a, va, access, &entry);

    if (e == ERR_OK && !((entry & E_LARGE) && large_load(a, va, entry, load))) {
        *load = load_entry(page, tree_find(&a->pages, page_of(va)), access);
        load_around(a, page, access);
    }
    return e;
}
