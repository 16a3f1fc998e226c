// test_limits.c - where address spaces end: no memory for a record or a frame, too many regions, bad ranges.  An error
// changes nothing.
#include "world.h"

#define AT(page) (0x10000000ull + (va_t)(page) * ABI_PAGE)
enum { PAGES = 8 };

static const struct segment_ops defaults;
static struct manager manager;
static struct aspace as;

static err_t bind(unsigned at, unsigned n, struct segment *s)
{
    struct region r = {.start = AT(at), .end = AT(at + n), .access = 3, .most = 3, .segment = s, .shared = s != NULL};
    err_t e = aspace_bind(&as, &r);

    if (e == ERR_OK && s != NULL) {
        segment_get(s);
    }
    return e;
}

static void put(unsigned page, uint8_t value)
{
    uint8_t *byte;

    assert_int_equal(world_reach(&as, AT(page), FAULT_WRITE, &byte), ERR_OK);
    *byte = value;
}

static void expect(unsigned from, unsigned to)
{
    uint8_t *byte;

    for (unsigned i = from; i < to; i++) {
        assert_int_equal(world_reach(&as, AT(i), 0, &byte), ERR_OK);
        assert_int_equal(*byte, i + 1);
    }
}

static int begin(void **state)
{
    (void)state;
    as = (struct aspace){.manager = &manager, .most_regions = 100};
    assert_int_equal(bind(0, PAGES, NULL), ERR_OK);
    for (unsigned i = 0; i < PAGES; i++) {
        put(i, (uint8_t)(i + 1));
    }
    return 0;
}

static int finish(void **state)
{
    (void)state;
    aspace_destroy(&as);
    assert_int_equal(world_frames(), 0);
    assert_int_equal(world_objects(), 0);
    return 0;
}

// With k frames and objects and no more, until it succeeds: everything is as it was.
#define UNTIL_ENOUGH(call)                                        \
    for (long k_ = 0;; k_++) {                                    \
        size_t objects_ = world_objects();                        \
        unsigned frames_ = world_frames(), regions_ = as.regions; \
        uint64_t total_ = as.total;                               \
        assert_true(k_ < 50);                                     \
        world_allow = k_;                                         \
        err_t e_ = (call);                                        \
        world_allow = -1;                                         \
        if (e_ == ERR_OK) {                                       \
            assert_true(k_ > 0);                                  \
            break;                                                \
        }                                                         \
        assert_int_equal(e_, ERR_LIMIT);                          \
        assert_int_equal(world_objects(), objects_);              \
        assert_int_equal(world_frames(), frames_);                \
        assert_int_equal(as.regions, regions_);                   \
        assert_int_equal(as.total, total_);                       \
        expect(0, PAGES);                                         \
    }

static void no_memory(void **state)
{
    struct segment *s = segment_create(&defaults, &manager);
    uint64_t entry;

    (void)state;
    UNTIL_ENOUGH(bind(20, 2, s));
    UNTIL_ENOUGH(aspace_page(&as, AT(21), E_READ, &entry));
    UNTIL_ENOUGH(aspace_protect(&as, AT(2), AT(4), MAP_READ));
    UNTIL_ENOUGH(aspace_move(&as, AT(21), ABI_PAGE, AT(70000), 3 * ABI_PAGE));
    assert_true(aspace_find(&as, AT(21)) == NULL && aspace_find(&as, AT(70002))->page == 1);
    assert_int_equal(aspace_protect(&as, AT(2), AT(4), 3), ERR_OK);
    assert_int_equal(as.regions, 3);     // joined again
    UNTIL_ENOUGH(aspace_unbind(&as, AT(3), AT(5)));
    expect(0, 3);
    expect(5, PAGES);
    segment_put(s);
}

static void no_memory_copy(void **state)
{
    struct aspace copy;
    uint64_t entry;
    long k = 0;

    (void)state;
    for (err_t e = ERR_LIMIT; e != ERR_OK; k++) {
        size_t objects = world_objects();
        copy = (struct aspace){.manager = &manager, .most_regions = 100};
        world_allow = k;
        e = aspace_copy(&copy, &as);
        world_allow = -1;
        if (e != ERR_OK) {
            assert_int_equal(e, ERR_LIMIT);
            aspace_destroy(&copy);
            assert_int_equal(world_objects(), objects);
            put(0, 1);
            expect(0, PAGES);
        }
    }
    assert_true(k > 3);
    // No frame for the copy of a page: it can be read, and written when there is one, or when it is the only one.
    world_allow = 0;
    assert_int_equal(aspace_page(&as, AT(1), E_WRITE, &entry), ERR_LIMIT);
    assert_int_equal(aspace_page(&as, AT(1), E_READ, &entry), ERR_OK);
    world_allow = -1;
    expect(0, PAGES);
    aspace_destroy(&copy);
    world_allow = 0;
    put(1, 2);
    world_allow = -1;
}

static void too_many_regions(void **state)
{
    (void)state;
    as.most_regions = 2;
    assert_int_equal(bind(20, 2, NULL), ERR_OK);
    assert_int_equal(bind(30, 2, NULL), ERR_LIMIT);
    assert_int_equal(aspace_unbind(&as, AT(3), AT(4)), ERR_LIMIT);
    assert_int_equal(aspace_protect(&as, AT(3), AT(4), 1), ERR_LIMIT);
    assert_int_equal(bind(22, 2, NULL), ERR_OK);         // a part of the one before it
    assert_int_equal(aspace_move(&as, AT(20), ABI_PAGE, AT(40), ABI_PAGE), ERR_LIMIT);
    assert_int_equal(as.total, PAGES + 4);
    expect(0, PAGES);
}

