// store.c - pages of particles: chains that grow at their head, and pages that go back to who took them.
//
// A worker takes pages from its own list without a lock.  A page that it empties may be another worker's:
// that one finds it in `returned`, a stack that others push to and only its owner takes, as a whole.
#include "sim.h"

static uint32_t take(struct sim *s, unsigned me)
{
    struct sim_worker *w = &s->worker[me];

    if (w->free == 0) {
        w->free = __atomic_exchange_n(&w->returned, 0, __ATOMIC_ACQUIRE);
    }
    uint32_t page = w->free;
    if (page != 0) {
        w->free = sim_head(s, page)->next;
        return page;
    }
    return w->fresh < w->fresh_end ? w->fresh++ : 0;
}

bool sim_extend(struct sim *s, unsigned me, uint32_t *chain)
{
    uint32_t page = take(s, me);

    if (page == 0) {
        s->worker[me].failed = 1;
        return false;
    }
    *sim_head(s, page) = (struct sim_head){.next = sim_chain_page(*chain), .owner = me};
    *chain = page * SIM_SLOTS + 1;
    return true;
}

uint32_t sim_release(struct sim *s, unsigned me, uint32_t page)
{
    struct sim_head *h = sim_head(s, page);
    struct sim_worker *w = &s->worker[h->owner];
    uint32_t next = h->next;

    if (h->owner == me) {
        h->next = w->free;
        w->free = page;
        return next;
    }
    h->next = __atomic_load_n(&w->returned, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&w->returned, &h->next, page, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {
    }
    return next;
}
