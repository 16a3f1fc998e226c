// sim.h - a wind tunnel of particles: rarefied flow past an obstacle, by particle in cell.
//
// Particles fly through a box of cells from left to right.  A step moves each of them, and then lets pairs
// within a cell collide.  Walls and the obstacle reflect.  Who leaves goes through the reservoir and comes
// in again with the stream.  All is integer arithmetic, every random number is a hash of seed, step and
// particle, and the particles of a cell are put in order before they are paired.  So the result depends
// neither on where particles are kept nor on how many threads there are: that is what lets two placements
// be compared exactly.
//
// Particles are kept in pages of 127 (store.c); a particle is named by its slot, page * 128 + place in the
// page. Cells are numbered block by block, a block being 4 x 4 x 4 cells, and each worker has a range of
// blocks.
//     SIM_STAY   a particle stays in the slot where it was made, wherever it flies
//     SIM_CELLS  a move writes it into a page of the block that it arrives in: neighbours share pages
//
// The same source runs in the application kernel's program space and on the host.  It has no state of its
// own, and takes memory as it is given: cleared.  Cache Kernel, 3 and 5.2.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIM_PAGE = 4096,
    SIM_SLOTS = 128,                     // of a page; the first is its head
    SIM_THREADS = 8,
    SIM_AXIS = 64,                       // cells along an axis at most
    SIM_TABLE = SIM_AXIS / 4,            // blocks along an axis at most
    SIM_CELL = 1 << 16,                  // the side of a cell, in units of length
    SIM_CROWD = 64,                      // particles for each cell at most, on average
};

enum sim_policy { SIM_STAY = 0, SIM_CELLS = 1 };

struct sim_setup {                       // I
    uint32_t particles, steps;
    uint32_t warm;                       // the first steps are neither measured nor sampled
    uint32_t threads, policy;
    uint32_t size[3];                    // cells along x, y, z
    uint32_t low[3], high[3];            // the obstacle, in cells; low = high: none
    uint64_t seed;
};

struct sim_particle {
    int32_t  at[3], v[3];                // units of length, units for a step
    uint32_t id;
    uint32_t next;                       // slot of the next one of the cell
};

struct sim_head {                        // in the first slot of a page
    uint32_t next;                       // page of the chain; 0 ends it
    uint32_t owner;                      // worker that took it
    uint32_t reserved[6];
};

struct sim_entry {
    uint32_t key, slot;
};

struct sim_counts {
    uint64_t collisions, hits, reservoir;
    uint64_t checksum, energy;
    int64_t  momentum[3];
};

struct sim_worker {
    struct sim_counts counts;
    uint32_t free;                       // pages given back, a chain
    uint32_t fresh, fresh_end;           // pages never used
    uint32_t chain;                      // of particles that belong to no block
    uint32_t returned;                   // a  pages given back by others
    uint32_t failed;                     // there was no page left
} __attribute__((aligned(64)));

struct sim {
    struct sim_setup setup;
    uint32_t blocks, cells, pages;       // I  pages for each worker
    int32_t  extent[3];                  // I  in units of length
    struct sim_particle *particle;       // I  by slot
    uint32_t *cell;                      // a  the first particle of each
    uint32_t *chain[2];                  // of [worker * blocks + block], of this step and the last
    uint64_t *density;                   // particles seen in each block
    struct sim_entry *scratch;           // `particles` entries for each worker
    struct sim_worker worker[SIM_THREADS];
    struct sim_counts result;            // written by worker 0 at the end
    uint64_t table[SIM_TABLE * SIM_TABLE];       // density by x and y, summed over z
    uint32_t failed;
};

// ---- words.c: what is to be simulated ---------------------------------------------------------------------

void sim_defaults(struct sim_setup *s);
// key=value.  False: no such key, or not its value.
bool sim_word(struct sim_setup *s, const char *word, size_t length);
// The words of a text; `#` begins a comment.  False, with the word in *bad.
bool sim_words(struct sim_setup *s, const char *text, size_t length, const char **bad, size_t *bad_length);
// Fills in what was left open.  NULL, or what is wrong.
const char *sim_check(struct sim_setup *s);

// ---- sim.c ------------------------------------------------------------------------------------------------

// Put what belongs together into memory from base on, a multiple of SIM_PAGE; gives how many bytes.  With
// s->setup checked.
size_t sim_layout(struct sim *s, uintptr_t base);
// A worker's whole life.  All of them run it, each with its number.
void sim_work(struct sim *s, unsigned me);

// ---- given by the program ---------------------------------------------------------------------------------

enum sim_mark { SIM_BEGIN = 0, SIM_END = 1 };
void sim_barrier(struct sim *s, unsigned me);            // returns when all workers have called it
// Called by worker 0 where the measured part begins and ends.
void sim_mark(struct sim *s, enum sim_mark mark);

// ---- flow.c: one particle, one pair -----------------------------------------------------------------------

uint64_t sim_random(const struct sim *s, uint64_t step, uint64_t which);
void sim_create(const struct sim *s, struct sim_particle *p, uint32_t id);
void sim_move(const struct sim *s, struct sim_particle *p, uint32_t step, struct sim_counts *c);
// n: how many are in their cell.
void sim_collide(const struct sim *s, struct sim_particle *a, struct sim_particle *b, uint32_t n,
                 uint32_t step, struct sim_counts *c);
uint32_t sim_cell(const struct sim *s, const struct sim_particle *p);

// ---- store.c: pages of particles --------------------------------------------------------------------------

static inline struct sim_head *sim_head(const struct sim *s, uint32_t page)
{
    return (struct sim_head *)&s->particle[(size_t)page * SIM_SLOTS];
}
// A chain of pages is known by the slot behind the last one used, in its first page; all other pages are
// full.  0: it is empty.
static inline uint32_t sim_chain_page(uint32_t chain)
{
    return chain == 0 ? 0 : (chain - 1) / SIM_SLOTS;
}
static inline uint32_t sim_chain_used(uint32_t chain)    // slots of its first page
{
    return chain == 0 ? 0 : (chain - 1) % SIM_SLOTS + 1;
}
// Put a page before a chain.  False: no page is left.
bool sim_extend(struct sim *s, unsigned me, uint32_t *chain);
// A free slot of a chain, which is extended if it has none.  0: no page is left.
static inline uint32_t sim_append(struct sim *s, unsigned me, uint32_t *chain)
{
    return *chain % SIM_SLOTS == 0 && !sim_extend(s, me, chain) ? 0 : (*chain)++;
}
// Give a page back; the next one of its chain.
uint32_t sim_release(struct sim *s, unsigned me, uint32_t page);

// ---- report.c ---------------------------------------------------------------------------------------------

// The result as text, line by line.
void sim_report(const struct sim *s, void (*line)(const char *text));
