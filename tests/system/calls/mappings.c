// mappings.c - mapping_load and mapping_load_batch: rights, alignment, what replaces what.
#include "calls.h"

enum { OWN = 0x600000000000 };           // free addresses of this kernel's own space

static struct test_space space;
static pa_t page;

static void bad_arguments(void)
{
    const struct { uint64_t va, pa, flags; err_t expected; const char *name;
    } table[] = {
        {0x500000, page, 0, ERR_INVAL, "mapping_load: no access at all"},
        {0x500000, page, MAP_LOCKED, ERR_INVAL, "mapping_load: locked without access"},
        {0x500000, page, MAP_WRITE | MAP_EXEC, ERR_INVAL, "mapping_load: writable and executable"},
        {0x500000, page, MAP_READ | 1024, ERR_INVAL, "mapping_load: a flag that is none"},
        {0x500000, page, MAP_READ | 1ull << 63, ERR_INVAL, "mapping_load: a high flag that is none"},
        {0x500001, page, MAP_READ, ERR_INVAL, "mapping_load: a misaligned address"},
        {0x500000, page + 8, MAP_READ, ERR_INVAL, "mapping_load: a misaligned frame"},
        {0x500000, page, MAP_READ | MAP_LARGE, ERR_INVAL, "mapping_load: large, misaligned"},
        {ABI_USER_END, page, MAP_READ, ERR_INVAL, "mapping_load: at the end of user space"},
        {0x800000000000, page, MAP_READ, ERR_INVAL, "mapping_load: not canonical"},
        {0xffffffff80000000, page, MAP_READ, ERR_INVAL, "mapping_load: over the supervisor"},
        {0xfffffffffffff000, page, MAP_READ, ERR_INVAL, "mapping_load: the last page of all"},
        {0x7fffffe00000, page & ~(pa_t)(ABI_LARGE - 1), MAP_READ | MAP_LARGE, ERR_INVAL,
         "mapping_load: large, over the end of user space"},
        {0x500000, foreign_memory(), MAP_READ, ERR_DENIED, "mapping_load: foreign memory"},
        {0x500000, info->system, MAP_READ | MAP_WRITE, ERR_DENIED,
         "mapping_load: the system pages, writable"},
        {0x500000, info->archive, MAP_READ | MAP_WRITE, ERR_DENIED, "mapping_load: the archive, writable"},
        {0x500000, 0, MAP_READ, ERR_DENIED, "mapping_load: frame 0"},
        {0x500000, 0xfee00000, MAP_READ | MAP_WRITE | MAP_DEVICE, ERR_DENIED, "mapping_load: the APIC"},
        {0x500000, 0xfec00000, MAP_READ | MAP_WRITE | MAP_DEVICE, ERR_DENIED, "mapping_load: the IOAPIC"},
        {0x500000, 0xb0000000, MAP_READ | MAP_DEVICE, ERR_DENIED, "mapping_load: PCI configuration space"},
        {0x500000, 1ull << 45, MAP_READ, ERR_DENIED, "mapping_load: where no memory is"},
        {0x500000, ~0xfffull, MAP_READ, ERR_DENIED, "mapping_load: the last frame of all"},
        {0x500000, info->system, MAP_READ, ERR_OK, "mapping_load: the system pages, readable"},
        {0x500000, page, MAP_READ, ERR_OK, "mapping_load"},
    };

    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t loads = stats->loads[OBJECT_MAPPING], unloaded = 0;
        err_t e = sys_mapping_load(space.id, table[i].va, table[i].pa, table[i].flags);
        check_error(e, table[i].expected, table[i].name);
        if (table[i].expected != ERR_OK && stats->loads[OBJECT_MAPPING] != loads) {
            check(false, table[i].name, "a mapping has been loaded");
        }
        if (e == ERR_OK) {
            check_error(sys_mapping_unload(space.id, table[i].va & ~0xfffull, ABI_PAGE, &unloaded), ERR_OK,
                        "unload it");
        }
    }
}

static void bad_spaces(void)
{
    check_error(sys_mapping_load(machine->space, OWN, page, MAP_READ), ERR_DENIED,
                "mapping_load: srm's space");
    check_error(sys_mapping_load(machine->space, OWN, page, MAP_READ | MAP_WRITE | MAP_EXEC), ERR_DENIED,
                "mapping_load: srm's space and bad access");
    for (unsigned i = 0; i < BAD_IDS; i++) {
        uint64_t n = 0;
        oid_t id = bad_id(i, space.id);
        struct map_entry entry = {0x500000, page, MAP_READ};
        check_error(sys_mapping_load(id, 0x500000, page, MAP_READ), ERR_STALE, bad_id_name[i]);
        check_error(sys_mapping_load_batch(id, &entry, 1, &n), ERR_STALE, bad_id_name[i]);
        check_error(sys_mapping_unload(id, 0x500000, ABI_PAGE, &n), ERR_STALE, bad_id_name[i]);
        check_error(sys_mapping_protect(id, 0x500000, ABI_PAGE, MAP_READ, &n), ERR_STALE, bad_id_name[i]);
    }
}

