// report.c - the result as text: a small table of the density, and numbers that say exactly what happened.
#include <base.h>

#include "sim.h"

static void table(const struct sim *s, void (*line)(const char *text))
{
    char text[SIM_TABLE * 8 + 1];

    line("particles seen in 4 columns of cells, flow from left to right");
    for (uint32_t y = 0; y < s->setup.size[1] / 4; y++) {
        int n = 0;
        for (uint32_t x = 0; x < s->setup.size[0] / 4; x++) {
            n += base_format(text + n, sizeof(text) - (size_t)n, "%7lu",
                             (unsigned long)s->table[y * SIM_TABLE + x]);
        }
        line(text);
    }
}

void sim_report(const struct sim *s, void (*line)(const char *text))
{
    const struct sim_setup *u = &s->setup;
    const struct sim_counts *r = &s->result;
    char text[120];

    base_format(text, sizeof(text), "mp3d: %u particles, %u steps, seed %lu", u->particles, u->steps,
                (unsigned long)u->seed);
    line(text);
    base_format(text, sizeof(text), "grid %ux%ux%u, obstacle %u-%u,%u-%u,%u-%u", u->size[0], u->size[1],
                u->size[2], u->low[0], u->high[0], u->low[1], u->high[1], u->low[2], u->high[2]);
    line(text);
    table(s, line);
    base_format(text, sizeof(text), "collisions %lu, reflections %lu, through the reservoir %lu",
                (unsigned long)r->collisions, (unsigned long)r->hits, (unsigned long)r->reservoir);
    line(text);
    base_format(text, sizeof(text), "momentum %ld %ld %ld, energy %lu", (long)r->momentum[0],
                (long)r->momentum[1], (long)r->momentum[2], (unsigned long)r->energy);
    line(text);
    base_format(text, sizeof(text), "checksum %016lx", (unsigned long)r->checksum);
    line(text);
}
