// limits.c - kernel_share and kernel_limits.
#include "first.h"

static void shares(struct child *c)
{
    check_error(sys_kernel_share(c->kernel, 0, 50), ERR_OK, "kernel_share");
    check_error(sys_kernel_share(c->kernel, 0, 0), ERR_OK, "kernel_share: nothing");
    check_error(sys_kernel_share(c->kernel, 0, 100), ERR_OK, "kernel_share: all");
    check_error(sys_kernel_share(c->kernel, 0, 101), ERR_INVAL, "kernel_share: more than all");
    check_error(sys_kernel_share(c->kernel, machine->cpus, 50), ERR_INVAL, "kernel_share: no such processor");
    check_error(sys_kernel_share(c->kernel, ~0u, 50), ERR_INVAL, "kernel_share: a huge processor");
    check_error(raw(SYS_kernel_share, c->kernel, 0, 1ull << 32, 0), ERR_INVAL, "kernel_share: 33 bits");
    check_error(sys_kernel_share(0, 0, 50), ERR_STALE, "kernel_share: no kernel");
    check_error(sys_kernel_share(info->kernel, 0, 50), ERR_DENIED, "kernel_share: the first kernel has all");
}

static void bad_limits(struct child *c)
{
    struct kernel_limits l = {.max_priority = ABI_PRIORITIES};

    check_error(sys_kernel_limits(c->kernel, &l), ERR_INVAL, "kernel_limits: a priority that is none");
    l = (struct kernel_limits){.locked_spaces = machine->spaces};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_LIMIT, "kernel_limits: all spaces");
    l = (struct kernel_limits){.locked_threads = machine->threads - 1};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_LIMIT, "kernel_limits: all threads");
    l = (struct kernel_limits){.locked_mappings = ~0u};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_LIMIT, "kernel_limits: all mappings");
    l = (struct kernel_limits){.locked_spaces = ~0u, .locked_threads = ~0u, .locked_mappings = ~0u};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_LIMIT, "kernel_limits: sums that wrap");
    check_error(sys_kernel_limits(0, &l), ERR_STALE, "kernel_limits: no kernel");
    check_error(raw(SYS_kernel_limits, c->kernel, 0, 0, 0), (err_t)FAULTED, "kernel_limits: a bad pointer");
    l = (struct kernel_limits){.range = {[OBJECT_SPACE] = {machine->spaces, 0}}};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_LIMIT, "kernel_limits: sure of all spaces");
    l = (struct kernel_limits){.range = {[OBJECT_THREAD] = {machine->threads - 1, 0}}};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_LIMIT, "kernel_limits: sure of all threads but one");
    l = (struct kernel_limits){.range = {[OBJECT_MAPPING] = {machine->mappings, 0}}};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_LIMIT, "kernel_limits: sure of all mappings");
    l = (struct kernel_limits){.range = {[OBJECT_SPACE] = {2, 1}}};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_INVAL, "kernel_limits: a maximum below the minimum");
    l = (struct kernel_limits){.range = {[OBJECT_MAPPING] = {0, 15}}};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_INVAL, "kernel_limits: a maximum too low to go on with");
    l = (struct kernel_limits){.range = {[OBJECT_KERNEL] = {1, 0}}};
    check_error(sys_kernel_limits(c->kernel, &l), ERR_INVAL, "kernel_limits: a minimum of kernels");
    l = (struct kernel_limits){.max_priority = 31};
    check_error(sys_kernel_limits(info->kernel, &l), ERR_LIMIT, "kernel_limits: less than is locked already");
}

static void effect(struct child *c)
{
    struct kernel_limits l = {.max_priority = 10, .locked_mappings = 1};
    pa_t unit = info->range[0].base + info->range[0].length - ABI_LARGE;

    check_error(child_grant(c, unit, ABI_LARGE, GROUP_READ), ERR_OK, "kernel_grant");
    uint64_t v = child_call(c, SYS_mapping_load, c->space.id, 0x600000, unit, MAP_READ | MAP_LOCKED);
    check(v == ERR_LIMIT, "the child may lock nothing", "%lu", (unsigned long)v);
    check_error(sys_kernel_limits(c->kernel, &l), ERR_OK, "kernel_limits: one mapping");
    v = child_call(c, SYS_mapping_load, c->space.id, 0x600000, unit, MAP_READ | MAP_LOCKED);
    check(v == ERR_OK, "now it may lock one", "%lu", (unsigned long)v);
    v = child_call(c, SYS_mapping_load, c->space.id, 0x601000, unit, MAP_READ | MAP_LOCKED);
    check(v == ERR_LIMIT, "but not two", "%lu", (unsigned long)v);
    l.locked_mappings = 0;
    check_error(sys_kernel_limits(c->kernel, &l), ERR_LIMIT, "kernel_limits: less than it has locked");
    v = child_call(c, SYS_thread_priority, info->thread, 11, 0, 0);
    check(v == ERR_DENIED, "its priority has nothing to do with others", "%lu", (unsigned long)v);
}

void test_limits(void)
{
    struct child c;

    child_make(&c);
    check_error(child_load(&c), ERR_OK, "kernel_load");
    shares(&c);
    bad_limits(&c);
    effect(&c);
    child_free(&c);
}
