// fair.c - max-min fair shares of processors.  See fair.h.
#include "fair.h"

struct rounds {                  // of one level
    uint32_t processors;         // that the higher levels leave
    uint32_t count;              // of rounds
    uint32_t dealt[ABI_MAX_CPUS + 1];    // after so many rounds; more than there are if all take turns
};

// Those who take part in one round, and nobody else, are looked at for the next.
static void deal(struct rounds *r, uint32_t threads, struct claimant *first)
{
    uint32_t takes = threads;

    for (struct claimant *c = first; c != NULL; c = c->next) {
        c->part = c->next;
    }
    r->count = r->dealt[0] = 0;
    while (r->dealt[r->count] < r->processors) {
        for (struct claimant **at = &first, *c; (c = *at) != NULL;) {
            if (c->wants > r->count) {
                c->gets++;
                takes++;
                at = &c->part;
            } else {
                *at = c->part;
            }
        }
        if (takes == 0) {
            return;
        }
        r->dealt[r->count + 1] = r->dealt[r->count] + takes;
        r->count++;
        takes = 0;
    }
}

// If it wanted all it would take part in each round, until those and its own wants come to more than there is.
static uint32_t most(const struct rounds *r, const struct claimant *c)
{
    uint32_t low = c->wants, high = r->count, all = r->processors + c->wants;

    if (c->gets < c->wants) {
        return c->gets;
    }
    if (r->dealt[high] + high < all) {
        return all - r->dealt[high];             // the others have what they want
    }
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (r->dealt[middle] + middle < all) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void fair_share(uint32_t processors, uint64_t levels, const uint32_t threads[CPU_LEVELS], struct claimant *c,
                uint32_t n)
{
    struct claimant *first[CPU_LEVELS];
    struct rounds r;
    uint64_t claimed = 0;

    r.processors = processors;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bit = 1ull << c[i].level;
        c[i].next = claimed & bit ? first[c[i].level] : NULL;
        c[i].gets = c[i].most = 0;
        first[c[i].level] = &c[i];
        claimed |= bit;
    }
    for (levels |= claimed; levels != 0 && r.processors > 0;) {
        uint32_t level = 63 - (uint32_t)__builtin_clzll(levels), dealt = threads[level];
        levels &= ~(1ull << level);
        if (claimed >> level & 1) {
            deal(&r, threads[level], first[level]);
            for (struct claimant *i = first[level]; i != NULL; i = i->next) {
                i->most = most(&r, i);
            }
            dealt = r.dealt[r.count];
        }
        r.processors -= dealt < r.processors ? dealt : r.processors;
    }
}
