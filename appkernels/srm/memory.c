// memory.c - the machine's memory in 2-MiB units.
#include "memory.h"

#include <base.h>

enum unit_bits { UNIT_FREE = 1, UNIT_GIVEN = 2, UNIT_USED = 4 };   // 0: not ours to give

static uint8_t unit_state[MEMORY_UNITS];
static uint8_t unit_cluster[MEMORY_UNITS];

struct run {
    uint64_t first, count;
};

void memory_init(const struct memory_range *range, unsigned count)
{
    memset(unit_state, 0, sizeof(unit_state));
    for (unsigned i = 0; i < count; i++) {
        uint64_t first = range[i].base / ABI_LARGE, n = range[i].length / ABI_LARGE;
        for (uint64_t u = first; u < first + n && u < MEMORY_UNITS; u++) {
            unit_state[u] = UNIT_FREE;
            unit_cluster[u] = (uint8_t)range[i].cluster;
        }
    }
}

static bool is_free(uint64_t u)
{
    return u < MEMORY_UNITS && (unit_state[u] & UNIT_FREE);
}

// The next run of free units of one cluster at or after `from`; false if there is none.
static bool next_run(uint64_t from, struct run *r)
{
    while (from < MEMORY_UNITS && !is_free(from)) {
        from++;
    }
    r->first = from;
    r->count = 0;
    while (is_free(from) && unit_cluster[from] == unit_cluster[r->first]) {
        from++;
        r->count++;
    }
    return r->count > 0;
}

// The best run for `units`: the shortest that is long enough, else the longest; of `cluster` if it is not -1
// and that cluster has any.
static bool best_run(uint64_t units, int cluster, struct run *best)
{
    struct run r;
    bool found = false;

    for (uint64_t at = 0; next_run(at, &r); at = r.first + r.count) {
        if (cluster >= 0 && unit_cluster[r.first] != cluster) {
            continue;
        }
        bool fits = r.count >= units, best_fits = found && best->count >= units;
        if (!found || (fits && (!best_fits || r.count < best->count)) ||
            (!best_fits && r.count > best->count)) {
            *best = r;
            found = true;
        }
    }
    return found || (cluster >= 0 && best_run(units, -1, best));
}

static void take(struct run r)
{
    for (uint64_t u = r.first; u < r.first + r.count; u++) {
        unit_state[u] = (uint8_t)((unit_state[u] & ~UNIT_FREE) | UNIT_GIVEN);
    }
}

// Give units back; `used` notes that somebody has written to them.
static void release(uint64_t first, uint64_t count, bool used)
{
    for (uint64_t u = first; u < first + count && u < MEMORY_UNITS; u++) {
        if (unit_state[u] & UNIT_GIVEN) {
            unit_state[u] = (uint8_t)(UNIT_FREE | (used ? UNIT_USED : unit_state[u] & UNIT_USED));
        }
    }
}

unsigned memory_take(uint64_t units, struct memory_range *range, unsigned most)
{
    unsigned n = 0;
    int cluster = -1;

    while (units > 0 && n < most) {
        struct run r;
        if (!best_run(units, cluster, &r)) {
            break;
        }
        r.count = r.count < units ? r.count : units;
        cluster = unit_cluster[r.first];
        take(r);
        range[n++] = (struct memory_range){r.first * ABI_LARGE, r.count * ABI_LARGE, (uint32_t)cluster, 0};
        units -= r.count;
    }
    if (units == 0) {
        return n;
    }
    while (n > 0) {
        n--;
        release(range[n].base / ABI_LARGE, range[n].length / ABI_LARGE, false);
    }
    return 0;
}

void memory_give(const struct memory_range *range)
{
    release(range->base / ABI_LARGE, range->length / ABI_LARGE, true);
}

bool memory_is_used(pa_t unit)
{
    return unit / ABI_LARGE < MEMORY_UNITS && (unit_state[unit / ABI_LARGE] & UNIT_USED);
}

uint64_t memory_available(unsigned most)
{
    struct memory_range range[8];
    unsigned n = 0;
    uint64_t units = 0;
    struct run r;

    for (; n < most && n < 8 && best_run(MEMORY_UNITS, -1, &r); n++) {
        take(r);
        range[n] = (struct memory_range){r.first * ABI_LARGE, r.count * ABI_LARGE, 0, 0};
        units += r.count;
    }
    while (n > 0) {
        n--;
        release(range[n].base / ABI_LARGE, range[n].length / ABI_LARGE, false);
    }
    return units;
}
