// large.c - 2-MiB mappings in the booted machine: programs that store through them while they come and go.
//
// A mapping may be replaced at any moment when the caches are small; threads load theirs again in the fault handler,
// in the size that is wanted at the moment.
#include "../harness.h"

enum {
    AT = 0x40000000, FAR = 0x10000000000, FRAMES = ABI_LARGE / ABI_PAGE, WORKERS = 4, ROUNDS = 12,
    WRITABLE = MAP_READ | MAP_WRITE,
};

static struct test_space space;
static pa_t unit, other;                 // aligned memory at the end of the test's, which page_take() does not reach
static pa_t text;
static struct test_thread worker[WORKERS];
static unsigned workers;
static volatile bool frozen, small;      // handlers wait; handlers load pages

static uint8_t *frame_byte(pa_t page)
{
    return (uint8_t *)window(info->frame_states) + (page / ABI_PAGE - info->first_frame);
}

// How many of a unit's frames have these bits and no others.
static unsigned frames_with(pa_t pa, uint8_t bits)
{
    unsigned count = 0;

    for (unsigned i = 0; i < FRAMES; i++) {
        count += *frame_byte(pa + i * (pa_t)ABI_PAGE) == bits;
    }
    return count;
}

static void forget(pa_t pa)
{
    memset(frame_byte(pa), 0, FRAMES);
}

static uint64_t unload(va_t va, uint64_t length)
{
    uint64_t count = 0;

    check_error(sys_mapping_unload(space.id, va, length, &count), ERR_OK, "unload");
    return count;
}

// ---- one after the other ------------------------------------------------------------------------------------

static void bad_arguments(void)
{
    const struct { uint64_t va, pa, flags; err_t expected; const char *name;
    } table[] = {
        {AT + ABI_PAGE, unit, MAP_READ, ERR_INVAL, "large: a misaligned address"},
        {AT, unit + ABI_PAGE, MAP_READ, ERR_INVAL, "large: a misaligned frame"},
        {AT, unit + 4, MAP_READ, ERR_INVAL, "large: a misaligned byte"},
        {AT, unit, 0, ERR_INVAL, "large: no access"},
        {AT, unit, MAP_WRITE | MAP_EXEC, ERR_INVAL, "large: writable and executable"},
        {AT, unit, MAP_READ | MAP_MESSAGE, ERR_INVAL, "large: a message page"},
        {AT, unit, WRITABLE | MAP_COPY, ERR_INVAL, "large: a deferred copy"},
        {0x7fffffe00000, unit, MAP_READ, ERR_INVAL, "large: over the end of user space"},
        {0xffffffff80000000, unit, MAP_READ, ERR_INVAL, "large: over the supervisor"},
        {AT, 0, MAP_READ, ERR_DENIED, "large: the first 2 MiB of memory"},
        {AT, info->archive, WRITABLE, ERR_DENIED, "large: the archive, writable"},
        {AT, info->range[0].base + info->range[0].length, MAP_READ, ERR_DENIED, "large: foreign memory"},
        {AT, 1ull << 51, MAP_READ, ERR_DENIED, "large: where no memory is"},
        {AT, ~(uint64_t)(ABI_LARGE - 1), MAP_READ, ERR_DENIED, "large: the last of all"},
    };
    pa_t page = page_take();

    check_error(map_page(&space, AT, page, MAP_READ), ERR_OK, "a small mapping there");
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t loads = stats->loads[OBJECT_MAPPING];
        check_error(sys_mapping_load(space.id, table[i].va, table[i].pa, table[i].flags | MAP_LARGE),
                    table[i].expected, table[i].name);
        check(stats->loads[OBJECT_MAPPING] == loads, table[i].name, "a mapping has been loaded");
    }
    struct raw r = {SYS_mapping_load, space.id, AT, unit, MAP_READ | MAP_LARGE | MAP_MESSAGE | MAP_SIGNAL,
                    info->thread, 0, 0, 0};
    raw_call(&r);
    check_error((err_t)r.error, ERR_INVAL, "large: with a receiver");
    CHECK(unload(AT, ABI_PAGE) == 1, "what was there is still there");
    page_give(page);
}

