// ranges.c - mapping_unload and mapping_protect; referenced and modified bits; shoot-down.
#include "calls.h"

enum { OWN = 0x600000000000, PAGES = 200 };

static struct test_space space;

static void bad_ranges(void)
{
    const struct { uint64_t va, length; const char *name; } table[] = {
        {0x500000, 0, "an empty range"},
        {0x500001, ABI_PAGE, "a misaligned address"},
        {0x500000, 100, "a misaligned length"},
        {0x500000, ~0xfffull, "a range that wraps"},
        {0xfffffffffffff000, ABI_PAGE, "a range that ends at 0"},
        {0xfffffffffffff000, 2 * ABI_PAGE, "a range that wraps to 0"},
        {ABI_USER_END, ABI_PAGE, "a range behind user space"},
        {ABI_USER_END - ABI_PAGE, 2 * ABI_PAGE, "a range over the end of user space"},
        {0xffff800000000000, ABI_PAGE, "a range in the supervisor"},
    };
    uint64_t n;

    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        check_error(sys_mapping_unload(space.id, table[i].va, table[i].length, &n), ERR_INVAL, table[i].name);
        check_error(sys_mapping_protect(space.id, table[i].va, table[i].length, MAP_READ, &n), ERR_INVAL,
                    table[i].name);
    }
    check_error(sys_mapping_protect(space.id, 0x500000, ABI_PAGE, 0, &n), ERR_INVAL,
                "mapping_protect: no access");
    check_error(sys_mapping_protect(space.id, 0x500000, ABI_PAGE, MAP_LARGE, &n), ERR_INVAL,
                "mapping_protect: a flag that is no access");
    check_error(sys_mapping_unload(machine->space, ABI_WINDOW, ABI_LARGE, &n), ERR_DENIED,
                "mapping_unload: srm's");
    check_error(sys_mapping_protect(machine->space, ABI_WINDOW, ABI_LARGE, MAP_READ, &n), ERR_DENIED,
                "mapping_protect: srm's");
}

static void whole_space(void)
{
    pa_t page = page_take();
    uint64_t n = 0, evicted = stats->writebacks[OBJECT_MAPPING];

    for (uint64_t i = 0; i < PAGES; i++) {
        va_t va = i % 3 == 0 ? 0x10000000 + i * ABI_PAGE : i % 3 == 1 ? i << 30 : 0x7f0000000000 + (i << 21);
        if (map_page(&space, va, page, MAP_READ) != ERR_OK) {
            check(false, "map pages all over", "number %lu", (unsigned long)i);
        }
    }
    check_error(sys_mapping_unload(space.id, 0, ABI_USER_END, &n), ERR_OK, "unload all of user space");
    evicted = stats->writebacks[OBJECT_MAPPING] - evicted;      // in a small cache some have gone already
    check(n + evicted == PAGES, "as many as were loaded", "%lu and %lu of %u", (unsigned long)n,
          (unsigned long)evicted, PAGES);
    check_error(sys_mapping_unload(space.id, 0, ABI_USER_END, &n), ERR_OK, "unload all of an empty space");
    CHECK(n == 0, "none was there");
    // With its progress words set by a caller that lies.
    struct raw r = {SYS_mapping_unload, space.id, 0x500000, 0x10000, 0, 7, 0x50f123, 0, 0};
    raw_call(&r);
    check_error((err_t)r.error, ERR_OK, "mapping_unload with false progress");
    r = (struct raw){SYS_mapping_unload, space.id, 0x500000, 0x10000, 0, 0, ~0ull, 0, 0};
    raw_call(&r);
    check_error((err_t)r.error, ERR_OK, "mapping_unload with progress outside the range");
    page_give(page);
}

static uint8_t state_of(pa_t page)
{
    const uint8_t *table = window(info->frame_states);

    return table[page / ABI_PAGE - info->first_frame];
}

static void frame_clear(pa_t page)
{
    ((uint8_t *)window(info->frame_states))[page / ABI_PAGE - info->first_frame] = 0;
}

