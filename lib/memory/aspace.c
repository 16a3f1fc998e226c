// aspace.c - address spaces: what is bound, changed, moved, copied and taken away, with the pages.
#include "memory_impl.h"

#include <base.h>
#include <sys.h>

void aspace_unload(struct aspace *a, va_t start, va_t end)
{
    uint64_t count;

    if (a->id != 0 && range_valid(start, end) &&
        sys_mapping_unload(a->id, start, end - start, &count) != ERR_OK) {
        ak_space_finish(a->id);          // stale: then it is not to be used by any processor either
        a->id = 0;
    }
}

void aspace_drop(struct aspace *a, va_t start, va_t end)
{
    uint64_t index = page_of(start), last = page_of(end), *slot;
    bool unloaded = false, any = a->sparse;

    if (!range_valid(start, end)) {
        return;
    }
    while ((slot = tree_next(&a->pages, &index, last)) != NULL) {
        if (!unloaded && (*slot & E_MAPPED)) {
            aspace_unload(a, index << ABI_PAGE_SHIFT, end);
            unloaded = true;
        }
        ak_frame_put(entry_frame(*slot));
        *slot = 0;
        a->resident--;
        index++;
        any = true;
    }
    if (any) {
        tree_prune(&a->pages, page_of(start), last);
    }
}

void segment_hide(struct segment *s, uint64_t from, uint64_t end)
{
    for (struct region *r = s->bound; r != NULL; r = r->next_bound) {
        uint64_t last = region_page(r, r->end);
        uint64_t low = from > r->page ? from : r->page, high = end < last ? end : last;
        if (low < high) {
            aspace_drop(r->aspace, r->start + ((low - r->page) << ABI_PAGE_SHIFT),
                        r->start + ((high - r->page) << ABI_PAGE_SHIFT));
        }
    }
}

err_t aspace_unbind(struct aspace *a, va_t start, va_t end)
{
    err_t e = range_valid(start, end) ? range_split(a, start, end) : ERR_INVAL;

    if (e != ERR_OK) {
        return e;
    }
    struct region *r = aspace_find_from(a, start);
    while (r != NULL && r->start < end) {
        struct region *next = r->next;
        aspace_drop(a, r->start, r->end);
        region_remove(a, r);
        r = next;
    }
    return ERR_OK;
}

// The rights of pages change: what is loaded is loaded anew by faults.
static void pages_protect(struct aspace *a, va_t start, va_t end)
{
    uint64_t index = page_of(start), *slot;
    bool mapped = false;

    while ((slot = tree_next(&a->pages, &index, page_of(end))) != NULL) {
        mapped |= (*slot & E_MAPPED) != 0;
        *slot &= ~(uint64_t)(E_READ | E_WRITE | E_EXEC | E_MAPPED);
        index++;
    }
    if (mapped) {
        aspace_unload(a, start, end);
    }
}

err_t aspace_protect(struct aspace *a, va_t start, va_t end, uint32_t access)
{
    va_t checked = end;
    err_t e = range_valid(start, end) ? aspace_check(a, start, &checked, access) : ERR_INVAL;

    e = e != ERR_OK ? e : range_split(a, start, end);
    if (e != ERR_OK) {
        return e;
    }
    for (struct region *r = aspace_find_from(a, start); r != NULL && r->start < end; r = r->next) {
        if (r->access != access) {
            r->access = access;
            pages_protect(a, r->start, r->end);
        }
    }
    range_join(a, start, end);
    return ERR_OK;
}

// The pages of [from, from + count) also at `to`.  False: no memory.
static bool pages_move(struct aspace *a, uint64_t from, uint64_t count, uint64_t to)
{
    uint64_t index = from, *slot;

    while ((slot = tree_next(&a->pages, &index, from + count)) != NULL) {
        uint64_t entry = *slot, *copy = tree_make(&a->pages, to + index - from);
        if (copy == NULL) {
            return false;
        }
        // Counted twice until the old range goes; there it must not count as writable by one of two.
        ak_frame_get(entry_frame(entry));
        *copy = entry & ~(uint64_t)(E_MAPPED | E_WRITE);
        a->resident++;
        index++;
    }
    return true;
}

err_t aspace_move(struct aspace *a, va_t start, uint64_t length, va_t to, uint64_t new_length)
{
    const struct region *r = aspace_find(a, start);
    uint64_t keep = length < new_length ? length : new_length;

    if (r == NULL || !range_valid(start, start + length) || length > r->end - start || new_length > ABI_USER_END ||
        !range_valid(to, to + new_length) || !aspace_is_free(a, to, to + new_length)) {
        return ERR_INVAL;
    }
    // First what can fail half-way: the old range is to be a whole region.
    if (range_split(a, start, start + length) != ERR_OK) {
        return ERR_LIMIT;
    }
    struct region like = *aspace_find(a, start), *moved;
    like.start = to;
    like.end = to + new_length;
    err_t e = region_insert(a, &like, &moved);
    if (e == ERR_OK) {
        if (moved->segment != NULL) {
            segment_get(moved->segment);
        }
        if (pages_move(a, page_of(start), page_of(keep), page_of(to))) {
            (void)aspace_unbind(a, start, start + length);
            range_join(a, to, to + new_length);
            return ERR_OK;
        }
        aspace_drop(a, to, to + new_length);
        region_remove(a, moved);
        e = ERR_LIMIT;
    }
    range_join(a, start, start + length);
    return e;
}

// The pages of a region for a copy: the frames are shared; private ones will be copied by whoever writes first.
static bool pages_copy(struct aspace *to, struct aspace *from, const struct region *r)
{
    uint64_t index = page_of(r->start), *slot;
    bool writable = false;

    while ((slot = tree_next(&from->pages, &index, page_of(r->end))) != NULL) {
        uint64_t *copy = tree_make(&to->pages, index);
        if (copy == NULL) {
            return false;
        }
        if (!r->shared) {
            writable |= (*slot & (E_WRITE | E_MAPPED)) == (E_WRITE | E_MAPPED);
            *slot &= ~(uint64_t)E_WRITE;
        }
        ak_frame_get(entry_frame(*slot));
        *copy = *slot & ~(uint64_t)E_MAPPED;
        to->resident++;
        index++;
    }
    if (writable && from->id != 0) {
        uint64_t modified;
        if (sys_mapping_protect(from->id, r->start, r->end - r->start, MAP_READ | MAP_EXEC, &modified) != ERR_OK) {
            ak_space_finish(from->id);
            from->id = 0;
        }
    }
    return true;
}

err_t aspace_copy(struct aspace *to, struct aspace *from)
{
    for (const struct region *r = from->first; r != NULL; r = r->next) {
        struct region *copy = ak_alloc(sizeof(*copy));
        if (copy == NULL) {
            return ERR_LIMIT;
        }
        *copy = *r;
        if (copy->segment != NULL) {
            segment_get(copy->segment);
        }
        region_link(to, copy, NULL);
        if (!pages_copy(to, from, r)) {
            return ERR_LIMIT;
        }
    }
    return ERR_OK;
}

void aspace_destroy(struct aspace *a)
{
    uint64_t index = 0, *slot;

    if (a->id != 0 && sys_space_unload(a->id) != ERR_OK) {
        ak_space_finish(a->id);
    }
    a->id = 0;
    while ((slot = tree_next(&a->pages, &index, TREE_END)) != NULL) {
        ak_frame_put(entry_frame(*slot));
        *slot = 0;
        index++;
    }
    tree_destroy(&a->pages);
    a->resident = 0;
    while (a->first != NULL) {
        region_remove(a, a->first);
    }
}
