// test_manager.c - replacement: segments that have more pages than there are frames, with a store behind them.
#include "world.h"

enum { PAGES = 40, LIMIT = 12, STEPS = 60000, SPACES = 3 };
#define AT(page) (0x10000000ull + (va_t)(page) * ABI_PAGE)
#define COPIES   0x20000000ull           // where the same pages are shown to be copied

static struct stored {
    struct segment segment;
    uint64_t store[PAGES], now[PAGES];   // saved; what the page holds
    bool     written[PAGES];             // since it was made
    bool     full;                       // nothing can be saved
    unsigned saves;
} stored[2];

static struct manager manager = {.cluster = AK_CLUSTER_ANY, .limit = LIMIT};
static struct aspace spaces[SPACES];

static struct stored *of(struct segment *s)
{
    return (struct stored *)s;
}

static err_t fill(struct segment *s, uint64_t page, pa_t frame)
{
    memset(ak_window(frame), 0, ABI_PAGE);
    *(uint64_t *)ak_window(frame) = of(s)->store[page];
    return ERR_OK;
}

static err_t write_back(struct segment *s, uint64_t page, pa_t frame)
{
    if (of(s)->full) {
        return ERR_LIMIT;
    }
    assert_true(of(s)->written[page]);   // a page that nobody wrote is not saved
    assert_int_equal(*(uint64_t *)ak_window(frame), of(s)->now[page]);
    of(s)->store[page] = of(s)->now[page];
    of(s)->saves++;
    return ERR_OK;
}

static void freed(struct segment *s, uint64_t page, pa_t frame)
{
    of(s)->written[page] = false;
    ak_frame_put(frame);
}

static void end(struct segment *s)
{
    segment_destroy(s);
}

static const struct segment_ops ops = {.fill = fill, .write_back = write_back, .freed = freed, .end = end};

static void begin(unsigned segments)
{
    for (unsigned i = 0; i < segments; i++) {
        stored[i] = (struct stored){0};
        segment_init(&stored[i].segment, &ops, &manager, 1);
        manager_add(&manager, &stored[i].segment);
    }
    for (unsigned i = 0; i < SPACES; i++) {
        spaces[i] = (struct aspace){.manager = &manager, .most_regions = 10};
        for (unsigned k = 0; k < segments; k++) {
            struct region r = {.start = AT(k * PAGES), .end = AT((k + 1) * PAGES), .access = 3, .most = 3,
                               .shared = true, .segment = &stored[k].segment};
            segment_get(r.segment);
            assert_int_equal(aspace_bind(&spaces[i], &r), ERR_OK);
        }
    }
}

static void finish(unsigned segments)
{
    for (unsigned i = 0; i < SPACES; i++) {
        aspace_destroy(&spaces[i]);
    }
    for (unsigned i = 0; i < segments; i++) {
        segment_put(&stored[i].segment);
    }
    assert_true(manager.hand == NULL && manager.resident == 0);
    assert_int_equal(world_frames(), 0);
    assert_int_equal(world_objects(), 0);
}

static uint64_t *touch(unsigned space, unsigned page, bool write)
{
    uint8_t *byte = NULL;

    assert_int_equal(world_reach(&spaces[space], AT(page), write ? FAULT_WRITE : 0, &byte), ERR_OK);
    return (uint64_t *)byte;
}

static void random_steps(void **state)
{
    (void)state;
    begin(2);
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned page = world_random(world_random(2) == 0 ? 2 * PAGES : 8);
        struct stored *s = &stored[page / PAGES];
        bool write = world_random(3) == 0;
        world_chaos = i / 1000 % 2 != 0 ? 50 : 0;
        uint64_t *word = touch(world_random(SPACES), page, write);
        assert_int_equal(*word, s->now[page % PAGES]);
        if (write) {
            s->now[page % PAGES] = *word = world_random(1u << 30);
            s->written[page % PAGES] = true;
        }
        assert_true(manager.resident <= LIMIT && world_frames() <= LIMIT);
        assert_int_equal(manager.resident, stored[0].segment.resident + stored[1].segment.resident);
    }
    assert_true(stored[0].saves > 100 && stored[1].saves > 100);
    world_chaos = 0;
    finish(2);
}

// What was used since the hand came by last stays; what was not, goes; what was modified is saved before.
static void second_chance(void **state)
{
    (void)state;
    begin(1);
    for (unsigned i = 0; i < LIMIT; i++) {
        (void)touch(0, i, false);
    }
    (void)touch(0, LIMIT, false);        // all had been used: each lost its bit, the first one goes
    assert_int_equal(segment_frame(&stored[0].segment, 0), 0);
    (void)touch(1, 1, false);
    stored[0].now[2] = *touch(1, 2, true) = 4711;
    stored[0].written[2] = true;
    (void)touch(0, LIMIT + 1, false);    // 1 and 2 were used: 3 goes
    assert_true(segment_frame(&stored[0].segment, 1) != 0 && segment_frame(&stored[0].segment, 2) != 0);
    assert_int_equal(segment_frame(&stored[0].segment, 3), 0);
    assert_int_equal(stored[0].saves, 0);
    for (unsigned i = 0; i < 2 * LIMIT; i++) {
        (void)touch(0, 15 + i, false);
    }
    assert_int_equal(stored[0].saves, 1);
    assert_int_equal(*touch(2, 2, false), 4711);
    finish(1);
}