static void frame_bits(void)
{
    struct test_space own = {.id = info->space};
    pa_t page[3] = {page_take(), page_take(), page_take()};
    volatile uint64_t *at = (uint64_t *)OWN;
    uint64_t n;

    for (unsigned i = 0; i < 3; i++) {
        check_error(map_page(&own, OWN + i * ABI_PAGE, page[i], MAP_READ | MAP_WRITE), ERR_OK,
                    "map three pages");
        frame_clear(page[i]);
    }
    (void)at[512];
    at[1024] = 5;
    check_error(sys_mapping_protect(own.id, OWN, 3 * ABI_PAGE, MAP_READ, &n), ERR_OK, "mapping_protect");
    check(n == 1, "it counts the modified one", "it counts %lu", (unsigned long)n);
    check_error(sys_mapping_protect(own.id, OWN, 3 * ABI_PAGE, MAP_READ, &n), ERR_OK,
                "mapping_protect again");
    check(n == 0, "and only once", "it counts %lu", (unsigned long)n);
    (void)at[512];
    check_error(sys_mapping_unload(own.id, OWN, 3 * ABI_PAGE, &n), ERR_OK, "mapping_unload");
    CHECK(n == 3, "three were there");
    CHECK(state_of(page[0]) == 0, "the frame that nobody touched has no bit");
    CHECK(state_of(page[1]) == FRAME_REFERENCED, "the frame that was read is referenced");
    CHECK(state_of(page[2]) == (FRAME_REFERENCED | FRAME_MODIFIED), "the frame that was written is modified");
    for (unsigned i = 0; i < 3; i++) {
        page_give(page[i]);
    }
}

static volatile va_t fault_address;
static volatile uint64_t fault_error;

static void note_fault(struct test_thread *t, unsigned depth)
{
    fault_address = t->state->frame[depth].addr;
    fault_error = t->state->frame[depth].error;
    thread_end(1);
}

// A thread counts in a page, on another processor if there is one.  When protect or unload has returned, it
// has stopped, whatever its processor's translation buffer held.
static void shoot_down(bool unload)
{
    struct test_thread t;
    pa_t text = program_put(&space, PROGRAM(count)), page = page_take();
    volatile uint64_t *counter = window(page);
    uint64_t n;

    check_error(map_page(&space, 0x500000, page, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    thread_make(&t, &space);
    t.state->frame[0].rdi = 0x500000;
    t.on_fault = note_fault;
    t.desc.affinity = 1ull << (machine->cpus - 1);
    check_error(thread_start(&t), ERR_OK, "load a thread that counts");
    CHECK(EVENTUALLY(*counter > 0), "it counts");
    err_t e = unload ? sys_mapping_unload(space.id, 0x500000, ABI_PAGE, &n)
                     : sys_mapping_protect(space.id, 0x500000, ABI_PAGE, MAP_READ, &n);
    uint64_t at = *counter;
    check_error(e, ERR_OK, unload ? "take the page away" : "make it read-only");
    CHECK(n == 1, "one mapping, modified");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "the thread faults");
    check(*counter == at, "nothing was stored after the call returned", "%lu",
          (unsigned long)(*counter - at));
    check(fault_address == 0x500000 &&
              (fault_error | FAULT_WRITE) == (unload ? FAULT_WRITE : FAULT_WRITE | FAULT_PRESENT),
          "the fault says why", "address %lx error %lx", (unsigned long)fault_address,
          (unsigned long)fault_error);
    thread_free(&t);
    check_error(sys_mapping_unload(space.id, 0, ABI_USER_END, &n), ERR_OK, "unload the rest");
    page_give(text);
    page_give(page);
}

void test_ranges(void)
{
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    bad_ranges();
    whole_space();
    frame_bits();
    for (unsigned i = 0; i < 4; i++) {
        shoot_down(i % 2);
    }
    space_close(&space);
}
