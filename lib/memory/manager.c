// manager.c - where frames come from, and the clock that decides which page goes.
#include "memory_impl.h"

#include <base.h>

uint8_t frame_state_take(pa_t frame)
{
    uint64_t index = page_of(frame) - ak_info->first_frame;
    uint8_t *states = ak_window(ak_info->frame_states);

    return index < ak_info->frame_count ? __atomic_exchange_n(&states[index], 0, __ATOMIC_RELAXED) : 0;
}

pa_t manager_frame(struct manager *m)
{
    static const struct manager_ops defaults;
    const struct manager_ops *ops = m->ops != NULL ? m->ops : &defaults;

    for (;;) {
        pa_t frame = ops->frame != NULL ? ops->frame(m) : ak_frame_alloc_in(m->cluster);
        if (frame != 0) {
            return frame;
        }
        if (!(ops->reclaim != NULL ? ops->reclaim : manager_replace)(m)) {
            return 0;
        }
    }
}

void manager_add(struct manager *m, struct segment *s)
{
    s->manager = m;
    if (m->hand == NULL) {
        m->hand = s->next = s->prev = s;
        return;
    }
    s->next = m->hand;
    s->prev = m->hand->prev;
    s->prev->next = s->next->prev = s;
}

// Do something for each entry that shows this page of the segment in this frame; gives how many there are.
static unsigned for_shown(struct segment *s, uint64_t page, pa_t frame, void (*act)(struct aspace *, va_t, uint64_t *))
{
    unsigned shown = 0;

    for (struct region *r = s->bound; r != NULL; r = r->next_bound) {
        if (page < r->page || page - r->page >= page_of(r->end - r->start)) {
            continue;
        }
        va_t va = r->start + ((page - r->page) << ABI_PAGE_SHIFT);
        uint64_t *slot = tree_find(&r->aspace->pages, page_of(va));
        if (slot != NULL && *slot != 0 && entry_frame(*slot) == frame) {
            act(r->aspace, va, slot);
            shown++;
        }
    }
    return shown;
}

// The space has no mapping any more, and the bits are in the frame-state table.
static void unmap(struct aspace *a, va_t va, uint64_t *slot)
{
    if (*slot & E_MAPPED) {
        aspace_unload(a, va, va + ABI_PAGE);
        *slot &= ~(uint64_t)E_MAPPED;
    }
}

// Nodes stay, since a fault that asked for a frame may be looking at one.
static void forget(struct aspace *a, va_t va, uint64_t *slot)
{
    (void)va;
    ak_frame_put(entry_frame(*slot));
    *slot = 0;
    a->resident--;
    a->sparse = true;
}

// The page goes, unless it was used since the last time, has users that nobody knows, or cannot be saved.
static bool replace(struct segment *s, uint64_t page, uint64_t *slot)
{
    pa_t frame = entry_frame(*slot);
    unsigned shown = for_shown(s, page, frame, unmap);
    uint8_t bits = frame_state_take(frame);

    *slot |= bits & FRAME_MODIFIED ? E_MODIFIED : 0;
    if ((bits & FRAME_REFERENCED) || ak_frame_users(frame) != 1 + shown) {
        return false;
    }
    if ((*slot & E_MODIFIED) && (s->ops->write_back == NULL || s->ops->write_back(s, page, frame) != ERR_OK)) {
        return false;
    }
    (void)for_shown(s, page, frame, forget);
    segment_drop(s, page, page + 1);
    return true;
}

// The page that the hand points to next; the hand moves on.  There is one.
static uint64_t *turn(struct manager *m, struct segment **s, uint64_t *page)
{
    for (;;) {
        uint64_t *slot = tree_next(&m->hand->pages, &m->hand_page, TREE_END);
        if (slot != NULL) {
            *s = m->hand;
            *page = m->hand_page++;
            return slot;
        }
        m->hand = m->hand->next;
        m->hand_page = 0;
    }
}

bool manager_replace(struct manager *m)
{
    bool done = false;

    if (m->busy) {
        return false;                    // a write-back asks for memory itself
    }
    m->busy = true;
    // Twice each: the first time it may lose its referenced bit.
    for (uint64_t left = 2 * m->resident; left > 0 && m->resident > 0 && !done; left--) {
        struct segment *s;
        uint64_t page, *slot = turn(m, &s, &page);
        done = replace(s, page, slot);
    }
    m->busy = false;
    return done;
}
