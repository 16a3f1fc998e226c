// region.c - the ordered set of regions of an address space: finding, splitting and joining.
#include "memory_impl.h"

#include <base.h>

struct region *aspace_find_from(struct aspace *a, va_t va)
{
    struct region *r = a->hint != NULL ? a->hint : a->first;

    while (r != NULL && r->end <= va) {
        r = r->next;
    }
    if (r == NULL) {
        r = a->last;
        if (r == NULL || r->end <= va) {
            return NULL;
        }
    }
    while (r->prev != NULL && r->prev->end > va) {
        r = r->prev;
    }
    a->hint = r;
    return r;
}

struct region *aspace_find(struct aspace *a, va_t va)
{
    struct region *r = aspace_find_from(a, va);
    return r != NULL && r->start <= va ? r : NULL;
}

bool aspace_is_free(struct aspace *a, va_t start, va_t end)
{
    const struct region *r = aspace_find_from(a, start);
    return r == NULL || r->start >= end;
}

// From the top downwards.
va_t aspace_gap(struct aspace *a, va_t low, va_t top, uint64_t length, va_t align)
{
    if (length == 0 || align < ABI_PAGE || (align & (align - 1)) != 0) {
        return 0;
    }
    for (const struct region *r = a->last;; r = r->prev) {
        va_t bottom = r != NULL && r->end > low ? r->end : low;
        if (bottom < top && length <= top - bottom) {
            va_t at = (top - length) & ~(align - 1);
            if (at >= bottom) {
                return at;
            }
        }
        if (r == NULL || r->start <= low) {
            return 0;
        }
        top = r->start < top ? r->start : top;
    }
}

static void bound_add(struct region *r)
{
    struct segment *s = r->segment;

    if (s != NULL) {
        r->prev_bound = NULL;
        r->next_bound = s->bound;
        if (s->bound != NULL) {
            s->bound->prev_bound = r;
        }
        s->bound = r;
    }
}

static void bound_remove(struct region *r)
{
    if (r->segment != NULL) {
        *(r->prev_bound != NULL ? &r->prev_bound->next_bound : &r->segment->bound) = r->next_bound;
        if (r->next_bound != NULL) {
            r->next_bound->prev_bound = r->prev_bound;
        }
    }
}

void region_link(struct aspace *a, struct region *r, struct region *before)
{
    r->next = before;
    r->prev = before != NULL ? before->prev : a->last;
    *(r->prev != NULL ? &r->prev->next : &a->first) = r;
    *(before != NULL ? &before->prev : &a->last) = r;
    r->aspace = a;
    bound_add(r);
    a->regions++;
    a->total += page_of(r->end - r->start);
}

void region_remove(struct aspace *a, struct region *r)
{
    *(r->prev != NULL ? &r->prev->next : &a->first) = r->next;
    *(r->next != NULL ? &r->next->prev : &a->last) = r->prev;
    a->hint = NULL;
    a->regions--;
    a->total -= page_of(r->end - r->start);
    bound_remove(r);
    segment_put(r->segment);
    ak_free(r, sizeof(*r));
}

// May b, which follows a directly, become part of it?
static bool joins(const struct region *a, const struct region *b)
{
    return a->end == b->start && a->access == b->access && a->most == b->most && a->shared == b->shared &&
           a->tag == b->tag && a->segment == b->segment && (a->segment == NULL || region_page(a, a->end) == b->page);
}

// What is shared has a segment, which has these pages.
static bool pages_valid(const struct region *r)
{
    return r->segment == NULL ? !r->shared : (r->page < TREE_END && page_of(r->end - r->start) <= TREE_END - r->page);
}

err_t region_insert(struct aspace *a, const struct region *like, struct region **out)
{
    if (!pages_valid(like)) {
        return ERR_INVAL;
    }
    struct region *r = a->regions < a->most_regions ? ak_alloc(sizeof(*r)) : NULL;
    if (r == NULL) {
        return ERR_LIMIT;
    }
    *r = *like;
    region_link(a, r, aspace_find_from(a, like->start));
    *out = r;
    return ERR_OK;
}

err_t aspace_bind(struct aspace *a, const struct region *like)
{
    if (!range_valid(like->start, like->end) || !pages_valid(like)) {
        return ERR_INVAL;
    }
    const struct region *next = aspace_find_from(a, like->start);
    struct region *before = next != NULL ? next->prev : a->last, *r;
    if (next != NULL && next->start < like->end) {
        return ERR_INVAL;
    }
    if (before != NULL && joins(before, like)) {
        a->total += page_of(like->end - like->start);
        before->end = like->end;
        segment_put(like->segment);
        return ERR_OK;
    }
    return region_insert(a, like, &r);
}

static err_t split(struct aspace *a, va_t at)
{
    struct region *r = aspace_find(a, at);

    if (r == NULL || r->start == at) {
        return ERR_OK;
    }
    struct region *high = a->regions < a->most_regions ? ak_alloc(sizeof(*high)) : NULL;
    if (high == NULL) {
        return ERR_LIMIT;
    }
    *high = *r;
    high->start = at;
    high->page = region_page(r, at);
    if (high->segment != NULL) {
        segment_get(high->segment);
    }
    a->total -= page_of(r->end - at);
    r->end = at;
    region_link(a, high, r->next);
    return ERR_OK;
}

err_t range_split(struct aspace *a, va_t start, va_t end)
{
    err_t e = split(a, start);

    if (e == ERR_OK && (e = split(a, end)) != ERR_OK) {
        range_join(a, start, end);
    }
    return e;
}

void range_join(struct aspace *a, va_t start, va_t end)
{
    struct region *r = aspace_find_from(a, start);

    if (r != NULL && r->prev != NULL) {
        r = r->prev;
    }
    while (r != NULL && r->next != NULL && r->start < end) {
        struct region *next = r->next;
        if (!joins(r, next)) {
            r = next;
            continue;
        }
        va_t to = next->end;
        region_remove(a, next);
        a->total += page_of(to - r->end);
        r->end = to;
    }
}

err_t aspace_extend(struct aspace *a, struct region *r, va_t start, va_t end)
{
    struct region wide = *r;
    uint64_t below = page_of(r->start - start);

    if (!range_valid(start, end) || start > r->start || end < r->end || (r->segment != NULL && below > r->page) ||
        (r->prev != NULL && r->prev->end > start) || (r->next != NULL && r->next->start < end)) {
        return ERR_INVAL;
    }
    wide.start = start;
    wide.end = end;
    wide.page = r->segment != NULL ? r->page - below : r->page;
    if (!pages_valid(&wide)) {
        return ERR_INVAL;
    }
    a->total += page_of((end - start) - (r->end - r->start));
    *r = wide;
    return ERR_OK;
}

err_t aspace_check(struct aspace *a, va_t start, va_t *end, uint32_t access)
{
    for (va_t at = start; at < *end;) {
        const struct region *r = aspace_find(a, at);
        if (r == NULL || (access & ~r->most)) {
            *end = at;
            return r == NULL ? ERR_INVAL : ERR_DENIED;
        }
        at = r->end;
    }
    return ERR_OK;
}
