// nbody.h - bodies that attract each other, by the algorithm of Barnes and Hut: n log n for each step.
//
// A step: the key of each body's place; bodies sorted by key; a tree of cells over them; for each body the
// attraction of what is near by itself, and of what is far by whole cells; bodies move.  All but the sorting is done by
// tasks, each in a thread of its own (phase.c), and bodies are only reached through a cache of them (cache.h).
//
// Each sum has a fixed order: the result is the same, to the last bit, for any number of threads and processors, for
// each share of memory and on the host.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_BODIES = 8 };               // of a block, and of a task that computes forces
enum { BODIES_MOST = 1 << 20, THREADS_MOST = 256, KEY_BITS = 16, LEAF_BODIES = 8, TOP_CELLS = 16 };

struct body {
    double x, y, vx, vy, mass;           // the place is in [0, 1) twice
};

struct setup {
    uint32_t bodies;                     // a multiple of BLOCK_BODIES, 1 to BODIES_MOST
    uint32_t steps;
    uint32_t threads;                    // that run at once; 0: no threads are made, one task after the other
    uint32_t percent;                    // of the blocks have a buffer: 1 to 100, at least one block
    uint64_t ticks;                      // that a read takes
    uint64_t seed;
    double   theta;                      // a cell is far if it is smaller than theta times the distance
};

struct cell {
    double   x, y, mass;                 // centre of mass
    double   size2;                      // square of its side
    uint32_t first, count;               // bodies, in the order of keys
    uint32_t child, children;            // cells; 0: a leaf
};

struct cache;

struct world {
    struct setup  setup;
    struct cache *cache;
    uint32_t      blocks;
    uint32_t     *key, *order, *spare;   // key by body; bodies by key
    struct cell  *cells;                 // the root, its children, theirs; then all others
    uint32_t      cells_most;
    uint32_t      used;                  // a  cells
    bool          failed;                // a  more cells than there can be: never, or a thread could not be made
    double       *ax, *ay;               // of each body
};

// ---- tree.c -----------------------------------------------------------------------------------------------

uint32_t nbody_key(double x, double y);
// order: indexes sorted by key, equal ones by index.
void tree_sort(struct world *w);
// The root and the cells of the first two levels, without their sums, from sorted keys.
void tree_begin(struct world *w);
// All below one of the TOP_CELLS.
void tree_build(struct world *w, uint32_t top);
// The sums of the first levels.
void tree_end(struct world *w);

// ---- force.c ----------------------------------------------------------------------------------------------

// What a mass at a distance (dx, dy) does.
void force_add(double dx, double dy, double mass, double *ax, double *ay);
// The attraction of all others on body i at (x, y).
void force_on(struct world *w, uint32_t i, double x, double y, double *ax, double *ay);

// ---- phase.c ----------------------------------------------------------------------------------------------

// Run task(w, i) for each i below count, in threads.
void phase_run(struct world *w, void (*task)(struct world *w, uint32_t i), uint32_t count);

// ---- nbody.c ----------------------------------------------------------------------------------------------

// NULL, or what is wrong with it.
const char *nbody_check(const struct setup *s);
// Bodies by seed, in the order of keys.  False: no memory.
bool nbody_init(struct world *w, const struct setup *s);
void nbody_step(struct world *w);
// Of all bodies.  Changes nothing.
uint64_t nbody_checksum(struct world *w);
uint64_t nbody_misses(const struct world *w);
