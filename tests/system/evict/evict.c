// evict.c - more of everything than the caches hold.
//
// What the supervisor writes back must be the registers that a thread had, the bits of every page that was
// touched, and one entry in the channel for each object; and after a reload all goes on as before.
#include "../harness.h"

enum { DATA = 0x500000, EXTRA = 6, MOST = 300, OWN = 0x600000000000 };

static struct channel *channel;
static uint64_t entries[5];              // by type, read so far
static uint32_t lost;

static void read_channel(void)
{
    for (; channel->tail != __atomic_load_n(&channel->head, __ATOMIC_ACQUIRE);) {
        struct channel_entry e = channel->entry[channel->tail % CHANNEL_ENTRIES];
        __atomic_store_n(&channel->tail, channel->tail + 1, __ATOMIC_RELEASE);
        entries[e.type]++;
    }
}

static void forget_channel(void)
{
    read_channel();
    memset(entries, 0, sizeof(entries));
    lost = channel->lost;
}

// Load one, reading the channel so that it does not overflow.
static bool load(struct test_thread *t)
{
    err_t e = thread_start(t);

    read_channel();
    if (e == ERR_STALE) {                // its space went to make room
        if (space_open(t->space, TRAP_FORWARD, 0) == ERR_OK) {
            return load(t);
        }
    }
    return e == ERR_OK;
}

// What thread i has counted so far.
static uint64_t counter_of(const pa_t *data, unsigned i)
{
    return *(volatile uint64_t *)((char *)window(data[i / 64]) + 64 * (i % 64));
}

// More threads than there are descriptors, all running; those that are written back are loaded again, in
// turn.
static void threads(void)
{
    static struct test_thread t[MOST];
    static uint64_t seen[MOST];
    struct test_space space = {0};
    unsigned count = machine->threads + EXTRA < MOST ? machine->threads + EXTRA : MOST;
    unsigned evicted = 0, bad = 0, stuck = 0, refused = 0;

    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "a space");
    pa_t text = program_put(&space, PROGRAM(registers));
    pa_t data[8];
    for (unsigned i = 0; i < 8; i++) {
        data[i] = page_take();
        check_error(map_page(&space, DATA + i * ABI_PAGE, data[i], MAP_READ | MAP_WRITE), ERR_OK, "data");
    }
    forget_channel();
    for (unsigned i = 0; i < count; i++) {
        thread_make(&t[i], &space);
        struct frame *f = &t[i].state->frame[0];
        f->rbx = f->r8 = f->r9 = f->r10 = f->r11 = f->r12 = f->r15 = f->rbp = f->rsi =
            0x0123456789abcd00ull + i;
        f->rdi = DATA + 64 * i;
        refused += !load(&t[i]);
    }
    check(refused == 0, "threads: more are loaded than there are descriptors", "%u of %u are not", refused,
          count);
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < count; i++) {
            if (thread_loaded(&t[i])) {
                continue;
            }
            evicted++;
            const struct frame *f = &t[i].state->frame[0];
            bad += t[i].state->reason != REASON_EVICTED || f->rbx != 0x0123456789abcd00ull + i ||
                   f->r15 != f->rbx || f->rdi != DATA + 64 * i || f->rip < TEXT || f->rip >= TEXT + ABI_PAGE;
            refused += !load(&t[i]);
        }
        sleep_for(2 * machine->slice);
    }
    // Each of them makes progress once it is loaded.
    for (unsigned i = 0; i < count; i++) {
        seen[i] = counter_of(data, i);
    }
    uint64_t until = now() + milliseconds(60000);
    do {
        stuck = 0;
        for (unsigned i = 0; i < count; i++) {
            if (counter_of(data, i) == seen[i]) {
                stuck++;
                refused += !thread_loaded(&t[i]) && !load(&t[i]);
            }
        }
        sleep_for(4 * machine->slice);
    } while (stuck > 0 && now() < until);
    for (unsigned i = 0; i < count; i++) {
        (void)sys_thread_unload(t[i].id, 0);
        read_channel();
    }
    check(evicted >= count - machine->threads, "threads: some were written back", "%u", evicted);
    check(bad == 0, "threads: with the registers that they had", "%u were wrong", bad);
    check(refused == 0, "threads: all can be loaded again", "%u were refused", refused);
    check(stuck == 0, "threads: all go on", "%u do not", stuck);
    for (unsigned i = 0; i < count; i++) {
        thread_free(&t[i]);
    }
    read_channel();
    check(entries[OBJECT_THREAD] >= evicted && channel->lost == lost, "threads: the channel has told of each",
          "%lu entries, %u lost", (unsigned long)entries[OBJECT_THREAD], channel->lost - lost);
    space_close(&space);
    page_give(text);
    for (unsigned i = 0; i < 8; i++) {
        page_give(data[i]);
    }
}

