// rights.c - kernel_grant: what it refuses, what it permits, and what narrowing takes away.
#include "first.h"

enum { DATA = 0x600000 };

static struct child c;
static pa_t unit;                        // 2 MiB to grant

static uint64_t child_map(pa_t pa, uint64_t flags)
{
    return child_call(&c, SYS_mapping_load, c.space.id, DATA, pa, flags);
}

static void bad_arguments(void)
{
    uint64_t g = unit >> ABI_GROUP_SHIFT;

    check_error(sys_kernel_grant(c.kernel, g, 0, GROUP_READ), ERR_INVAL, "kernel_grant: no group");
    check_error(sys_kernel_grant(c.kernel, g, ~0ull, GROUP_READ), ERR_INVAL, "kernel_grant: too many groups");
    check_error(sys_kernel_grant(c.kernel, ~0ull, 1, GROUP_READ), ERR_INVAL,
                "kernel_grant: a group that is none");
    check_error(sys_kernel_grant(c.kernel, ~0ull, 2, GROUP_READ), ERR_INVAL, "kernel_grant: it wraps");
    check_error(sys_kernel_grant(c.kernel, 1ull << 40, 1, GROUP_READ), ERR_INVAL,
                "kernel_grant: no such memory");
    check_error(sys_kernel_grant(c.kernel, g, 1, 2), ERR_INVAL, "kernel_grant: write without read");
    check_error(sys_kernel_grant(c.kernel, g, 1, 4), ERR_INVAL, "kernel_grant: an access that is none");
    check_error(raw(SYS_kernel_grant, c.kernel, g, 1, 1ull << 32 | 1), ERR_INVAL, "kernel_grant: 33 bits");
    check_error(sys_kernel_grant(0, g, 1, GROUP_READ), ERR_STALE, "kernel_grant: no kernel");
    check_error(sys_kernel_grant(c.kernel + (1ull << 40), g, 1, GROUP_READ), ERR_STALE,
                "kernel_grant: stale");
    check_error(sys_kernel_grant(info->kernel, g, 1, GROUP_NONE), ERR_DENIED, "kernel_grant: to itself");
    check_error(sys_kernel_grant(c.kernel, 0x200000 >> ABI_GROUP_SHIFT, 1, GROUP_READ), ERR_DENIED,
                "kernel_grant: the supervisor's memory");
    check_error(sys_kernel_grant(c.kernel, 0, 1, GROUP_READ), ERR_DENIED, "kernel_grant: low memory");
    check_error(child_grant(&c, info->system, ABI_LARGE, GROUP_WRITE), ERR_DENIED,
                "kernel_grant: the system pages, writable");
    check_error(child_grant(&c, info->system, ABI_LARGE, GROUP_READ), ERR_OK,
                "kernel_grant: the system pages");
}

static void widening(void)
{
    uint64_t v = child_map(unit, MAP_READ);

    check(v == ERR_DENIED, "without a grant nothing can be mapped", "%lu", (unsigned long)v);
    check_error(child_grant(&c, unit, ABI_LARGE, GROUP_READ), ERR_OK, "kernel_grant: read");
    v = child_map(unit, MAP_READ);
    check(v == ERR_OK, "now it can be mapped", "%lu", (unsigned long)v);
    v = child_map(unit, MAP_READ | MAP_WRITE);
    check(v == ERR_DENIED, "but not for writing", "%lu", (unsigned long)v);
    v = child_map(unit + ABI_LARGE, MAP_READ);
    check(v == ERR_DENIED, "and not what lies behind it", "%lu", (unsigned long)v);
    v = child_map(unit, MAP_READ | MAP_LARGE);
    check(v == ERR_OK, "all of it at once", "%lu", (unsigned long)v);
    check_error(child_grant(&c, unit, ABI_GROUP, GROUP_WRITE), ERR_OK, "kernel_grant: write on a quarter");
    v = child_map(unit, MAP_READ | MAP_WRITE);
    check(v == ERR_OK, "a page of it can be mapped for writing", "%lu", (unsigned long)v);
    v = child_map(unit, MAP_READ | MAP_WRITE | MAP_LARGE);
    check(v == ERR_DENIED, "but not all four", "%lu", (unsigned long)v);
}

// Is the child's mapping at DATA there?  Counts what an unload of it finds.
static uint64_t mappings_at_data(void)
{
    uint64_t n = 0;

    check_error(sys_mapping_unload(c.space.id, DATA, ABI_LARGE, &n), ERR_OK, "look at the child's mapping");
    return n;
}

static void narrowing(void)
{
    check_error(child_grant(&c, unit, ABI_LARGE, GROUP_WRITE), ERR_OK, "kernel_grant: write");
    CHECK(child_map(unit, MAP_READ | MAP_WRITE) == ERR_OK, "the child maps a page for writing");
    check_error(child_grant(&c, unit, ABI_LARGE, GROUP_READ), ERR_OK, "kernel_grant: only read");
    CHECK(mappings_at_data() == 0, "its mapping has gone");
    CHECK(child_map(unit, MAP_READ) == ERR_OK, "the child maps it for reading");
    check_error(child_grant(&c, unit, ABI_LARGE, GROUP_READ), ERR_OK, "kernel_grant: the same again");
    CHECK(mappings_at_data() == 1, "its mapping is still there");
    CHECK(child_map(unit, MAP_READ | MAP_LARGE) == ERR_OK, "the child maps all of it");
    check_error(child_grant(&c, unit + ABI_GROUP, ABI_GROUP, GROUP_NONE), ERR_OK,
                "kernel_grant: withdraw a quarter");
    CHECK(mappings_at_data() == 0, "the large mapping has gone");
    CHECK(child_map(unit, MAP_READ) == ERR_OK, "what is left can be mapped");
    CHECK(child_map(unit + ABI_GROUP, MAP_READ) == ERR_DENIED, "what was withdrawn cannot");
    check_error(child_grant(&c, unit, ABI_LARGE, GROUP_NONE), ERR_OK, "kernel_grant: withdraw all");
    CHECK(mappings_at_data() == 0, "nothing is left");
}

// What has a place in a group that is withdrawn is written back first.
static void places(void)
{
    struct place *place = window(unit);
    uint64_t v;
    struct space_desc *d = window(unit + ABI_PAGE);

    memset(place, 0, ABI_PAGE);
    *d = (struct space_desc){.place = unit};
    check_error(child_grant(&c, unit, ABI_LARGE, GROUP_WRITE), ERR_OK, "kernel_grant: write");
    struct test_space own = c.space;
    check_error(map_page(&own, DATA, unit + ABI_PAGE, MAP_READ), ERR_OK,
                "a descriptor that the child can read");
    v = child_call(&c, SYS_space_load, DATA, 0, 0, 0);
    check(v == ERR_OK && place->loaded == 1, "the child loads a space", "%lu", (unsigned long)v);
    check_error(child_grant(&c, unit, ABI_LARGE, GROUP_NONE), ERR_OK, "kernel_grant: withdraw its place");
    check(place->loaded == 0, "the space has been written back", "loaded is %u", place->loaded);
}

void test_rights(void)
{
    unit = info->range[0].base + info->range[0].length - 2 * ABI_LARGE;
    child_make(&c);
    c.desc.first_frame = 0;
    c.desc.frame_count = (unit + 2 * ABI_LARGE) / ABI_PAGE;
    pa_t table = info->range[0].base + info->range[0].length - ABI_LARGE;
    c.desc.frame_states = table;
    check_error(child_load(&c), ERR_OK, "kernel_load");
    bad_arguments();
    widening();
    narrowing();
    places();
    child_free(&c);
}