static void bad_ranges(void **state)
{
    const struct { va_t start, end; } bad[] = {
        {AT(0), AT(0)}, {AT(4), AT(2)}, {AT(0) + 1, AT(4)}, {AT(0), AT(4) - 1}, {AT(0), ABI_USER_END + ABI_PAGE},
        {ABI_USER_END, ABI_USER_END + ABI_PAGE}, {UINT64_MAX - ABI_PAGE + 1, UINT64_MAX}, {AT(0), UINT64_MAX},
        {UINT64_MAX & ~0xfffull, AT(1)}, {1ull << 63, (1ull << 63) + ABI_PAGE},
    };
    struct segment *s = segment_create(&defaults, &manager);
    uint64_t entry;
    struct map_entry load;

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct region r = {.start = bad[i].start, .end = bad[i].end, .access = 3, .most = 3};
        assert_int_equal(aspace_bind(&as, &r), ERR_INVAL);
        assert_int_equal(aspace_unbind(&as, r.start, r.end), ERR_INVAL);
        assert_int_equal(aspace_protect(&as, r.start, r.end, 1), ERR_INVAL);
        assert_int_equal(aspace_move(&as, r.start, r.end - r.start, AT(50), ABI_PAGE), ERR_INVAL);
        assert_int_equal(aspace_move(&as, AT(0), ABI_PAGE, r.start, r.end - r.start), ERR_INVAL);
        aspace_drop(&as, r.start, r.end);
        aspace_unload(&as, r.start, r.end);
    }
    assert_int_equal(aspace_move(&as, AT(0), (PAGES + 1) * ABI_PAGE, AT(50), ABI_PAGE), ERR_INVAL);
    assert_int_equal(aspace_move(&as, AT(0), ABI_PAGE, AT(50), UINT64_MAX - ABI_PAGE + 1), ERR_INVAL);
    assert_int_equal(aspace_page(&as, ABI_USER_END, E_READ, &entry), ERR_INVAL);
    assert_int_equal(aspace_fault(&as, UINT64_MAX, FAULT_WRITE, &load), ERR_INVAL);
    // A segment's pages end; what is shared has a segment.
    struct region r = {.start = AT(50), .end = AT(52), .access = 3, .most = 3, .segment = s, .page = TREE_END - 1};
    assert_int_equal(aspace_bind(&as, &r), ERR_INVAL);
    r.page = UINT64_MAX;
    assert_int_equal(aspace_bind(&as, &r), ERR_INVAL);
    r.page = TREE_END - 2;
    assert_int_equal(aspace_bind(&as, &r), ERR_OK);
    assert_int_equal(aspace_extend(&as, aspace_find(&as, AT(51)), AT(50), AT(53)), ERR_INVAL);
    assert_int_equal(aspace_extend(&as, aspace_find(&as, AT(51)), AT(49), AT(52)), ERR_OK);
    assert_int_equal(aspace_find(&as, AT(49))->page, TREE_END - 3);
    assert_int_equal(aspace_extend(&as, aspace_find(&as, AT(0)), AT(0), AT(50)), ERR_INVAL);
    assert_int_equal(aspace_extend(&as, aspace_find(&as, AT(0)), AT(1), AT(9)), ERR_INVAL);
    r = (struct region){.start = AT(60), .end = AT(61), .access = 3, .most = 3, .shared = true};
    assert_int_equal(aspace_bind(&as, &r), ERR_INVAL);
    assert_int_equal(aspace_gap(&as, AT(0), AT(PAGES), ABI_PAGE, ABI_PAGE), 0);
    assert_int_equal(aspace_gap(&as, 0, ABI_USER_END, UINT64_MAX, ABI_PAGE), 0);
    assert_int_equal(aspace_gap(&as, 0, ABI_USER_END, 0, ABI_PAGE), 0);
    assert_int_equal(aspace_gap(&as, 0, ABI_USER_END, ABI_PAGE, 3), 0);
    expect(0, PAGES);
    assert_int_equal(as.total, PAGES + 3);
}

// A page that was found when nobody could write it is asked for again when somebody may: its segment gives another.
static pa_t read_only;
static err_t two_frames(struct segment *s, uint64_t page, bool write, pa_t *frame)
{
    if (write) {
        return segment_keep(s, page, write, frame);
    }
    ak_frame_get(read_only);
    *frame = read_only;
    return ERR_OK;
}

static void becomes_writable(void **state)
{
    static const struct segment_ops ops = {.page = two_frames};
    struct segment *s = segment_create(&ops, &manager);
    uint8_t *byte;
    uint64_t entry;

    (void)state;
    read_only = ak_frame_alloc_in(0);
    assert_int_equal(bind(20, 1, s), ERR_OK);
    assert_int_equal(aspace_protect(&as, AT(20), AT(21), MAP_READ), ERR_OK);
    assert_int_equal(world_reach(&as, AT(20), 0, &byte), ERR_OK);
    assert_int_equal(aspace_protect(&as, AT(20), AT(21), MAP_READ | MAP_WRITE), ERR_OK);
    assert_int_equal(aspace_page(&as, AT(20), E_READ, &entry), ERR_OK);
    assert_true((entry & E_WRITE) && entry_frame(entry) != read_only);
    ak_frame_put(read_only);
    segment_put(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_memory, begin, finish),
        cmocka_unit_test_setup_teardown(no_memory_copy, begin, finish),
        cmocka_unit_test_setup_teardown(too_many_regions, begin, finish),
        cmocka_unit_test_setup_teardown(bad_ranges, begin, finish),
        cmocka_unit_test_setup_teardown(becomes_writable, begin, finish),
    };

    world_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
