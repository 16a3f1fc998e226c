// loading.c - kernel_load with every field wrong in turn.
#include "first.h"

static void expect(struct kernel_desc d, err_t expected, const char *name)
{
    struct counts before = counts_now();
    oid_t id = 0;

    check_error(sys_kernel_load(&d, &id), expected, name);
    struct counts after = counts_now();
    if (memcmp(&before, &after, sizeof(after)) != 0) {
        check(false, name, "the caches have changed");
    }
}

static void bad_numbers(const struct kernel_desc *good)
{
    struct kernel_desc d;

    d = *good, d.flags = 2;
    expect(d, ERR_INVAL, "kernel_load: a flag that is none");
    d = *good, d.place += 8;
    expect(d, ERR_INVAL, "kernel_load: a misaligned place");
    d = *good, d.channel += 64;
    expect(d, ERR_INVAL, "kernel_load: a misaligned channel");
    d = *good, d.trap = 0;
    expect(d, ERR_INVAL, "kernel_load: no trap handler");
    d = *good, d.fault = 0xffffffff80200000;
    expect(d, ERR_INVAL, "kernel_load: a fault handler in the supervisor");
    d = *good, d.exception = 0x800000000000;
    expect(d, ERR_INVAL, "kernel_load: an exception handler that is no address");
    d = *good, d.share[0] = 101;
    expect(d, ERR_INVAL, "kernel_load: more than all of a processor");
    d = *good, d.share[ABI_MAX_CPUS - 1] = 255;
    expect(d, ERR_INVAL, "kernel_load: more than all of a processor that is not there");
    d = *good, d.limits.locked_spaces = ~0u;
    expect(d, ERR_LIMIT, "kernel_load: more locked spaces than there are");
    d = *good, d.limits.locked_threads = machine->threads;
    expect(d, ERR_LIMIT, "kernel_load: more locked threads than there are");
    d = *good, d.limits.locked_mappings = machine->locked_mappings + 1;
    expect(d, ERR_LIMIT, "kernel_load: more locked mappings than there are");
    d = *good, d.limits.max_priority = ABI_PRIORITIES;
    oid_t id;
    CHECK(sys_kernel_load(&d, &id) != ERR_OK, "kernel_load: a priority that is none");
}

static void bad_places(const struct kernel_desc *good)
{
    struct kernel_desc d;

    d = *good, d.place = info->system;
    expect(d, ERR_DENIED, "kernel_load: a place in the system pages");
    d = *good, d.channel = info->system;
    expect(d, ERR_DENIED, "kernel_load: a channel in the system pages");
    d = *good, d.channel = 0x200000;
    expect(d, ERR_DENIED, "kernel_load: a channel in the supervisor");
    d = *good, d.frame_states = info->system;
    expect(d, ERR_DENIED, "kernel_load: a frame-state table in the system pages");
    d = *good, d.frame_count = 1ull << 40;
    expect(d, ERR_DENIED, "kernel_load: a frame-state table over all memory");
    d = *good, d.frame_count = ~0ull;
    expect(d, ERR_DENIED, "kernel_load: a frame-state table that wraps");
    d = *good, d.space = info->space;
    expect(d, ERR_DENIED, "kernel_load: the first kernel's own space");
    d = *good, d.space = 0;
    expect(d, ERR_STALE, "kernel_load: no space");
    d = *good, d.space += 1ull << 40;
    expect(d, ERR_STALE, "kernel_load: a stale space");
    check_error(raw(SYS_kernel_load, 0, 0, 0, 0), (err_t)FAULTED, "kernel_load: a bad pointer");
    check_error(raw(SYS_kernel_load, 0xffff800000200000, 0, 0, 0), (err_t)FAULTED,
                "kernel_load: the supervisor's");
}

void test_loading(void)
{
    struct child c;
    oid_t second;

    child_make(&c);
    bad_numbers(&c.desc);
    bad_places(&c.desc);
    check_error(child_load(&c), ERR_OK, "kernel_load");
    CHECK(c.place->loaded == 1, "its place says so");
    struct kernel_desc d = c.desc;
    check_error(sys_kernel_load(&d, &second), ERR_DENIED, "kernel_load: a space that is a kernel's already");
    uint64_t v = child_call(&c, SYS_yield, 0, 0, 0, 0);
    check(v == ERR_OK, "a thread of it makes calls", "yield answers %lu", (unsigned long)v);
    v = child_call(&c, SYS_power_off, 3, 0, 0, 0);
    check(v == ERR_DENIED, "but not those of the first kernel", "power_off answers %lu", (unsigned long)v);
    v = child_call(&c, SYS_kernel_unload, info->kernel, 0, 0, 0);
    check(v == ERR_DENIED, "nor against it", "kernel_unload answers %lu", (unsigned long)v);
    v = child_call(&c, SYS_thread_unload, info->thread, 0, 0, 0);
    check(v == ERR_DENIED, "nor against its thread", "thread_unload answers %lu", (unsigned long)v);
    v = child_call(&c, SYS_space_unload, info->space, 0, 0, 0);
    check(v == ERR_DENIED, "nor against its space", "space_unload answers %lu", (unsigned long)v);
    v = child_call(&c, SYS_signal_at, DEVICE_PLACE(PLACE_SEND + DEVICE_TERMINAL), 0, 0, 0);
    // The call faults; the fault handler is the same code with registers that are 0: it makes call 0.
    check(v == ERR_NOCALL, "nor on a device, which was not mapped for it", "signal_at: %lu", (unsigned long)v);
    child_free(&c);
}
