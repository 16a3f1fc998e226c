// force.c - what attracts a body: near ones one by one, far ones by cells.
//
// The walk goes through the tree in the order of keys.
#include "cache.h"
#include "nbody.h"

enum { STACK = 4 * (KEY_BITS + 1) };

static const double softening2 = 1e-6;   // no two are nearer than this, squared

void force_add(double dx, double dy, double mass, double *ax, double *ay)
{
    double r2 = dx * dx + dy * dy + softening2;
    double f = mass / (r2 * __builtin_sqrt(r2));

    *ax += f * dx;
    *ay += f * dy;
}

// Bodies of one block that follow each other are read at once.
static void add_leaf(struct world *w, const struct cell *c, uint32_t self, double x, double y, double *ax, double *ay)
{
    const struct body *bodies = NULL;
    uint32_t block = 0;

    for (uint32_t i = c->first; i < c->first + c->count; i++) {
        uint32_t body = w->order[i];
        if (bodies != NULL && body / BLOCK_BODIES != block) {
            cache_put(w->cache, block, false);
            bodies = NULL;
        }
        if (bodies == NULL) {
            block = body / BLOCK_BODIES;
            bodies = cache_get(w->cache, block);
        }
        const struct body *b = &bodies[body % BLOCK_BODIES];
        if (body != self) {
            force_add(b->x - x, b->y - y, b->mass, ax, ay);
        }
    }
    if (bodies != NULL) {
        cache_put(w->cache, block, false);
    }
}

void force_on(struct world *w, uint32_t self, double x, double y, double *ax, double *ay)
{
    double theta2 = w->setup.theta * w->setup.theta;
    uint32_t stack[STACK], depth = 0;

    *ax = *ay = 0;
    stack[depth++] = 0;
    while (depth > 0) {
        const struct cell *c = &w->cells[stack[--depth]];
        double dx = c->x - x, dy = c->y - y;
        if (c->count == 0) {
            continue;
        }
        if (c->children == 0) {
            add_leaf(w, c, self, x, y, ax, ay);
        } else if (c->size2 < theta2 * (dx * dx + dy * dy)) {
            force_add(dx, dy, c->mass, ax, ay);
        } else {
            for (uint32_t i = c->children; i > 0; i--) {
                stack[depth++] = c->child + i - 1;
            }
        }
    }
}
