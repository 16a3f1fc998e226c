// threads.c - thread_load with every field wrong in turn, and what a good one does.
#include "calls.h"

static struct test_space space;

static void expect(struct thread_desc d, err_t expected, const char *name)
{
    struct counts before = counts_now();
    oid_t id = 0;

    check_error(sys_thread_load(&d, &id), expected, name);
    struct counts after = counts_now();
    if (memcmp(&before, &after, sizeof(after)) != 0) {
        check(false, name, "the caches have changed");
    }
}

static void bad_numbers(const struct thread_desc *good)
{
    struct thread_desc d;

    d = *good, d.flags = 4;
    expect(d, ERR_INVAL, "thread_load: a flag that is none");
    d = *good, d.flags = 256;
    expect(d, ERR_INVAL, "thread_load: another flag that is none");
    d = *good, d.priority = ABI_PRIORITIES;
    expect(d, ERR_INVAL, "thread_load: a priority that is none");
    d = *good, d.priority = info->limits.max_priority + 1;
    expect(d, ERR_LIMIT, "thread_load: a priority above the limit");
    d = *good, d.state += 64;
    expect(d, ERR_INVAL, "thread_load: a misaligned state page");
    d = *good, d.state_va = 0;
    expect(d, ERR_INVAL, "thread_load: no address of the state page");
    d = *good, d.state_va = 0xffffffff80000000;
    expect(d, ERR_INVAL, "thread_load: a state page in the supervisor");
    d = *good, d.xstack = 0;
    expect(d, ERR_INVAL, "thread_load: no exception stack");
    d = *good, d.xstack += 8;
    expect(d, ERR_INVAL, "thread_load: a misaligned exception stack");
    d = *good, d.xstack = 0xffff800000001000;
    expect(d, ERR_INVAL, "thread_load: an exception stack in the supervisor");
    if (machine->cpus < ABI_MAX_CPUS) {
        d = *good, d.affinity = 1ull << 63;
        expect(d, ERR_INVAL, "thread_load: no processor that it may run on");
    }
}

static void bad_places(const struct thread_desc *good)
{
    struct thread_desc d;

    d = *good, d.state = foreign_memory();
    expect(d, ERR_DENIED, "thread_load: a state page in foreign memory");
    d = *good, d.state = info->system + ABI_PAGE;
    expect(d, ERR_DENIED, "thread_load: a state page in the system pages");
    d = *good, d.state = info->archive;
    expect(d, ERR_DENIED, "thread_load: a state page in the archive");
    d = *good, d.state = 1ull << 51;
    expect(d, ERR_DENIED, "thread_load: a state page where no memory is");
    d = *good, d.space = machine->space;
    expect(d, ERR_DENIED, "thread_load: the first kernel's space");
    for (unsigned i = 1; i < BAD_IDS; i++) {
        d = *good, d.space = bad_id(i, good->space);
        expect(d, ERR_STALE, bad_id_name[i]);
    }
    for (unsigned i = 0; i < BAD_POINTERS; i++) {
        check_error(raw(SYS_thread_load, bad_pointer[i], 0, 0, 0), (err_t)FAULTED,
                    "thread_load: a bad pointer");
    }
}

static void bad_state(struct test_thread *t)
{
    struct thread_desc d = t->desc;

    t->state->depth = ABI_MAX_DEPTH + 1;
    expect(d, ERR_INVAL, "thread_load: a depth that is none");
    t->state->depth = 0xffffffff;
    expect(d, ERR_INVAL, "thread_load: a huge depth");
    t->state->depth = 0;
    d.space = 0;
    expect(d, ERR_INVAL, "thread_load: a program without a space");
}

static void runs(struct test_thread *t)
{
    pa_t page = page_take();

    check_error(map_page(&space, 0x500000, page, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    t->state->frame[0].rdi = 0x500000;
    t->state->frame[0].rbx = 0x123456789abcdef0;
    check_error(thread_start(t), ERR_OK, "thread_load");
    CHECK(EVENTUALLY(!thread_loaded(t)), "it runs and ends");
    CHECK(*(uint64_t *)window(page) == 0x123456789abcdef0, "it has stored its register");
    CHECK(t->state->reason == REASON_EXITED && t->state->value == 77 && t->state->depth == 1,
          "it ended itself");
    CHECK(t->state->frame[0].kind == FRAME_TRAP && t->state->frame[0].rax == 77, "its frame shows the trap");
    check_error(sys_thread_unload(t->id, 0), ERR_STALE, "its id is stale");
    check_error(sys_thread_priority(t->id, 1), ERR_STALE, "thread_priority by a stale id");
    check_error(sys_signal(t->id), ERR_STALE, "signal by a stale id");
    page_give(page);
}

static void priorities(struct test_thread *t)
{
    for (unsigned i = 0; i < BAD_IDS; i++) {
        check_error(sys_thread_priority(bad_id(i, info->thread), 1), ERR_STALE, bad_id_name[i]);
    }
    check_error(sys_thread_priority(machine->thread, 1), ERR_DENIED, "thread_priority of the first kernel's");
    struct thread_desc twice = t->desc;
    oid_t id;
    check_error(thread_start(t), ERR_OK, "thread_load");
    check_error(sys_thread_load(&twice, &id), ERR_INVAL, "thread_load: a state page in use");
    check_error(sys_thread_priority(t->id, ABI_PRIORITIES), ERR_INVAL, "thread_priority: none");
    check_error(raw(SYS_thread_priority, t->id, 1ull << 32 | 1, 0, 0), ERR_INVAL, "thread_priority: 33 bits");
    check_error(sys_thread_priority(t->id, info->limits.max_priority + 1), ERR_LIMIT,
                "thread_priority: too high");
    check_error(sys_thread_priority(t->id, 0), ERR_OK, "thread_priority: lower");
    check_error(sys_thread_priority(t->id, info->limits.max_priority), ERR_OK,
                "thread_priority: as high as we");
    check_error(sys_thread_priority(t->id, 1), ERR_OK, "thread_priority: back");
    check_error(sys_thread_unload(t->id, 0), ERR_OK, "thread_unload");
}

void test_threads(void)
{
    struct test_thread t;

    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    pa_t text = program_put(&space, PROGRAM(store));
    thread_make(&t, &space);
    bad_numbers(&t.desc);
    bad_places(&t.desc);
    bad_state(&t);
    runs(&t);
    thread_free(&t);
    page_give(text);
    text = program_put(&space, PROGRAM(spin));
    thread_make(&t, &space);
    priorities(&t);
    thread_free(&t);
    space_close(&space);
    page_give(text);
}