static void spaces(void)
{
    static struct test_space s[MOST];
    unsigned count = machine->spaces + EXTRA < MOST ? machine->spaces + EXTRA : MOST;
    unsigned evicted = 0, wrong = 0;

    forget_channel();
    for (unsigned i = 0; i < count; i++) {
        if (space_open(&s[i], TRAP_FORWARD, 0) != ERR_OK) {
            check(false, "spaces: more are loaded than there are descriptors", "number %u is refused", i);
            return;
        }
        read_channel();
    }
    for (unsigned i = 0; i < count; i++) {
        uint64_t n;
        bool loaded = s[i].place->loaded;
        evicted += !loaded;
        wrong += sys_mapping_unload(s[i].id, 0, ABI_USER_END, &n) != (loaded ? ERR_OK : ERR_STALE);
        wrong += !loaded && s[i].place->reason != REASON_EVICTED;
    }
    read_channel();
    check(evicted >= EXTRA, "spaces: some were written back", "%u", evicted);
    check(wrong == 0, "spaces: their places and ids agree", "%u do not", wrong);
    check(entries[OBJECT_SPACE] == evicted && channel->lost == lost, "spaces: the channel has told of each",
          "%lu entries of %u", (unsigned long)entries[OBJECT_SPACE], evicted);
    for (unsigned i = 0; i < count; i++) {
        space_close(&s[i]);
    }
}

static uint8_t *frame_byte(pa_t page)
{
    return (uint8_t *)window(info->frame_states) + (page / ABI_PAGE - info->first_frame);
}

// More mappings than there are records.  Some pages are written first: their modified bits must not be lost.
static void mappings(void)
{
    enum { TOUCHED = 40, FRAMES = 4096 };
    struct test_space space = {0}, own = {.id = info->space};
    pa_t touched[TOUCHED];
    uint64_t count = machine->mappings + 1000, loaded = 0, missing = 0, read_only = 0;

    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "a space");
    for (unsigned i = 0; i < TOUCHED; i++) {
        touched[i] = page_take();
        *frame_byte(touched[i]) = 0;
        volatile uint64_t *at = (uint64_t *)(OWN + i * (uint64_t)ABI_PAGE);
        if (map_page(&own, (va_t)at, touched[i], MAP_READ | MAP_WRITE) == ERR_OK) {
            if (i % 2 == 0) {
                *at = i;
            } else {
                (void)*at;
            }
        }
    }
    uint64_t before = stats->writebacks[OBJECT_MAPPING];
    while (loaded < count) {
        static struct map_entry entry[MAP_BATCH];
        uint64_t n = 0;
        for (uint64_t i = 0; i < MAP_BATCH; i++) {
            pa_t frame = info->range[0].base + (loaded + i) % FRAMES * ABI_PAGE;
            entry[i] = (struct map_entry){0x100000000 + (loaded + i) * ABI_PAGE, frame, MAP_READ};
        }
        err_t e = sys_mapping_load_batch(space.id, entry, MAP_BATCH, &n);
        loaded += n;
        read_channel();
        if (e == ERR_AGAIN) {
            sleep_for(machine->slice / 4);
        } else if (e == ERR_STALE && !space.place->loaded) {
            check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "load the space again");
        } else if (e != ERR_OK) {
            check_error(e, ERR_OK, "mappings: more are loaded than there are records");
            break;
        }
    }
    CHECK(loaded >= count, "mappings: more are loaded than there are records");
    check(stats->writebacks[OBJECT_MAPPING] - before >= 1000, "mappings: others were written back", "%lu",
          (unsigned long)(stats->writebacks[OBJECT_MAPPING] - before));
    uint64_t n;
    check_error(sys_mapping_unload(own.id, OWN, TOUCHED * ABI_PAGE, &n), ERR_OK, "unload what is left");
    for (unsigned i = 0; i < TOUCHED; i++) {
        uint8_t bits = *frame_byte(touched[i]);
        missing += i % 2 == 0 && !(bits & FRAME_MODIFIED);
        missing += !(bits & FRAME_REFERENCED);
        read_only += i % 2 == 1 && (bits & FRAME_MODIFIED);
        page_give(touched[i]);
    }
    check(missing == 0, "mappings: no referenced or modified bit was lost", "%lu were",
          (unsigned long)missing);
    check(read_only == 0, "mappings: none was made up", "%lu were", (unsigned long)read_only);
    space_close(&space);
}

// Mappings far apart need a page table each: those are a cache too.
static void tables(void)
{
    struct test_space space = {0};
    pa_t page = page_take();
    uint64_t count = machine->tables + 100, failed = 0;

    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "a space");
    for (uint64_t i = 0; i < count; i++) {
        err_t e = map_page(&space, (i + 8) * ABI_LARGE, page, MAP_READ);
        if (e == ERR_STALE) {
            check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "load the space again");
        } else {
            failed += e != ERR_OK;
        }
        read_channel();
    }
    check(failed == 0, "tables: more are needed than there are", "%lu loads failed", (unsigned long)failed);
    // The same where whole subtrees are needed.
    for (uint64_t i = 0; i < 200; i++) {
        failed += map_page(&space, i << 39 | (i & 511) << 30, page, MAP_READ) != ERR_OK;
    }
    check(failed == 0, "tables: and whole subtrees of them", "%lu loads failed", (unsigned long)failed);
    space_close(&space);
    page_give(page);
}

unsigned test_main(void)
{
    void (*const group[])(void) = {threads, spaces, mappings, tables};
    channel = window(info->channel);
    if (sys_listen(info->thread) != ERR_OK) {
        check(false, "listen", "refused");
    }
    for (unsigned i = 0; i < sizeof(group) / sizeof(group[0]); i++) {
        struct counts before = counts_now();
        group[i]();
        read_channel();
        counts_check(&before, "free descriptors as before");
    }
    return failures();
}
