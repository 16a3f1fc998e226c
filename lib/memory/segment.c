// segment.c - segments: their operations with the defaults, and the frames that the default keeps.
#include "memory_impl.h"

#include <base.h>

void segment_init(struct segment *s, const struct segment_ops *ops, struct manager *m, unsigned users)
{
    *s = (struct segment){.ops = ops, .manager = m, .users = users};
}

struct segment *segment_create(const struct segment_ops *ops, struct manager *m)
{
    struct segment *s = ak_alloc(sizeof(*s));

    if (s != NULL) {
        segment_init(s, ops, m, 1);
    }
    return s;
}

void segment_get(struct segment *s)
{
    s->users++;
}

void segment_put(struct segment *s)
{
    if (s == NULL || --s->users > 0) {
        return;
    }
    if (s->ops->end != NULL) {
        s->ops->end(s);
        return;
    }
    segment_destroy(s);
    ak_free(s, sizeof(*s));
}

bool segment_replaceable(const struct segment *s)
{
    return s->next != NULL;
}

void segment_destroy(struct segment *s)
{
    segment_drop(s, 0, TREE_END);
    tree_destroy(&s->pages);             // nodes that were made for nothing
    if (segment_replaceable(s)) {
        struct manager *m = s->manager;
        if (m->hand == s) {
            m->hand = s->next != s ? s->next : NULL;
            m->hand_page = 0;
        }
        s->next->prev = s->prev;
        s->prev->next = s->next;
        s->next = s->prev = NULL;
    }
}

err_t segment_page(struct segment *s, uint64_t page, bool write, pa_t *frame)
{
    return (s->ops->page != NULL ? s->ops->page : segment_keep)(s, page, write, frame);
}

void segment_copy(struct segment *s, uint64_t page, pa_t to, pa_t from)
{
    if (s != NULL && s->ops->copy != NULL) {
        s->ops->copy(s, page, to, from);
        return;
    }
    memcpy(ak_window(to), ak_window(from), ABI_PAGE);
}

pa_t segment_frame(struct segment *s, uint64_t page)
{
    const uint64_t *slot = tree_find(&s->pages, page);
    return slot != NULL ? entry_frame(*slot) : 0;
}

err_t segment_set(struct segment *s, uint64_t page, pa_t frame)
{
    uint64_t *slot = tree_make(&s->pages, page);

    if (slot == NULL) {
        return page < TREE_END ? ERR_LIMIT : ERR_INVAL;
    }
    *slot = frame;
    s->resident++;
    if (segment_replaceable(s)) {
        s->manager->resident++;
        (void)frame_state_take(frame);   // what its last page has left there
    }
    return ERR_OK;
}

static err_t page_make(struct segment *s, uint64_t page, pa_t *frame)
{
    struct manager *m = s->manager;

    if (segment_replaceable(s) && m->limit != 0 && m->resident >= m->limit && !manager_replace(m)) {
        return ERR_LIMIT;
    }
    *frame = manager_frame(m);
    if (*frame == 0) {
        return ERR_LIMIT;
    }
    err_t e = ERR_OK;
    if (s->ops->fill != NULL) {
        e = s->ops->fill(s, page, *frame);
    } else {
        memset(ak_window(*frame), 0, ABI_PAGE);
    }
    e = e != ERR_OK ? e : segment_set(s, page, *frame);
    if (e != ERR_OK) {
        ak_frame_put(*frame);
    }
    return e;
}

err_t segment_keep(struct segment *s, uint64_t page, bool write, pa_t *frame)
{
    (void)write;
    *frame = segment_frame(s, page);
    if (*frame == 0) {
        err_t e = page_make(s, page, frame);
        if (e != ERR_OK) {
            return e;
        }
    }
    ak_frame_get(*frame);
    return ERR_OK;
}

void segment_drop(struct segment *s, uint64_t from, uint64_t end)
{
    uint64_t index = from, *slot;
    bool any = false;

    while ((slot = tree_next(&s->pages, &index, end)) != NULL) {
        pa_t frame = entry_frame(*slot);
        *slot = 0;
        s->resident--;
        s->manager->resident -= segment_replaceable(s);
        if (s->ops->freed != NULL) {
            s->ops->freed(s, index, frame);
        } else {
            ak_frame_put(frame);
        }
        index++;
        any = true;
    }
    if (any) {
        tree_prune(&s->pages, from, end);
    }
}
