// main.c - every call of the supervisor with good, bad, stale, foreign and hostile arguments.
//
// Each group leaves as many free descriptors as it found.
#include "calls.h"

const char *const bad_id_name[BAD_IDS] = {"zero", "a generation too late", "a slot that is none", "all ones",
                                          "generation 0"};

const uint64_t bad_pointer[BAD_POINTERS] = {
    0,                                   // nothing mapped
    ABI_WINDOW - 8,                      // nothing mapped
    0xffffffff80200000,                  // the supervisor's text
    0xffff800000200000,                  // the supervisor's map of memory
    0x0000800000000000,                  // not canonical
    0xfffffffffffffff8,                  // wraps
};

oid_t bad_id(unsigned which, oid_t good)
{
    switch (which) {
    case 0:  return 0;
    case 1:  return good + (1ull << 40);
    case 2:  return (good & ~0xffffull) | 0xffff;
    case 3:  return ~0ull;
    default: return OID_SLOT(good);
    }
}

static bool is_ours(pa_t unit)
{
    for (unsigned i = 0; i < info->ranges; i++) {
        if (unit >= info->range[i].base && unit < info->range[i].base + info->range[i].length) {
            return true;
        }
    }
    return false;
}

// The highest one: srm gives memory from the lowest run that fits, so this is nobody's.
pa_t foreign_memory(void)
{
    for (unsigned i = machine->ranges; i-- > 0;) {
        const struct memory_range *r = &machine->range[i];
        for (uint64_t at = r->length; at > 0; at -= ABI_LARGE) {
            pa_t unit = r->base + at - ABI_LARGE;
            if (!is_ours(unit) &&
                sys_mapping_load(info->space, 0x700000000000, unit, MAP_READ) == ERR_DENIED) {
                return unit;
            }
        }
    }
    check(false, "foreign memory", "there is none");
    return 0;
}

static void run(const char *name, void (*group)(void))
{
    struct counts before = counts_now();
    char line[64];

    note("%s", name);
    group();
    base_format(line, sizeof(line), "%s: free descriptors as before", name);
    counts_check(&before, line);
}

unsigned test_main(void)
{
    if (sys_listen(info->thread) != ERR_OK) {
        check(false, "listen", "refused");
    }
    run("basic", test_basic);
    run("spaces", test_spaces);
    run("threads", test_threads);
    run("unloads", test_unloads);
    run("running", test_running);
    run("mappings", test_mappings);
    run("ranges", test_ranges);
    run("messages", test_messages);
    run("handlers", test_handlers);
    run("breakpoint", test_breakpoint);
    run("hostile states", test_hostile);
    run("locks", test_locks);
    run("devices", test_devices);
    return failures();
}