// Nothing can be saved: what is clean goes, then there is no memory, and nothing is lost.
static void store_full(void **state)
{
    uint8_t *byte;

    (void)state;
    begin(1);
    stored[0].full = true;
    for (unsigned i = 0; i < LIMIT; i++) {
        stored[0].now[i] = *touch(0, i, true) = i + 1;
        stored[0].written[i] = true;
    }
    assert_int_equal(world_reach(&spaces[0], AT(LIMIT), 0, &byte), ERR_LIMIT);
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_int_equal(*touch(1, i, false), i + 1);
    }
    stored[0].full = false;
    assert_int_equal(*touch(0, LIMIT, false), 0);
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_int_equal(*touch(2, i, false), i + 1);
    }
    finish(1);
}

// Private copies are made while the manager needs their frames, and survive the page they came from.
static void copies(void **state)
{
    uint8_t *byte;

    (void)state;
    begin(1);
    manager.limit = 0;
    world_most = LIMIT + PAGES / 2;
    struct region r = {.start = COPIES, .end = COPIES + PAGES * ABI_PAGE, .access = 3, .most = 3,
                       .segment = &stored[0].segment};
    segment_get(r.segment);
    assert_int_equal(aspace_bind(&spaces[0], &r), ERR_OK);
    for (unsigned i = 0; i < PAGES; i++) {
        stored[0].now[i] = *touch(1, i, true) = 100 + i;
        stored[0].written[i] = true;
    }
    for (unsigned i = 0; i < PAGES / 2; i++) {
        va_t at = COPIES + i * ABI_PAGE;
        assert_int_equal(world_reach(&spaces[0], at, 0, &byte), ERR_OK);
        assert_int_equal(world_reach(&spaces[0], at, FAULT_WRITE, &byte), ERR_OK);
        assert_int_equal(*(uint64_t *)byte, 100 + i);
        *(uint64_t *)byte = 200 + i;
    }
    for (unsigned i = 0; i < PAGES; i++) {
        assert_int_equal(world_reach(&spaces[0], COPIES + i * ABI_PAGE, 0, &byte), ERR_OK);
        assert_int_equal(*(uint64_t *)byte, (i < PAGES / 2 ? 200u : 100u) + i);
        assert_int_equal(*touch(2, i, false), 100 + i);
    }
    world_most = 2000;
    manager.limit = LIMIT;
    finish(1);
}

// The last frame is the one that is to be copied: it does not become its own copy.
static void copy_of_the_last(void **state)
{
    uint8_t *byte;

    (void)state;
    begin(1);
    struct region r = {.start = COPIES, .end = COPIES + ABI_PAGE, .access = 3, .most = 3,
                       .segment = &stored[0].segment};
    segment_get(r.segment);
    assert_int_equal(aspace_bind(&spaces[0], &r), ERR_OK);
    stored[0].store[0] = 77;
    world_most = 1;
    assert_int_equal(world_reach(&spaces[0], COPIES, 0, &byte), ERR_OK);
    assert_int_equal(world_reach(&spaces[0], COPIES, FAULT_WRITE, &byte), ERR_LIMIT);
    assert_int_equal(world_reach(&spaces[0], COPIES, 0, &byte), ERR_OK);
    assert_int_equal(*(uint64_t *)byte, 77);
    world_most = 2000;
    finish(1);
}

// Where all pages went, nothing is left of the tree once the region is gone.
static void empty_nodes(void **state)
{
    (void)state;
    begin(1);
    for (unsigned i = 0; i < PAGES; i++) {
        (void)touch(0, i, false);
    }
    while (manager_replace(&manager)) {
    }
    assert_true(manager.resident == 0 && spaces[0].resident == 0);
    assert_int_equal(aspace_unbind(&spaces[0], AT(0), AT(PAGES)), ERR_OK);
    assert_true(spaces[0].pages.root == 0);
    finish(1);
}

// A frame that somebody holds besides is not taken, and the program's own way to get memory comes before the clock.
static unsigned asked;
static bool no_memory(struct manager *m)
{
    (void)m;
    asked++;
    return false;
}

static void held_and_own_policy(void **state)
{
    static const struct manager_ops own = {.reclaim = no_memory};
    pa_t frame = 0;
    uint8_t *byte;

    (void)state;
    begin(1);
    assert_int_equal(segment_page(&stored[0].segment, 5, false, &frame), ERR_OK);
    for (unsigned i = 0; i < PAGES; i++) {
        (void)touch(0, i, false);
        assert_int_equal(segment_frame(&stored[0].segment, 5), frame);
    }
    ak_frame_put(frame);
    manager.ops = &own;
    manager.limit = 0;
    world_most = world_frames();
    assert_int_equal(world_reach(&spaces[0], AT(0), 0, &byte), ERR_LIMIT);
    assert_int_equal(asked, 1);
    world_most = 2000;
    manager.ops = NULL;
    manager.limit = LIMIT;
    finish(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps), cmocka_unit_test(second_chance),       cmocka_unit_test(store_full),
        cmocka_unit_test(copies),       cmocka_unit_test(held_and_own_policy),
        cmocka_unit_test(copy_of_the_last), cmocka_unit_test(empty_nodes),
    };

    world_seed("manager");
    world_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
