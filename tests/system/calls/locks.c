// locks.c - locks and their quotas.  The policy gives this kernel 1 space, 1 thread and 4 mappings.
#include "calls.h"

static void check_pinned(enum object_type type, oid_t id, va_t va, uint64_t expected, const char *name)
{
    uint64_t pinned = 2;

    err_t e = sys_pinned(type, id, va, &pinned);
    check(e == ERR_OK && pinned == expected, name, "%s, %lu", error_name(e), (unsigned long)pinned);
}

void test_locks(void)
{
    struct test_space a = {0}, b = {0};
    struct test_thread t[2];
    pa_t page = page_take();
    uint64_t n;

    check_error(space_open(&a, TRAP_FORWARD, LOAD_LOCKED), ERR_OK, "space_load: locked");
    check_error(space_open(&b, TRAP_FORWARD, LOAD_LOCKED), ERR_LIMIT, "space_load: locked, over the quota");
    check_error(space_open(&b, TRAP_FORWARD, 0), ERR_OK, "space_load: not locked");
    for (unsigned i = 0; i < 5; i++) {
        check_error(map_page(&a, 0x500000 + i * ABI_PAGE, page, MAP_READ | MAP_LOCKED),
                    i < 4 ? ERR_OK : ERR_LIMIT,
                    i < 4 ? "mapping_load: locked" : "mapping_load: locked, over the quota");
    }
    check_pinned(OBJECT_SPACE, a.id, 0, 1, "a locked space is pinned");
    check_pinned(OBJECT_SPACE, b.id, 0, 0, "another is not");
    check_pinned(OBJECT_MAPPING, a.id, 0x501000, 1, "a locked mapping in it is pinned");
    check_pinned(OBJECT_KERNEL, info->kernel, 0, 1, "and so are the kernel");
    check_pinned(OBJECT_THREAD, info->thread, 0, 1, "and its first thread");
    check_error(sys_pinned(OBJECT_MAPPING, a.id, 0x600000, &n), ERR_STALE, "pinned: nothing is mapped there");
    check_error(sys_pinned(OBJECT_MAPPING, a.id, ~0ull, &n), ERR_INVAL, "pinned: no address");
    check_error(sys_pinned(OBJECT_KERNEL, machine->kernel, 0, &n), ERR_DENIED, "pinned: the first kernel");
    check_error(sys_pinned(OBJECT_THREAD, machine->thread, 0, &n), ERR_DENIED, "pinned: its thread");
    check_error(sys_pinned(0, a.id, 0, &n), ERR_INVAL, "pinned: no type");
    check_error(sys_mapping_unload(a.id, 0x500000, ABI_PAGE, &n), ERR_OK, "unload a locked mapping");
    check_error(map_page(&b, 0x500000, page, MAP_READ | MAP_LOCKED), ERR_OK, "and its quota is free again");
    check_pinned(OBJECT_MAPPING, b.id, 0x500000, 0, "a lock without that of its space does not count");
    pa_t text = program_put(&a, PROGRAM(spin));
    for (unsigned i = 0; i < 2; i++) {
        thread_make(&t[i], &a);
        t[i].desc.flags = LOAD_LOCKED;
        check_error(thread_start(&t[i]), i == 0 ? ERR_OK : ERR_LIMIT,
                    i == 0 ? "thread_load: locked" : "thread_load: locked, over the quota");
    }
    check_error(sys_thread_unload(t[0].id, 0), ERR_OK, "unload a locked thread");
    check_error(thread_start(&t[1]), ERR_OK, "and its quota is free again");
    thread_free(&t[0]);
    thread_free(&t[1]);
    space_close(&a);
    check_error(space_open(&a, TRAP_FORWARD, LOAD_LOCKED), ERR_OK,
                "space_load: locked, after the other has gone");
    space_close(&a);
    space_close(&b);
    page_give(text);
    page_give(page);
}
