// nbody.c - the simulation: bodies are made, and take steps.
#include "nbody.h"

#include <base.h>

#include "cache.h"

enum { GRAIN = 8 };                      // blocks of a task that does little with each

static const double step_length = 1e-5;

const char *nbody_check(const struct setup *s)
{
    if (s->bodies == 0 || s->bodies > BODIES_MOST || s->bodies % BLOCK_BODIES != 0) {
        return "bodies: a multiple of 8, up to 1M";
    }
    if (s->percent == 0 || s->percent > 100) {
        return "percent: from 1 to 100";
    }
    return s->threads > THREADS_MOST ? "threads: up to 256" : NULL;
}

// ---- the beginning ----------------------------------------------------------------------------------------

static double next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(*state >> 11) / 9007199254740992.0;
}

// A few clusters: the mean of several random numbers around the centre of one of them.
static struct body make_body(uint64_t *state, uint32_t n, uint32_t bodies)
{
    static const double at[4][2] = {{0.3, 0.3}, {0.7, 0.4}, {0.45, 0.75}, {0.6, 0.6}};
    double x = 0, y = 0;

    for (unsigned i = 0; i < 4; i++) {
        x += next_random(state) - 0.5;
        y += next_random(state) - 0.5;
    }
    struct body b = {.x = at[n % 4][0] + x / 8, .y = at[n % 4][1] + y / 8, .mass = (0.5 + next_random(state)) / bodies};
    b.vx = 10 * (next_random(state) - 0.5);
    b.vy = 10 * (next_random(state) - 0.5);
    return b;
}

// In the order of their keys, so that a block's bodies are near each other.
static bool make_bodies(struct world *w, struct body *store)
{
    uint32_t n = w->setup.bodies;
    struct body *made = par_memory(n * sizeof(*made));
    uint64_t state = w->setup.seed;

    if (made == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        made[i] = make_body(&state, i, n);
        w->key[i] = nbody_key(made[i].x, made[i].y);
    }
    tree_sort(w);
    for (uint32_t i = 0; i < n; i++) {
        store[i] = made[w->order[i]];
    }
    return true;
}

bool nbody_init(struct world *w, const struct setup *s)
{
    uint32_t n = s->bodies;
    struct body *store = par_memory(n * sizeof(*store));

    *w = (struct world){.setup = *s, .blocks = n / BLOCK_BODIES, .cells_most = 8 * n + 64};
    w->cache = par_memory(sizeof(*w->cache));
    w->key = par_memory(n * sizeof(*w->key));
    w->order = par_memory(n * sizeof(*w->order));
    w->spare = par_memory(n * sizeof(*w->spare));
    w->cells = par_memory(w->cells_most * sizeof(*w->cells));
    w->ax = par_memory(n * sizeof(*w->ax));
    w->ay = par_memory(n * sizeof(*w->ay));
    if (store == NULL || w->cache == NULL || w->key == NULL || w->order == NULL || w->spare == NULL ||
        w->cells == NULL || w->ax == NULL || w->ay == NULL || !make_bodies(w, store)) {
        return false;
    }
    uint32_t buffers = (uint32_t)((uint64_t)w->blocks * s->percent / 100);
    return cache_init(w->cache, store, w->blocks, buffers != 0 ? buffers : 1, s->ticks);
}

// ---- a step -----------------------------------------------------------------------------------------------

static uint32_t tasks_of(const struct world *w)
{
    return (w->blocks + GRAIN - 1) / GRAIN;
}

static uint32_t last_block(const struct world *w, uint32_t task)
{
    return task + 1 < tasks_of(w) ? (task + 1) * GRAIN : w->blocks;
}

static void find_keys(struct world *w, uint32_t task)
{
    for (uint32_t block = task * GRAIN; block < last_block(w, task); block++) {
        const struct body *b = cache_get(w->cache, block);
        for (uint32_t i = 0; i < BLOCK_BODIES; i++) {
            w->key[block * BLOCK_BODIES + i] = nbody_key(b[i].x, b[i].y);
        }
        cache_put(w->cache, block, false);
    }
}

static void find_forces(struct world *w, uint32_t block)
{
    struct body own[BLOCK_BODIES];

    memcpy(own, cache_get(w->cache, block), sizeof(own));
    cache_put(w->cache, block, false);
    for (uint32_t i = 0; i < BLOCK_BODIES; i++) {
        uint32_t n = block * BLOCK_BODIES + i;
        force_on(w, n, own[i].x, own[i].y, &w->ax[n], &w->ay[n]);
    }
}

// Walls throw bodies back.
static void move(double *x, double *v)
{
    static const double end = 1 - 1.0 / (1 << KEY_BITS);

    *x += *v * step_length;
    if (*x < 0 || *x > end) {
        *x = *x < 0 ? 0 : end;
        *v = -*v;
    }
}

static void move_bodies(struct world *w, uint32_t task)
{
    for (uint32_t block = task * GRAIN; block < last_block(w, task); block++) {
        struct body *b = cache_get(w->cache, block);
        for (uint32_t i = 0; i < BLOCK_BODIES; i++) {
            b[i].vx += w->ax[block * BLOCK_BODIES + i] * step_length;
            b[i].vy += w->ay[block * BLOCK_BODIES + i] * step_length;
            move(&b[i].x, &b[i].vx);
            move(&b[i].y, &b[i].vy);
        }
        cache_put(w->cache, block, true);
    }
}

void nbody_step(struct world *w)
{
    phase_run(w, find_keys, tasks_of(w));
    tree_sort(w);
    tree_begin(w);
    phase_run(w, tree_build, TOP_CELLS);
    tree_end(w);
    phase_run(w, find_forces, w->blocks);
    phase_run(w, move_bodies, tasks_of(w));
}

// ---- the end ----------------------------------------------------------------------------------------------

uint64_t nbody_checksum(struct world *w)
{
    const struct body *b = w->cache->store;
    uint64_t sum = 14695981039346656037ull, word[5];

    cache_flush(w->cache);
    for (uint32_t i = 0; i < w->setup.bodies; i++) {
        memcpy(word, &b[i], sizeof(word));
        for (unsigned j = 0; j < 5; j++) {
            sum = (sum ^ word[j]) * 1099511628211ull;
        }
    }
    return w->failed ? 0 : sum;
}

uint64_t nbody_misses(const struct world *w)
{
    return w->cache->misses;
}
