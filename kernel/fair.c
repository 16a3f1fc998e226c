// fair.c - max-min fair shares of processors.  See fair.h.
#include "fair.h"

struct rounds {                  // of one level
    uint32_t processors;         // that the higher levels leave
    uint32_t count;              // of rounds
    uint32_t dealt[ABI_MAX_CPUS + 1];    // after so many rounds; more than there are if all take turns
};

// Those who take part in one round, and nobody else, are looked at for the next.  Threads take part in the first.
static void deal(struct rounds *r, uint32_t threads, struct claimant *first)
{
    r->count = r->dealt[0] = 0;
    for (uint32_t takes = threads; r->dealt[r->count] < r->processors; takes = 0) {
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
    }
}

// If it wanted all it would take part in each round, until those and its own wants come to more than there is.
static uint32_t most(const struct rounds *r, const struct claimant *c)
{
    uint32_t n = c->gets, all = r->processors + n;

    if (n < c->wants) {
        return n;
    }
    while (n < r->count && r->dealt[n] + n < all) {
        n++;
    }
    return r->dealt[n] + n < all ? all - r->dealt[n] : n;        // else the others have what they want
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
        c[i].next = c[i].part = claimed & bit ? first[c[i].level] : NULL;
        c[i].gets = c[i].most = 0;
        first[c[i].level] = &c[i];
        claimed |= bit;
    }
    for (levels |= claimed; levels != 0 && r.processors > 0;) {
        uint32_t level = 63 - (uint32_t)__builtin_clzll(levels), dealt = threads[level];
        levels &= ~(1ull << level);
        if (claimed >> level & 1) {
            deal(&r, threads[level], first[level]);
            dealt = r.dealt[r.count];
            for (struct claimant *i = first[level]; i != NULL; i = i->next) {
                i->most = most(&r, i);
            }
        }
        r.processors -= dealt < r.processors ? dealt : r.processors;
    }
}
