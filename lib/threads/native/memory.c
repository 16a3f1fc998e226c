// memory.c - stacks: pieces of large maps, each with a guard page below.
//
// A map is cut into pieces of one size, a power of two; the lowest page of each is the guard (native_map).  The first
// piece tells how many are used.  No lock: a thread that is stopped in here would keep it.
#include "threads_native.h"

enum { SIZES = 18, PIECES = 256, MAP_MOST = 64 << 20 };   // pieces from two pages to 1 GiB

struct map {
    uint64_t used, pieces;                       // used: a
};
static struct map *maps[SIZES];                  // a  by size, the one that is used now

static struct map *map_make(uint64_t size)
{
    uint64_t pieces = size < MAP_MOST / PIECES ? PIECES : size < MAP_MOST / 2 ? MAP_MOST / size : 2;
    va_t va;

    if (native_map(pieces * size, MAP_READ | MAP_WRITE, size, &va) != ERR_OK) {
        return NULL;
    }
    struct map *map = (struct map *)(va + ABI_PAGE);
    *map = (struct map){1, pieces};
    return map;
}

void *threads_native_memory(size_t bytes)
{
    unsigned s = 0;

    while (s < SIZES && (2ull * ABI_PAGE << s) - ABI_PAGE < bytes) {
        s++;
    }
    while (s < SIZES) {
        struct map *map = __atomic_load_n(&maps[s], __ATOMIC_ACQUIRE);      // pairs with the exchange below
        uint64_t size = 2ull * ABI_PAGE << s, n = 0;
        if (map != NULL && (n = __atomic_fetch_add(&map->used, 1, __ATOMIC_RELAXED)) < map->pieces) {
            return (char *)map + n * size;
        }
        struct map *fresh = map_make(size);
        if (fresh == NULL) {
            return NULL;
        }
        if (!__atomic_compare_exchange_n(&maps[s], &map, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            (void)native_unmap((va_t)fresh - ABI_PAGE, fresh->pieces * size);
        }
    }
    return NULL;
}
