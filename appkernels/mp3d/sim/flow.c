// flow.c - the physics: how a particle flies, what reflects it, and what two do that collide.
//
// A collision turns the relative velocity of a pair by a random permutation of its components with random
// signs. That keeps its length, so energy is kept but for the last bit, and momentum exactly.
#include "sim.h"

enum {
    STREAM = 26000,                      // of the gas that comes in, units for a step: 0.4 cells
    THERMAL = 4000,                      // spread of each component
    DENSER = 2,                          // how seldom pairs collide: a power of two
    TRIES = 64,
};

uint64_t sim_random(const struct sim *s, uint64_t step, uint64_t which)
{
    uint64_t v = (s->setup.seed * 0x9e3779b97f4a7c15ull ^ step) * 0xd1342543de82ef95ull + which;

    v = (v ^ v >> 32) * 0xff51afd7ed558ccdull;
    v = (v ^ v >> 29) * 0xc4ceb9fe1a85ec53ull;
    return v ^ v >> 32;
}

// A sum of four: nearly a normal distribution.
static int32_t spread(uint64_t r)
{
    int64_t sum = (int64_t)((r & 0xffff) + (r >> 16 & 0xffff) + (r >> 32 & 0xffff) + (r >> 48)) - 2 * 0xffff;

    return (int32_t)(sum * THERMAL / 32768);
}

static void thermal(const struct sim *s, struct sim_particle *p, uint64_t step)
{
    for (unsigned i = 0; i < 3; i++) {
        p->v[i] = spread(sim_random(s, step, (uint64_t)p->id << 3 | (i + 1)));
    }
    p->v[0] += STREAM;
}

static bool is_inside(const struct sim *s, unsigned axis, int32_t at)
{
    return at >= (int32_t)s->setup.low[axis] * SIM_CELL && at < (int32_t)s->setup.high[axis] * SIM_CELL;
}

static bool is_in_obstacle(const struct sim *s, const int32_t at[3])
{
    return is_inside(s, 0, at[0]) && is_inside(s, 1, at[1]) && is_inside(s, 2, at[2]);
}

static int32_t below(uint64_t r, int32_t end)
{
    return (int32_t)((r & 0x1fffff) * (uint64_t)end >> 21);
}

static void place(const struct sim *s, struct sim_particle *p, uint64_t r, int32_t length)
{
    p->at[0] = below(r, length);
    p->at[1] = below(r >> 21, s->extent[1]);
    p->at[2] = below(r >> 42, s->extent[2]);
}

void sim_create(const struct sim *s, struct sim_particle *p, uint32_t id)
{
    *p = (struct sim_particle){.id = id};
    thermal(s, p, 0);
    for (unsigned i = 0; i < TRIES; i++) {
        place(s, p, sim_random(s, i + 1, (uint64_t)id << 3), s->extent[0]);
        if (!is_in_obstacle(s, p->at)) {
            return;
        }
    }
    p->at[0] = 0;
}

// Out of the tunnel, through the reservoir, in again at its left end.
static void reenter(const struct sim *s, struct sim_particle *p, uint64_t step, struct sim_counts *c)
{
    thermal(s, p, step + TRIES);
    place(s, p, sim_random(s, step + TRIES, (uint64_t)p->id << 3), p->v[0]);
    c->reservoir++;
}

// The walls: y and z.
static void reflect_walls(const struct sim *s, struct sim_particle *p)
{
    for (unsigned i = 1; i < 3; i++) {
        int32_t end = s->extent[i], at = p->at[i];
        if (at < 0 || at >= end) {
            at = at < 0 ? -1 - at : 2 * end - 1 - at;
            p->at[i] = at < 0 ? 0 : at >= end ? end - 1 : at;
            p->v[i] = -p->v[i];
        }
    }
}

// The faces of the obstacle that it came through.
static void reflect_obstacle(const struct sim *s, struct sim_particle *p, const int32_t from[3])
{
    for (unsigned i = 0; i < 3; i++) {
        if (!is_inside(s, i, from[i])) {
            int32_t low = (int32_t)s->setup.low[i] * SIM_CELL, high = (int32_t)s->setup.high[i] * SIM_CELL;
            p->at[i] = from[i] < low ? 2 * low - 1 - p->at[i] : 2 * high - 1 - p->at[i];
            p->v[i] = -p->v[i];
        }
    }
}

void sim_move(const struct sim *s, struct sim_particle *p, uint32_t step, struct sim_counts *c)
{
    const int32_t from[3] = {p->at[0], p->at[1], p->at[2]};

    for (unsigned i = 0; i < 3; i++) {
        p->at[i] += p->v[i];
    }
    reflect_walls(s, p);
    if (is_in_obstacle(s, p->at)) {
        reflect_obstacle(s, p, from);
        reflect_walls(s, p);
        c->hits++;
    }
    if (p->at[0] < 0 || p->at[0] >= s->extent[0] || is_in_obstacle(s, p->at)) {
        reenter(s, p, step, c);
    }
}

uint32_t sim_cell(const struct sim *s, const struct sim_particle *p)
{
    uint32_t x = (uint32_t)p->at[0] / SIM_CELL, y = (uint32_t)p->at[1] / SIM_CELL;
    uint32_t z = (uint32_t)p->at[2] / SIM_CELL;
    uint32_t block = x / 4 + s->setup.size[0] / 4 * (y / 4 + s->setup.size[1] / 4 * (z / 4));

    return block * 64 + (x % 4 + y % 4 * 4 + z % 4 * 16);
}

static uint64_t absolute(int32_t v)
{
    return (uint64_t)(v < 0 ? -(int64_t)v : v);
}

void sim_collide(const struct sim *s, struct sim_particle *a, struct sim_particle *b, uint32_t n,
                 uint32_t step, struct sim_counts *c)
{
    static const uint8_t turn[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    uint64_t r = sim_random(s, step, (uint64_t)a->id << 32 | b->id);
    const int32_t g[3] = {a->v[0] - b->v[0], a->v[1] - b->v[1], a->v[2] - b->v[2]};

    if ((r & 0xffff) >= n * (absolute(g[0]) + absolute(g[1]) + absolute(g[2])) >> DENSER) {
        return;
    }
    const uint8_t *order = turn[(r >> 16 & 0xffff) * 6 >> 16];
    for (unsigned i = 0; i < 3; i++) {
        int32_t sum = a->v[i] + b->v[i], turned = r >> (32 + i) & 1 ? -g[order[i]] : g[order[i]];
        a->v[i] = (sum + turned) >> 1;
        b->v[i] = sum - a->v[i];
    }
    c->collisions++;
}