static void locked(void)
{
    unsigned n = 0;
    err_t e;

    uint32_t before = stats->free_locked_mappings;
    while ((e = map_page(&space, AT + n * (va_t)ABI_LARGE, unit, MAP_READ | MAP_LARGE | MAP_LOCKED)) == ERR_OK &&
           n < 64) {
        n++;
    }
    check_error(e, ERR_LIMIT, "large: locked, up to the quota");
    check(n > 0 && before - stats->free_locked_mappings == n, "each takes one locked record", "%u take %u", n,
          before - stats->free_locked_mappings);
    CHECK(unload(AT, (n + 1) * (uint64_t)ABI_LARGE) == n, "and can be unloaded");
}

// More than there are records, and than there are tables: two for each in a GiB of its own.
static void replacement(void)
{
    static struct map_entry entry[MAP_BATCH];
    uint64_t count = machine->mappings + 200, loaded = 0, back = stats->writebacks[OBJECT_MAPPING];
    struct test_space own = {.id = info->space};
    volatile uint64_t *at = (volatile uint64_t *)(0x600000000000 + 3 * (va_t)ABI_LARGE);

    forget(other);
    check_error(map_page(&own, (va_t)at, other, WRITABLE | MAP_LARGE), ERR_OK, "a large one in the own space");
    at[1000] = 1;
    while (loaded < count) {
        uint64_t n = 0;
        for (uint64_t i = 0; i < MAP_BATCH; i++) {
            uint64_t k = loaded + i;
            va_t va = k % 256 < 128 ? FAR + k * ABI_LARGE : (k & 0x1fff) << 30;
            entry[i] = (struct map_entry){va, unit, MAP_READ | MAP_LARGE};
        }
        err_t e = sys_mapping_load_batch(space.id, entry, MAP_BATCH, &n);
        loaded += n;
        if (e == ERR_AGAIN) {
            sleep_for(machine->slice / 4);
        } else if (e != ERR_OK) {
            check_error(e, ERR_OK, "large: more are loaded than there are records");
            break;
        }
    }
    CHECK(loaded >= count, "large: more are loaded than there are records");
    CHECK(stats->writebacks[OBJECT_MAPPING] - back >= 100, "others were written back");
    uint64_t n = 0;
    check_error(sys_mapping_unload(own.id, (va_t)at, ABI_PAGE, &n), ERR_OK, "unload what is left of the first");
    unsigned all = frames_with(other, FRAME_REFERENCED | FRAME_MODIFIED);
    check(all == FRAMES, "its bits are there for every frame", "for %u", all);
    unload(0, ABI_USER_END);
}

// ---- while programs run -------------------------------------------------------------------------------------

static void on_fault(struct test_thread *t, unsigned depth)
{
    va_t page = t->state->frame[depth].addr & ~(va_t)(ABI_PAGE - 1);

    if (page == TEXT) {
        (void)map_page(&space, TEXT, text, MAP_READ | MAP_EXEC);
        thread_return(t);
    }
    while (frozen) {
        (void)sys_wait(now() + machine->slice);
    }
    if (small) {
        (void)map_page(&space, page, unit + (page - AT), WRITABLE);
    } else {
        (void)map_page(&space, AT, unit, WRITABLE | MAP_LARGE);
    }
    thread_return(t);
}

// Where worker i counts, each in another part of the mapping.
static uint64_t place_of(unsigned i)
{
    return (uint64_t)i * (ABI_LARGE / WORKERS) + 0x5008;
}

static uint64_t counted(unsigned i)
{
    return *(volatile uint64_t *)((char *)window(unit) + place_of(i));
}

// A worker that was written back to make room is loaded again.
static void keep_loaded(void)
{
    for (unsigned i = 0; i < workers; i++) {
        if (!thread_loaded(&worker[i])) {
            (void)sys_thread_load(&worker[i].desc, &worker[i].id);
        }
    }
}

static bool all_count(void)
{
    uint64_t from[WORKERS], until = now() + milliseconds(20000);
    unsigned moved;

    for (unsigned i = 0; i < workers; i++) {
        from[i] = counted(i);
    }
    do {
        keep_loaded();
        sleep_for(milliseconds(1));
        moved = 0;
        for (unsigned i = 0; i < workers; i++) {
            moved += counted(i) != from[i];
        }
    } while (moved < workers && now() < until);
    return moved == workers;
}

