// test_aspace.c - address spaces against an array of pages, by seed: bound, changed, moved, copied, written back at any
// moment.  A page holds one word, at a place of its own.  In the end everything is back.
#include "world.h"

enum { STEPS = 60000, SPACES = 3, WINDOW = 48, SEGMENTS = 3, PAGES = 64, NO_SEGMENT = SEGMENTS };
#define BASE 0x7000000ull

struct page {
    bool     bound, shared, own;
    uint32_t access, most;
    unsigned segment, index;
    uint64_t value;                      // if it is its own
};
static struct model {
    bool          used;
    struct aspace as;
    struct page   page[WINDOW];
} models[SPACES];

// The first segment is like a file: it has an end, and its pages hold something from the beginning.
static struct segment *segments[SEGMENTS];
static uint64_t held[SEGMENTS][PAGES];
static unsigned file_pages = PAGES / 2;
static struct manager manager = {.cluster = 3};
static struct segment file;

static uint64_t *word_in(void *page, unsigned index)
{
    return (uint64_t *)page + index % (ABI_PAGE / 8);
}

static err_t file_page(struct segment *s, uint64_t page, bool write, pa_t *frame)
{
    return page < file_pages ? segment_keep(s, page, write, frame) : ERR_STALE;
}

static err_t file_fill(struct segment *s, uint64_t page, pa_t frame)
{
    (void)s;
    memset(ak_window(frame), 0, ABI_PAGE);
    *word_in(ak_window(frame), (unsigned)page) = 1000 + page;
    return ERR_OK;
}

static void file_end(struct segment *s)
{
    (void)s;
    fail_msg("the file has a user of the test's own");
}

static const struct segment_ops file_ops = {.page = file_page, .fill = file_fill, .end = file_end, .ahead = true};
static const struct segment_ops plain_ops;

static uint64_t first_value(unsigned segment, unsigned index)
{
    return segment == 0 ? 1000 + index : 0;
}

// Words lie where their index says; memory without a segment, at the first word.
static unsigned place_of(const struct page *p)
{
    return p->segment == NO_SEGMENT ? 0 : p->index;
}

static uint64_t value_of(const struct page *p)
{
    return p->own ? p->value : p->segment == NO_SEGMENT ? 0 : held[p->segment][p->index];
}

static err_t error_of(const struct page *p, uint64_t error)
{
    uint32_t need = error & FAULT_WRITE ? MAP_WRITE : error & FAULT_EXEC ? MAP_EXEC : 7;

    if (!p->bound) {
        return ERR_INVAL;
    }
    if (!(p->access & need)) {
        return ERR_DENIED;
    }
    return p->segment == 0 && p->index >= file_pages && !p->own ? ERR_STALE : ERR_OK;
}

static va_t at_page(unsigned page)
{
    return BASE + (va_t)page * ABI_PAGE;
}

static void do_access(struct model *m)
{
    unsigned i = world_random(WINDOW);
    struct page *p = &m->page[i];
    uint64_t error = world_random(4) == 0 ? FAULT_EXEC : world_random(2) == 0 ? FAULT_WRITE : 0;
    err_t want = error_of(p, error);
    uint8_t *byte;

    assert_int_equal(world_reach(&m->as, at_page(i), error, &byte), want);
    if (want != ERR_OK) {
        return;
    }
    assert_int_equal(*word_in(byte, place_of(p)), value_of(p));
    if (error == FAULT_WRITE) {
        uint64_t value = world_random(1u << 30);
        *word_in(byte, place_of(p)) = value;
        if (p->shared) {
            held[p->segment][p->index] = value;
        } else {
            p->own = true;
            p->value = value;
        }
    }
}

static bool is_free(const struct model *m, unsigned at, unsigned n)
{
    for (unsigned i = at; i < at + n; i++) {
        if (i >= WINDOW || m->page[i].bound) {
            return false;
        }
    }
    return true;
}

static void some_range(unsigned *at, unsigned *n)
{
    *at = world_random(WINDOW);
    *n = 1 + world_random(WINDOW - *at < 8 ? WINDOW - *at : 8);
}

static void do_bind(struct model *m)
{
    unsigned at, n, s = world_random(SEGMENTS + 1), index = world_random(PAGES - 8);
    uint32_t most = world_random(3) == 0 ? MAP_READ | MAP_EXEC : 7;

    some_range(&at, &n);
    struct region r = {.start = at_page(at), .end = at_page(at + n), .access = world_random(8) & most, .most = most,
                       .shared = s != NO_SEGMENT && world_random(2) == 0, .tag = world_random(2),
                       .segment = s != NO_SEGMENT ? segments[s] : NULL, .page = s != NO_SEGMENT ? index : 0};
    if (r.segment != NULL) {
        segment_get(r.segment);
    }
    bool good = is_free(m, at, n);
    assert_int_equal(aspace_bind(&m->as, &r), good ? ERR_OK : ERR_INVAL);
    if (!good) {
        segment_put(r.segment);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        m->page[at + i] = (struct page){.bound = true, .shared = r.shared, .access = r.access, .most = most,
                                        .segment = s, .index = index + i};
    }
}

static void do_unbind(struct model *m)
{
    unsigned at, n;

    some_range(&at, &n);
    assert_int_equal(aspace_unbind(&m->as, at_page(at), at_page(at + n)), ERR_OK);
    memset(&m->page[at], 0, n * sizeof(struct page));
}

