// sim.c - the steps of the simulation: move all, meet, collide within cells, meet.
//
// Move: a worker goes through its own pages.  Each particle is put into the list of its cell, which several
// workers may do at once (an atomic exchange).  Collide: a worker goes through the cells of its own blocks;
// nobody else touches their lists and particles.  Between the two, and after them, all wait for all.
#include "sim.h"

static uintptr_t area(uintptr_t *at, size_t size)
{
    uintptr_t start = *at;

    *at = (start + size + SIM_PAGE - 1) & ~(uintptr_t)(SIM_PAGE - 1);
    return start;
}

size_t sim_layout(struct sim *s, uintptr_t base)
{
    const struct sim_setup *u = &s->setup;
    uintptr_t at = base;

    s->cells = u->size[0] * u->size[1] * u->size[2];
    s->blocks = s->cells / 64;
    for (unsigned i = 0; i < 3; i++) {
        s->extent[i] = (int32_t)u->size[i] * SIM_CELL;
    }
    // All particles could be one worker's, with a page begun in each block, and the same of the step before.
    s->pages = 2 * (u->particles / (SIM_SLOTS - 1) + s->blocks) + 4;
    s->cell = (uint32_t *)area(&at, s->cells * sizeof(*s->cell));
    for (unsigned i = 0; i < 2; i++) {
        s->chain[i] = (uint32_t *)area(&at, (size_t)u->threads * s->blocks * sizeof(*s->chain[i]));
    }
    s->density = (uint64_t *)area(&at, s->blocks * sizeof(*s->density));
    s->scratch = (struct sim_entry *)area(&at, (size_t)u->threads * u->particles * sizeof(*s->scratch));
    s->particle = (struct sim_particle *)area(&at, ((size_t)u->threads * s->pages + 1) * SIM_PAGE);
    for (unsigned i = 0; i < u->threads; i++) {
        s->worker[i].fresh = 1 + i * s->pages;           // page 0 is none
        s->worker[i].fresh_end = 1 + (i + 1) * s->pages;
    }
    return at - base;
}

static uint32_t first_of(uint32_t all, unsigned me, uint32_t threads)
{
    return (uint32_t)((uint64_t)all * me / threads);
}

static void create(struct sim *s, unsigned me)
{
    uint32_t n = s->setup.particles, end = first_of(n, me + 1, s->setup.threads);

    for (uint32_t id = first_of(n, me, s->setup.threads); id < end; id++) {
        uint32_t slot = sim_append(s, me, &s->worker[me].chain);
        if (slot == 0) {
            return;
        }
        sim_create(s, &s->particle[slot], id);
    }
}

// ---- moving -----------------------------------------------------------------------------------------------

static void move_page(struct sim *s, unsigned me, uint32_t page, uint32_t used, uint32_t step)
{
    uint32_t *chain = s->setup.policy == SIM_CELLS ? &s->chain[step % 2][me * s->blocks] : NULL;

    for (uint32_t i = 1; i < used; i++) {
        uint32_t slot = page * SIM_SLOTS + i;
        struct sim_particle p = s->particle[slot];
        sim_move(s, &p, step, &s->worker[me].counts);
        uint32_t cell = sim_cell(s, &p);
        if (chain != NULL && (slot = sim_append(s, me, &chain[cell / 64])) == 0) {
            return;
        }
        p.next = __atomic_exchange_n(&s->cell[cell], slot, __ATOMIC_RELAXED);
        s->particle[slot] = p;
    }
}

// A chain whose particles are copied elsewhere.
static void move_chain(struct sim *s, unsigned me, uint32_t *chain, uint32_t step)
{
    uint32_t page = sim_chain_page(*chain), used = sim_chain_used(*chain);

    *chain = 0;
    for (; page != 0; used = SIM_SLOTS) {
        move_page(s, me, page, used, step);
        page = sim_release(s, me, page);
    }
}

static void move_all(struct sim *s, unsigned me, uint32_t step)
{
    const struct sim_setup *u = &s->setup;
    uint32_t end = first_of(s->blocks, me + 1, u->threads);

    if (u->policy == SIM_STAY) {
        uint32_t chain = s->worker[me].chain, used = sim_chain_used(chain);
        for (uint32_t page = sim_chain_page(chain); page != 0; used = SIM_SLOTS) {
            move_page(s, me, page, used, step);
            page = sim_head(s, page)->next;
        }
        return;
    }
    move_chain(s, me, &s->worker[me].chain, step);
    for (uint32_t block = first_of(s->blocks, me, u->threads); block < end; block++) {
        for (unsigned t = 0; t < u->threads; t++) {
            move_chain(s, me, &s->chain[(step + 1) % 2][t * s->blocks + block], step);
        }
    }
}

