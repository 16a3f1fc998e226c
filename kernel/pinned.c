// pinned.c - is an object really pinned?  See pinned.h.
#include "supervisor.h"

// It is locked, and so is all it depends on: its space, and the thread that gets its signals.
static bool record_pinned(struct instance *in, const struct record *r)
{
    return r->locked && space_pinned(space_at(in, (uint32_t)r->space)) &&
           (!r->signal || thread_pinned(pmap_signal_of(in, r)));
}

// Senders go with any receiver of the frame.
static bool receivers_pinned(struct instance *in, uint64_t pfn)
{
    struct record *r = pmap_frame_first(in, pfn);

    while (r != NULL && (!r->signal || record_pinned(in, r))) {
        r = pmap_frame_next(in, r);
    }
    return r == NULL;
}

static err_t ask_mapping(struct instance *in, struct space *s, va_t va, bool *pinned)
{
    struct leaf leaf;

    if ((va & (ABI_PAGE - 1)) != 0 || va >= ABI_USER_END) {
        return ERR_INVAL;
    }
    if (!table_present(in, s, va, &leaf)) {
        return ERR_STALE;
    }
    va &= ~(leaf.level == 1 ? (va_t)ABI_LARGE - 1 : 0);
    uint64_t pfn = arch_pte_pa(*leaf.pte) >> ABI_PAGE_SHIFT;
    uint32_t access = arch_pte_access(*leaf.pte);
    bool sends = (access & MAP_MESSAGE) && (access & MAP_WRITE);
    *pinned = record_pinned(in, table_record(in, s, va, *leaf.pte)) &&
              (!sends || receivers_pinned(in, pfn));
    return ERR_OK;
}

err_t pinned_ask(struct instance *in, const struct appkernel *asker, uint64_t type, oid_t id, va_t va, bool *pinned)
{
    const struct appkernel *k = kernel_find(in, id);
    const struct thread *t = thread_find(in, id);
    struct space *s = space_find(in, id);
    bool allowed = asker == in->first;

    switch (type) {
    case OBJECT_KERNEL:
        *pinned = k != NULL && appkernel_pinned(k);
        return k == NULL ? ERR_STALE : allowed || k == asker ? ERR_OK : ERR_DENIED;
    case OBJECT_THREAD:
        *pinned = t != NULL && thread_pinned(t);
        return t == NULL ? ERR_STALE : t->owner == asker || t->kern == asker ? ERR_OK : ERR_DENIED;
    case OBJECT_SPACE:
    case OBJECT_MAPPING:
        *pinned = s != NULL && space_pinned(s);
        allowed = s != NULL && (s->owner == asker || s->manager == asker);
        return s == NULL ? ERR_STALE : !allowed ? ERR_DENIED : type == OBJECT_SPACE ? ERR_OK
               : ask_mapping(in, s, va, pinned);
    default:
        return ERR_INVAL;
    }
}
