// fair.c - max-min fair shares of processors.  See fair.h.
#include "fair.h"

struct rounds {                  // of one level
    uint32_t processors;         // that the higher levels leave
    uint32_t count;              // of rounds
    uint32_t dealt[ABI_MAX_CPUS + 2];    // after so many rounds; more than there are if all take turns
};

static uint32_t count_of(uint64_t processors)
{
    uint32_t n = 0;

    for (; processors != 0; processors &= processors - 1) {
        n++;
    }
    return n;
}

// c, or a thread, gets one of the processors `from`; such as have them may move.  If not, f->turns says whether c could
// take turns with somebody who has more on this level.
static bool take(struct fair *f, const struct claimant *c, uint64_t from)
{
    uint8_t by[ABI_MAX_CPUS];            // from where the owner of that one would move here
    uint64_t seen = from, look = from != f->failed ? from : 0, first = look & f->free;
    uint32_t has = c != NULL ? c->gets - c->had : 0;
    bool turns = from == f->failed && f->turns;

    if (c != NULL && first & c->holds) {
        first &= c->holds;
    }
    for (; look != 0; first = look & f->free) {
        uint32_t p = (uint32_t)__builtin_ctzll(first != 0 ? first : look);
        look &= ~(1ull << p);
        if (first != 0) {
            f->free &= ~(1ull << p);
            for (; !(from >> p & 1); p = by[p]) {
                f->owner[p] = f->owner[by[p]];
            }
            f->owner[p] = c != NULL ? (uint8_t)(c - f->c) : FAIR_NOBODY;
            return true;
        }
        const struct claimant *o = f->owner[p] != FAIR_NOBODY ? &f->c[f->owner[p]] : NULL;
        uint64_t others = o != NULL ? (o->where >> p & 1 ? o->where : ~o->where) & f->all & ~seen : 0;
        turns = turns || (o != NULL ? o->gets - o->had : f->seated >> p & 1) > has;
        seen |= others;
        look |= others;
        for (; others != 0; others &= others - 1) {
            by[__builtin_ctzll(others)] = (uint8_t)p;
        }
    }
    f->failed = from;
    f->turns = turns;
    return false;
}

static uint64_t range(const struct fair *f, const struct claimant *c, uint32_t level)
{
    return (level == c->level ? c->where : ~c->where) & f->all;
}

// One round for those who took part in the last one.  Who has all it wants, or gets none, takes no part in the next.
static uint32_t deal_round(struct fair *f, uint32_t level, struct claimant **at)
{
    uint32_t takes = 0;

    f->failed = f->turns = 0;
    for (struct claimant *c; (c = *at) != NULL;) {
        bool wants = c->gets < c->wants, got = wants && take(f, c, range(f, c, level));
        bool turn = wants && !got && f->turns;
        c->gets += got || turn;
        takes += got || turn;
        if (got) {
            at = &c->part;
        } else {
            *at = c->part;
        }
    }
    return takes;
}

// The rounds of one level.  Threads take part in the first: those that run have their processors.
static void deal(struct fair *f, struct rounds *r, uint32_t level, struct claimant *first)
{
    uint32_t ready = f->threads[level], takes = ready;

    r->processors = count_of(f->free);
    r->count = r->dealt[0] = 0;
    f->seated = 0;
    for (uint32_t p = 0; p < f->processors && ready > 0; p++) {
        if (f->runs[p] == level && take(f, NULL, 1ull << p)) {
            f->seated |= 1ull << p;
            ready--;
        }
    }
    while ((takes += deal_round(f, level, &first)) != 0) {
        for (; ready > 0 && take(f, NULL, f->where[level]); ready--) {
        }
        ready = 0;
        r->dealt[r->count + 1] = r->dealt[r->count] + takes;
        r->count++;
        takes = 0;
        if (f->free == 0) {
            return;
        }
    }
}

// If it wanted all it would take part in each round, until those and its own wants come to more than there is.
static uint32_t most(const struct rounds *r, const struct claimant *c)
{
    uint32_t n = c->gets - c->had, all = r->processors + n;

    if (c->gets < c->wants) {
        return n;
    }
    while (n < r->count && r->dealt[n] + n < all) {
        n++;
    }
    return r->dealt[n] + n < all ? all - r->dealt[n] : n;        // else the others have what they want
}

static void add(struct claimant **first, uint64_t *levels, struct claimant *c, uint32_t level)
{
    c->next = c->part = *levels >> level & 1 ? first[level] : NULL;
    first[level] = c;
    *levels |= 1ull << level;
}

void fair_share(struct fair *f, struct claimant *c, uint32_t n)
{
    struct claimant *first[CPU_LEVELS], *next;
    struct rounds r;
    uint64_t claimed = 0, done = 0;

    f->all = f->free = f->processors == 0 ? 0 : UINT64_MAX >> (64 - f->processors);
    f->failed = 0;
    f->c = c;
    for (uint32_t p = 0; p < f->processors; p++) {
        f->owner[p] = FAIR_NOBODY;
    }
    for (uint32_t i = 0; i < n; i++) {
        c[i].gets = c[i].most = c[i].had = 0;
        add(first, &claimed, &c[i], c[i].level);
    }
    for (uint64_t left; f->free != 0 && (left = (f->levels | claimed) & ~done) != 0;) {
        uint32_t level = 63 - (uint32_t)__builtin_clzll(left);
        done |= 1ull << level;
        struct claimant *i = claimed >> level & 1 ? first[level] : NULL;
        deal(f, &r, level, i);
        f->left[level] = (uint8_t)count_of(f->free);
        for (; i != NULL; i = next) {
            uint32_t could = most(&r, i), room = count_of(range(f, i, level));
            i->most += could < room ? could : room;
            i->had = i->gets;
            next = i->next;
            if (level == i->level && (f->all & ~i->where) != 0) {
                add(first, &claimed, i, level - CPU_LEVELS / 2);
            }
        }
    }
}
