// tree.c - the tree of cells over bodies that are sorted by key.
//
// A key has a bit of y and a bit of x for each level, the highest first: the bodies of a cell are a range of the sorted
// ones, and those of its children are ranges of that.  Where a cell lies in the array depends on who was first; what it
// holds does not, nor the order in which a walk meets it.
#include <base.h>

#include "cache.h"
#include "nbody.h"

enum { DIGIT = 8, DIGITS = 1 << DIGIT, FIRST_LEVELS = 1 + 4 + TOP_CELLS };

static uint32_t spread(uint32_t v)
{
    v = (v | v << 8) & 0x00ff00ff;
    v = (v | v << 4) & 0x0f0f0f0f;
    v = (v | v << 2) & 0x33333333;
    return (v | v << 1) & 0x55555555;
}

static uint32_t grid(double v)
{
    return (uint32_t)(v * (1 << KEY_BITS));
}

uint32_t nbody_key(double x, double y)
{
    return spread(grid(y)) << 1 | spread(grid(x));
}

// By 8 bits of the key, the lowest first; each pass keeps the order of equals.
void tree_sort(struct world *w)
{
    uint32_t n = w->setup.bodies;

    for (uint32_t i = 0; i < n; i++) {
        w->order[i] = i;
    }
    for (unsigned shift = 0; shift < 2 * KEY_BITS; shift += DIGIT) {
        uint32_t start[DIGITS + 1] = {0};
        for (uint32_t i = 0; i < n; i++) {
            start[(w->key[i] >> shift) % DIGITS + 1]++;
        }
        for (unsigned d = 0; d < DIGITS; d++) {
            start[d + 1] += start[d];
        }
        for (uint32_t i = 0; i < n; i++) {
            uint32_t body = w->order[i];
            w->spare[start[(w->key[body] >> shift) % DIGITS]++] = body;
        }
        uint32_t *sorted = w->spare;
        w->spare = w->order;
        w->order = sorted;
    }
}

// The first of the range whose two bits for the children of this level are at least `quarter`.
static uint32_t find(const struct world *w, uint32_t from, uint32_t end, unsigned level, uint32_t quarter)
{
    while (from < end) {
        uint32_t middle = from + (end - from) / 2;
        if ((w->key[w->order[middle]] >> (2 * (KEY_BITS - 1 - level)) & 3) < quarter) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

static double size2_of(unsigned level)
{
    double size = 1.0 / (double)(1u << level);

    return size * size;
}

// All four children of a cell at this level, empty ones too, at `at`.
static void divide(struct world *w, const struct cell *c, unsigned level, struct cell *at)
{
    uint32_t end = c->first + c->count, from = c->first;

    for (uint32_t quarter = 0; quarter < 4; quarter++) {
        uint32_t to = quarter == 3 ? end : find(w, from, end, level, quarter + 1);
        at[quarter] = (struct cell){.size2 = size2_of(level + 1), .first = from, .count = to - from};
        from = to;
    }
}

static void add(struct cell *c, double x, double y, double mass)
{
    c->x += x * mass;
    c->y += y * mass;
    c->mass += mass;
}

static void centre(struct cell *c)
{
    if (c->mass > 0) {
        c->x /= c->mass;
        c->y /= c->mass;
    }
}

static void sum_children(struct world *w, struct cell *c)
{
    c->x = c->y = c->mass = 0;
    for (uint32_t i = 0; i < c->children; i++) {
        const struct cell *child = &w->cells[c->child + i];
        add(c, child->x, child->y, child->mass);
    }
    centre(c);
}

static void sum_bodies(struct world *w, struct cell *c)
{
    for (uint32_t i = c->first; i < c->first + c->count; i++) {
        uint32_t body = w->order[i];
        const struct body *b = &cache_get(w->cache, body / BLOCK_BODIES)[body % BLOCK_BODIES];
        add(c, b->x, b->y, b->mass);
        cache_put(w->cache, body / BLOCK_BODIES, false);
    }
    centre(c);
}

// The children of a cell that has too many bodies, the empty ones left out.  False: no room.
static bool make_children(struct world *w, struct cell *c, unsigned level)
{
    struct cell all[4];
    uint32_t count = 0;

    divide(w, c, level, all);
    for (unsigned i = 0; i < 4; i++) {
        count += all[i].count > 0;
    }
    uint32_t at = __atomic_fetch_add(&w->used, count, __ATOMIC_RELAXED);
    if (at > w->cells_most || count > w->cells_most - at) {
        __atomic_store_n(&w->failed, true, __ATOMIC_RELAXED);
        return false;
    }
    c->child = at;
    c->children = count;
    for (unsigned i = 0; i < 4; i++) {
        if (all[i].count > 0) {
            w->cells[at++] = all[i];
        }
    }
    return true;
}

static void build(struct world *w, struct cell *c, unsigned level)
{
    if (c->count <= LEAF_BODIES || level == KEY_BITS || !make_children(w, c, level)) {
        sum_bodies(w, c);
        return;
    }
    for (uint32_t i = 0; i < c->children; i++) {
        build(w, &w->cells[c->child + i], level + 1);
    }
    sum_children(w, c);
}

void tree_begin(struct world *w)
{
    struct cell *root = w->cells;

    *root = (struct cell){.size2 = size2_of(0), .count = w->setup.bodies, .child = 1, .children = 4};
    divide(w, root, 0, &w->cells[1]);
    for (uint32_t i = 0; i < 4; i++) {
        struct cell *c = &w->cells[1 + i];
        c->child = 5 + 4 * i;
        c->children = 4;
        divide(w, c, 1, &w->cells[c->child]);
    }
    w->used = FIRST_LEVELS;
}

void tree_build(struct world *w, uint32_t top)
{
    build(w, &w->cells[5 + top], 2);
}

void tree_end(struct world *w)
{
    for (uint32_t i = 0; i < 4; i++) {
        sum_children(w, &w->cells[1 + i]);
    }
    sum_children(w, w->cells);
}