static void batches(void)
{
    static struct map_entry entry[MAP_BATCH];
    uint64_t n = 99;

    for (unsigned i = 0; i < MAP_BATCH; i++) {
        entry[i] = (struct map_entry){0x500000 + i * ABI_PAGE, page, MAP_READ};
    }
    check_error(sys_mapping_load_batch(space.id, entry, 0, &n), ERR_INVAL, "mapping_load_batch: none");
    check_error(sys_mapping_load_batch(space.id, entry, MAP_BATCH + 1, &n), ERR_INVAL,
                "mapping_load_batch: too many");
    check_error(sys_mapping_load_batch(space.id, entry, ~0ull, &n), ERR_INVAL,
                "mapping_load_batch: a huge number");
    check_error(sys_mapping_load_batch(space.id, entry, 1ull << 60, &n), ERR_INVAL,
                "mapping_load_batch: it wraps");
    for (unsigned i = 0; i < BAD_POINTERS; i++) {
        check_error(raw(SYS_mapping_load_batch, space.id, bad_pointer[i], 2, 0), (err_t)FAULTED,
                    "mapping_load_batch: a bad pointer");
    }
    check_error(sys_mapping_load_batch(space.id, entry, 16, &n), ERR_OK, "mapping_load_batch");
    check(n == 16, "it says how many", "it says %lu", (unsigned long)n);
    entry[18].pa = foreign_memory();
    check_error(sys_mapping_load_batch(space.id, entry + 16, 8, &n), ERR_DENIED,
                "mapping_load_batch: one is foreign");
    check(n == 2, "those before it are loaded", "%lu are", (unsigned long)n);
    check_error(sys_mapping_unload(space.id, 0x500000, MAP_BATCH * ABI_PAGE, &n), ERR_OK, "unload them");
    check(n == 18, "as many as were loaded", "%lu were unloaded", (unsigned long)n);
}

// In this kernel's own space, where the test sees the memory itself.
static void replacing(void)
{
    pa_t other = page_take();
    volatile uint64_t *at = (uint64_t *)OWN;
    struct test_space own = {.id = info->space};
    uint64_t n;

    *(uint64_t *)window(page) = 1;
    *(uint64_t *)window(other) = 2;
    check_error(map_page(&own, OWN, page, MAP_READ | MAP_WRITE), ERR_OK, "map in the own space");
    CHECK(*at == 1, "the page is seen");
    check_error(map_page(&own, OWN, other, MAP_READ | MAP_WRITE), ERR_OK, "map another page there");
    CHECK(*at == 2, "the other is seen");
    *at = 3;
    CHECK(*(uint64_t *)window(other) == 3, "and written");
    check_error(map_page(&own, OWN, other, MAP_READ), ERR_OK, "map it again with fewer rights");
    check_error(sys_mapping_unload(own.id, OWN, ABI_PAGE, &n), ERR_OK, "unmap");
    CHECK(n == 1, "one mapping was there");
    check_error(raw(SYS_space_load, OWN, 0, 0, 0), (err_t)FAULTED, "a call reads there");
    page_give(other);
}

// A large mapping and small ones displace each other.
static void sizes(void)
{
    pa_t unit = info->range[0].base + info->range[0].length - ABI_LARGE;
    uint64_t n;

    check_error(sys_mapping_load(space.id, 0x600000, unit, MAP_READ | MAP_LARGE), ERR_OK, "a large mapping");
    check_error(sys_mapping_load(space.id, 0x601000, page, MAP_READ), ERR_OK, "a small one inside it");
    check_error(sys_mapping_unload(space.id, 0x600000, ABI_LARGE, &n), ERR_OK, "unload both");
    check(n == 1, "the large one was displaced", "%lu were there", (unsigned long)n);
    for (unsigned i = 0; i < 3; i++) {
        check_error(sys_mapping_load(space.id, 0x600000 + 5 * i * ABI_PAGE, page, MAP_READ), ERR_OK,
                    "small mappings");
    }
    err_t e;
    while ((e = sys_mapping_load(space.id, 0x600000, unit, MAP_READ | MAP_LARGE)) == ERR_AGAIN) {
        sleep_for(milliseconds(1));
    }
    check_error(e, ERR_OK, "a large one over them");
    check_error(sys_mapping_unload(space.id, 0x600000, ABI_LARGE, &n), ERR_OK, "unload all");
    check(n == 1, "the small ones were displaced", "%lu were there", (unsigned long)n);
}

void test_mappings(void)
{
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    page = page_take();
    bad_arguments();
    bad_spaces();
    batches();
    replacing();
    sizes();
    page_give(page);
    space_close(&space);
}