// ---- colliding --------------------------------------------------------------------------------------------

// The particles of a cell, in an order that depends on nothing but which they are, another one in each step.
static uint32_t gather(struct sim *s, uint32_t cell, uint32_t step, struct sim_entry *list)
{
    uint32_t n = 0;

    for (uint32_t slot = s->cell[cell]; slot != 0; slot = s->particle[slot].next) {
        struct sim_entry e = {(s->particle[slot].id ^ step * 0x9e3779b9u) * 0x85ebca6bu, slot};
        uint32_t i = n++;
        for (; i > 0 && list[i - 1].key > e.key; i--) {
            list[i] = list[i - 1];
        }
        list[i] = e;
    }
    s->cell[cell] = 0;
    return n;
}

static void collide_all(struct sim *s, unsigned me, uint32_t step)
{
    uint32_t end = first_of(s->blocks, me + 1, s->setup.threads) * 64;
    struct sim_entry *list = &s->scratch[(size_t)me * s->setup.particles];

    for (uint32_t cell = first_of(s->blocks, me, s->setup.threads) * 64; cell < end; cell++) {
        uint32_t n = gather(s, cell, step, list);
        for (uint32_t i = 0; i + 1 < n; i += 2) {
            sim_collide(s, &s->particle[list[i].slot], &s->particle[list[i + 1].slot], n, step,
                        &s->worker[me].counts);
        }
        s->density[cell / 64] += step > s->setup.warm ? n : 0;
    }
}

// ---- the end ----------------------------------------------------------------------------------------------

static uint64_t mixed(const struct sim_particle *p)
{
    uint64_t v = p->id;

    for (unsigned i = 0; i < 3; i++) {
        v = (v ^ (uint32_t)p->at[i]) * 0x9e3779b97f4a7c15ull;
        v = (v ^ v >> 31 ^ (uint32_t)p->v[i]) * 0xbf58476d1ce4e5b9ull;
    }
    return v ^ v >> 30;
}

static void sum_chain(struct sim *s, uint32_t chain, struct sim_counts *c)
{
    uint32_t used = sim_chain_used(chain);

    for (uint32_t page = sim_chain_page(chain); page != 0; page = sim_head(s, page)->next, used = SIM_SLOTS) {
        for (uint32_t i = 1; i < used; i++) {
            const struct sim_particle *p = &s->particle[page * SIM_SLOTS + i];
            c->checksum += mixed(p);
            for (unsigned k = 0; k < 3; k++) {
                c->momentum[k] += p->v[k];
                c->energy += (uint64_t)((int64_t)p->v[k] * p->v[k]);
            }
        }
    }
}

static void finish(struct sim *s)
{
    const struct sim_setup *u = &s->setup;
    uint32_t nx = u->size[0] / 4, ny = u->size[1] / 4;

    for (unsigned t = 0; t < u->threads; t++) {
        const struct sim_worker *w = &s->worker[t];
        s->result.collisions += w->counts.collisions;
        s->result.hits += w->counts.hits;
        s->result.reservoir += w->counts.reservoir;
        s->failed |= w->failed;
        sum_chain(s, w->chain, &s->result);
        for (uint32_t block = 0; block < s->blocks && u->policy == SIM_CELLS; block++) {
            sum_chain(s, s->chain[u->steps % 2][t * s->blocks + block], &s->result);
        }
    }
    for (uint32_t block = 0; block < s->blocks; block++) {
        s->table[block / nx % ny * SIM_TABLE + block % nx] += s->density[block];
    }
}

void sim_work(struct sim *s, unsigned me)
{
    create(s, me);
    for (uint32_t step = 1; step <= s->setup.steps; step++) {
        if (me == 0 && step == s->setup.warm + 1) {
            sim_mark(s, SIM_BEGIN);
        }
        move_all(s, me, step);
        sim_barrier(s, me);
        collide_all(s, me, step);
        sim_barrier(s, me);
    }
    if (me == 0) {
        sim_mark(s, SIM_END);
        finish(s);
    }
}