static bool none_counts(void)
{
    uint64_t from[WORKERS];
    unsigned moved = 0;

    for (unsigned i = 0; i < workers; i++) {
        from[i] = counted(i);
    }
    sleep_for(milliseconds(3));
    for (unsigned i = 0; i < workers; i++) {
        moved += counted(i) != from[i];
    }
    return moved == 0;
}

static void start_workers(void)
{
    text = program_put(&space, PROGRAM(count));
    unsigned most = machine->threads < 16 ? 2 : WORKERS;         // else they only wait for each other's descriptors
    workers = machine->cpus < most ? machine->cpus : most;
    for (unsigned i = 0; i < workers; i++) {
        thread_make(&worker[i], &space);
        worker[i].on_fault = on_fault;
        worker[i].desc.affinity = 1ull << i % machine->cpus;
        worker[i].state->frame[0].rdi = AT + place_of(i);
        check_error(thread_start(&worker[i]), ERR_OK, "a program");
    }
}

// One page of the range is named; a large mapping goes as a whole.  No store comes through once the call is back.
static void stop_and_go(bool protect, bool pages)
{
    uint64_t n = 0;
    unsigned bad = 0;

    small = pages;
    for (unsigned round = 0; round < ROUNDS; round++) {
        bad += !all_count();
        frozen = true;
        va_t from = pages ? AT : AT + (round % FRAMES) * ABI_PAGE;
        uint64_t length = pages ? ABI_LARGE : ABI_PAGE;
        err_t e = protect ? sys_mapping_protect(space.id, from, length, MAP_READ, &n)
                          : sys_mapping_unload(space.id, from, length, &n);
        bad += e != ERR_OK || !none_counts();
        frozen = false;
    }
    check(bad == 0, protect ? "lowered while programs store" : "unloaded while programs store",
          "%u of %u rounds are wrong, pages %u", bad, (unsigned)ROUNDS, pages);
}

// The size changes back and forth under them; what they had stored is never lost.
static void sizes(void)
{
    uint64_t last[WORKERS] = {0};
    unsigned bad = 0;

    for (unsigned round = 0; round < 4 * ROUNDS; round++) {
        small = round % 2;
        err_t e = small ? map_page(&space, AT + ABI_PAGE, unit + ABI_PAGE, WRITABLE)
                        : map_page(&space, AT, unit, WRITABLE | MAP_LARGE);
        bad += e != ERR_OK || (round % 8 == 0 && !all_count());
        for (unsigned i = 0; i < workers; i++) {
            bad += counted(i) < last[i];
            last[i] = counted(i);
        }
    }
    check(bad == 0, "large over small and small over large, while programs store", "%u times", bad);
}

static void running(void)
{
    forget(unit);
    small = false;
    start_workers();
    CHECK(all_count(), "programs store through a large mapping");
    frozen = true;
    unload(AT, ABI_PAGE);
    unsigned all = frames_with(unit, FRAME_REFERENCED | FRAME_MODIFIED);
    check(all == FRAMES, "every frame is noted as modified", "%u are", all);
    forget(unit);
    frozen = false;
    for (unsigned i = 0; i < 4; i++) {
        stop_and_go(i % 2, i / 2);
    }
    sizes();
    frozen = true;
    for (unsigned i = 0; i < workers; i++) {
        (void)sys_thread_unload(worker[i].id, 0);
    }
    for (unsigned i = 0; i < workers; i++) {
        check(EVENTUALLY(!thread_loaded(&worker[i])), "a program ends", "number %u does not", i);
        thread_free(&worker[i]);
    }
}

unsigned test_main(void)
{
    unit = (info->range[0].base + info->range[0].length - ABI_LARGE) & ~(pa_t)(ABI_LARGE - 1);
    other = unit - ABI_LARGE;
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "a space");
    struct counts before = counts_now();
    bad_arguments();
    locked();
    replacement();
    if (machine->mappings >= 1024) {
        counts_check(&before, "large: all records and tables come back");
    }
    running();
    space_close(&space);
    return 0;
}
