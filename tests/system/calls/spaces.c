// spaces.c - space_load and space_unload.
#include "calls.h"

static void expect(struct space_desc d, err_t expected, const char *name)
{
    struct counts before = counts_now();
    oid_t id = 0;

    err_t e = sys_space_load(&d, &id);
    check_error(e, expected, name);
    if (e == ERR_OK) {
        check_error(sys_space_unload(id), ERR_OK, name);
    }
    struct counts after = counts_now();
    if (memcmp(&before, &after, sizeof(after)) != 0) {
        check(false, name, "the caches have changed");
    }
}

static void bad_descriptors(pa_t page)
{
    struct space_desc good = {.rule = TRAP_FORWARD, .cookie = 5, .place = page}, d;

    expect(good, ERR_OK, "space_load");
    d = good, d.flags = 2;
    expect(d, ERR_INVAL, "space_load: a flag that is none");
    d = good, d.flags = 256;
    expect(d, ERR_INVAL, "space_load: another flag that is none");
    d = good, d.rule = 2;
    expect(d, ERR_INVAL, "space_load: a rule that is none");
    d = good, d.place += 8;
    expect(d, ERR_INVAL, "space_load: a misaligned place");
    d = good, d.place = foreign_memory();
    expect(d, ERR_DENIED, "space_load: a place in foreign memory");
    d = good, d.place = info->system;
    expect(d, ERR_DENIED, "space_load: a place in the system pages");
    d = good, d.place = 1ull << 50;
    expect(d, ERR_DENIED, "space_load: a place where no memory is");
    d = good, d.place = ~0ull << 6;
    expect(d, ERR_DENIED, "space_load: a place at the end of all addresses");
}

static void bad_pointers(void)
{
    static char data_end_probe;
    va_t end = ((va_t)&data_end_probe + ABI_LARGE) & ~(va_t)(ABI_LARGE - 1);

    for (unsigned i = 0; i < BAD_POINTERS; i++) {
        check_error(raw(SYS_space_load, bad_pointer[i], 0, 0, 0), (err_t)FAULTED,
                    "space_load: a bad pointer");
    }
    check_error(raw(SYS_space_load, end - 8, 0, 0, 0), (err_t)FAULTED,
                "space_load: half of it is not mapped");
}

static void unloading(pa_t page)
{
    struct place *place = window(page);
    struct space_desc d = {.rule = TRAP_FORWARD, .place = page};
    oid_t id = 0, second = 0;

    check_error(sys_space_load(&d, &id), ERR_OK, "space_load");
    CHECK(place->loaded == 1, "its place says that it is loaded");
    for (unsigned i = 0; i < BAD_IDS; i++) {
        check_error(sys_space_unload(bad_id(i, id)), ERR_STALE, bad_id_name[i]);
    }
    check_error(sys_space_unload(machine->space), ERR_DENIED, "space_unload of the first kernel's");
    check_error(sys_space_unload(info->space), ERR_DENIED, "space_unload of its own");
    check_error(sys_space_unload(id), ERR_OK, "space_unload");
    CHECK(place->loaded == 0 && place->reason == REASON_UNLOADED, "its place says that it was unloaded");
    check_error(sys_space_unload(id), ERR_STALE, "space_unload again");
    check_error(sys_space_load(&d, &second), ERR_OK, "space_load again");
    CHECK(second != id, "the id is a fresh one");
    check_error(sys_space_unload(id), ERR_STALE, "space_unload by the old id");
    check_error(sys_space_unload(second), ERR_OK, "space_unload by the fresh id");
}

void test_spaces(void)
{
    pa_t page = page_take();

    bad_descriptors(page);
    bad_pointers();
    unloading(page);
    page_give(page);
}