static void do_protect(struct model *m)
{
    unsigned at, n;
    uint32_t access = world_random(8);
    err_t want = ERR_OK;

    some_range(&at, &n);
    for (unsigned i = at; i < at + n && want == ERR_OK; i++) {
        want = !m->page[i].bound ? ERR_INVAL : access & ~m->page[i].most ? ERR_DENIED : ERR_OK;
    }
    assert_int_equal(aspace_protect(&m->as, at_page(at), at_page(at + n), access), want);
    for (unsigned i = at; i < at + n && want == ERR_OK; i++) {
        m->page[i].access = access;
    }
}

static void do_drop(struct model *m)
{
    unsigned at, n;

    some_range(&at, &n);
    aspace_drop(&m->as, at_page(at), at_page(at + n));
    for (unsigned i = at; i < at + n; i++) {
        m->page[i].own = false;
    }
}

static void do_move(struct model *m)
{
    unsigned from = world_random(WINDOW), to, n;
    struct page p = m->page[from];

    some_range(&to, &n);
    if (p.segment != NO_SEGMENT && p.index + n > PAGES) {
        return;
    }
    bool good = p.bound && is_free(m, to, n);
    assert_int_equal(aspace_move(&m->as, at_page(from), ABI_PAGE, at_page(to), (uint64_t)n * ABI_PAGE),
                     good ? ERR_OK : ERR_INVAL);
    if (!good) {
        return;
    }
    m->page[from] = (struct page){0};
    for (unsigned i = 0; i < n; i++) {
        m->page[to + i] = p;
        m->page[to + i].index = p.index + i;
        m->page[to + i].own = p.own && i == 0;
    }
}

static void do_copy(struct model *m)
{
    for (struct model *to = models; to < models + SPACES; to++) {
        if (!to->used) {
            to->as = (struct aspace){.manager = &manager, .most_regions = 1000};
            assert_int_equal(aspace_copy(&to->as, &m->as), ERR_OK);
            memcpy(to->page, m->page, sizeof(to->page));
            to->used = true;
            return;
        }
    }
}

static void do_destroy(struct model *m)
{
    if (m != models) {
        aspace_destroy(&m->as);
        memset(m->page, 0, sizeof(m->page));
        m->used = false;
    }
}

// The file gets another end; also private copies behind it go.
static void do_truncate(struct model *m)
{
    unsigned end = world_random(PAGES);

    (void)m;
    segment_drop(&file, end, TREE_END);
    segment_hide(&file, end, TREE_END);
    for (unsigned i = end; i < PAGES; i++) {
        held[0][i] = first_value(0, i);
    }
    for (unsigned i = 0; i < SPACES * WINDOW; i++) {
        struct page *p = &models[i / WINDOW].page[i % WINDOW];
        p->own = p->own && !(p->segment == 0 && p->index >= end);
    }
    file_pages = end;
}

static void do_gap(struct model *m)
{
    unsigned n = 1 + world_random(6);
    va_t want = 0;

    for (unsigned at = WINDOW - n + 1; want == 0 && at-- > 0;) {
        want = is_free(m, at, n) ? at_page(at) : 0;
    }
    assert_int_equal(aspace_gap(&m->as, BASE, at_page(WINDOW), (uint64_t)n * ABI_PAGE, ABI_PAGE), want);
}

static void check(struct model *m)
{
    uint64_t index = 0, resident = 0, total = 0, bound = 0;
    const struct region *before = NULL;
    unsigned regions = 0;

    for (const struct region *r = m->as.first; r != NULL; before = r, r = r->next) {
        assert_true(r->prev == before && r->start < r->end && (before == NULL || before->end <= r->start));
        assert_ptr_equal(r->aspace, &m->as);
        total += (r->end - r->start) / ABI_PAGE;
        regions++;
    }
    for (; tree_next(&m->as.pages, &index, TREE_END) != NULL; index++) {
        assert_non_null(aspace_find(&m->as, index << ABI_PAGE_SHIFT));
        resident++;
    }
    for (unsigned i = 0; i < WINDOW; i++) {
        bound += m->page[i].bound;
    }
    assert_int_equal(m->as.regions, regions);
    assert_int_equal(m->as.resident, resident);
    assert_int_equal(m->as.total, total);
    assert_int_equal(total, bound);
}

static void random_steps(void **state)
{
    static void (*const rare[])(struct model * m) = {do_copy, do_destroy, do_move, do_drop, do_gap, do_truncate};

    (void)state;
    models[0].used = true;
    models[0].as = (struct aspace){.manager = &manager, .most_regions = 1000};
    segment_init(&file, &file_ops, &manager, 1);
    segments[0] = &file;
    segments[1] = segment_create(&plain_ops, &manager);
    segments[2] = segment_create(&plain_ops, &manager);
    for (unsigned i = 0; i < PAGES; i++) {
        held[0][i] = first_value(0, i);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        struct model *m = &models[world_random(SPACES)];
        unsigned what = world_random(16);
        world_chaos = i / 1000 % 2 != 0 ? 60 : 0;
        if (!m->used) {
            continue;
        }
        (what < 8 ? do_access : what < 11 ? do_bind : what < 13 ? do_unbind : what < 14 ? do_protect
                                                                : rare[world_random(6)])(m);
        check(m);
    }
    assert_int_equal(world_cluster, 3);
    for (struct model *m = models; m < models + SPACES; m++) {
        aspace_destroy(&m->as);
    }
    assert_true(file.bound == NULL && file.users == 1);
    segment_destroy(&file);
    segment_put(segments[1]);
    segment_put(segments[2]);
    assert_int_equal(world_frames(), 0);
    assert_int_equal(world_objects(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_steps)};

    world_seed("aspace");
    world_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
