// test_large.c - 2 MiB at once against an array of pages, by seed: whatever is done to a part of them, each page holds
// what was written to it, and what is loaded as one was all there.
#include "world.h"

enum { STEPS = 20000, SPACES = 2, WINDOW = 1600, LARGE = ABI_LARGE / ABI_PAGE };
#define BASE (0x7000000ull - 20 * ABI_PAGE)      // two aligned 2 MiB, and some pages before and behind

struct page {
    bool     bound;
    uint32_t access;
    uint64_t value;
};
static struct model {
    bool          used;
    struct aspace as;
    struct page   page[WINDOW];
} models[SPACES];

static const struct manager_ops ops = {.large = world_large};
static struct manager manager = {.ops = &ops};

static va_t at_page(unsigned page)
{
    return BASE + (va_t)page * ABI_PAGE;
}

static void some_range(unsigned *at, unsigned *n)
{
    *at = world_random(3) == 0 ? 0 : world_random(WINDOW);
    *n = 1 + world_random(world_random(2) == 0 ? WINDOW - *at : WINDOW - *at < 8 ? WINDOW - *at : 8);
}

static void do_access(struct model *m)
{
    unsigned i = world_random(WINDOW);
    struct page *p = &m->page[i];
    bool write = world_random(2) == 0;
    err_t want = !p->bound ? ERR_INVAL : write ? p->access & MAP_WRITE ? ERR_OK : ERR_DENIED
                                               : p->access != 0 ? ERR_OK : ERR_DENIED;
    uint8_t *byte;

    assert_int_equal(world_reach(&m->as, at_page(i), write ? FAULT_WRITE : 0, &byte), want);
    if (want != ERR_OK) {
        return;
    }
    assert_int_equal(*(uint64_t *)(void *)byte, p->value);
    if (write) {
        *(uint64_t *)(void *)byte = p->value = 1 + world_random(1u << 30);
    }
}

// Holes of the range get memory.
static void do_bind(struct model *m)
{
    unsigned at, n;

    some_range(&at, &n);
    for (unsigned end, i = at; i < at + n; i = end) {
        for (end = i + 1; end < at + n && m->page[end].bound == m->page[i].bound; end++) {
        }
        struct region r = {.start = at_page(i), .end = at_page(end), .access = 3, .most = 7};
        if (!m->page[i].bound) {
            assert_int_equal(aspace_bind(&m->as, &r), ERR_OK);
            for (unsigned k = i; k < end; k++) {
                m->page[k] = (struct page){.bound = true, .access = 3};
            }
        }
    }
}

static void do_unbind(struct model *m)
{
    unsigned at, n;

    some_range(&at, &n);
    assert_int_equal(aspace_unbind(&m->as, at_page(at), at_page(at + n)), ERR_OK);
    memset(&m->page[at], 0, n * sizeof(struct page));
}

// All of it new: so there are 2 MiB that nobody has touched.
static void do_anew(struct model *m)
{
    struct region r = {.start = BASE, .end = at_page(WINDOW), .access = 3, .most = 7};

    assert_int_equal(aspace_unbind(&m->as, r.start, r.end), ERR_OK);
    assert_int_equal(aspace_bind(&m->as, &r), ERR_OK);
    for (unsigned i = 0; i < WINDOW; i++) {
        m->page[i] = (struct page){.bound = true, .access = 3};
    }
}

static void do_protect(struct model *m)
{
    unsigned at, n;
    uint32_t access = world_random(2) == 0 ? 3 : world_random(8);
    bool good = true;

    some_range(&at, &n);
    for (unsigned i = at; i < at + n; i++) {
        good &= m->page[i].bound;
    }
    assert_int_equal(aspace_protect(&m->as, at_page(at), at_page(at + n), access), good ? ERR_OK : ERR_INVAL);
    for (unsigned i = at; good && i < at + n; i++) {
        m->page[i].access = access;
    }
}

static void do_drop(struct model *m)
{
    unsigned at, n;

    some_range(&at, &n);
    aspace_drop(&m->as, at_page(at), at_page(at + n));
    for (unsigned i = at; i < at + n; i++) {
        m->page[i].value = 0;
    }
}

// A part of the window, or an aligned 2 MiB of it, goes elsewhere and comes back to another place.
static void do_move(struct model *m)
{
    unsigned from = world_random(WINDOW - LARGE), to = 20 + world_random(2) * LARGE, n = 1 + world_random(LARGE);
    va_t far = 0x40000000ull;

    const struct region *r = aspace_find(&m->as, at_page(from));
    if (r == NULL || r->end < at_page(from + n)) {
        return;
    }
    assert_int_equal(aspace_move(&m->as, at_page(from), (uint64_t)n * ABI_PAGE, far, (uint64_t)n * ABI_PAGE), ERR_OK);
    assert_int_equal(aspace_unbind(&m->as, at_page(to), at_page(to + n)), ERR_OK);
    assert_int_equal(aspace_move(&m->as, far, (uint64_t)n * ABI_PAGE, at_page(to), (uint64_t)n * ABI_PAGE), ERR_OK);
    static struct page moved[LARGE];
    memcpy(moved, &m->page[from], n * sizeof(struct page));
    memset(&m->page[from], 0, n * sizeof(struct page));
    memset(&m->page[to], 0, n * sizeof(struct page));
    memcpy(&m->page[to], moved, n * sizeof(struct page));
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

static void check(struct model *m)
{
    uint64_t index = 0, resident = 0;

    for (; tree_next(&m->as.pages, &index, TREE_END) != NULL; index++) {
        resident++;
    }
    assert_int_equal(m->as.resident, resident);
}

static void random_steps(void **state)
{
    static void (*const rare[])(struct model * m) = {do_bind, do_unbind, do_protect, do_drop,
                                                     do_move, do_copy, do_destroy, do_anew};

    (void)state;
    models[0].used = true;
    models[0].as = (struct aspace){.manager = &manager, .most_regions = 1000};
    for (unsigned i = 0; i < STEPS; i++) {
        struct model *m = &models[world_random(SPACES)];
        world_chaos = i / 1000 % 2 != 0 ? 60 : 0;
        if (m->used) {
            (world_random(16) != 0 ? do_access : rare[world_random(8)])(m);
            check(m);
        }
    }
    assert_true(world_larges > STEPS / 200);
    for (struct model *m = models; m < models + SPACES; m++) {
        aspace_destroy(&m->as);
    }
    assert_int_equal(world_frames(), 0);
    assert_int_equal(world_objects(), 0);
}

// No memory for a node, or no 2 MiB: the page is made alone, and nothing is lost.
static void no_memory(void **state)
{
    struct aspace as = {.manager = &manager, .most_regions = 10};
    struct region r = {.start = BASE, .end = BASE + 2ull * ABI_LARGE, .access = 3, .most = 3};
    uint64_t entry;
    bool large = false;

    (void)state;
    for (long k = 0; !large; k++) {
        assert_int_equal(aspace_bind(&as, &r), ERR_OK);
        world_allow = k;
        err_t e = aspace_page(&as, BASE + ABI_LARGE / 2, E_WRITE, &entry);
        world_allow = -1;
        large = as.resident == LARGE;
        assert_true(large || (e == ERR_LIMIT && as.resident == 0) || (e == ERR_OK && as.resident == 1));
        assert_int_equal(world_frames(), as.resident);
        assert_true(e == ERR_OK || world_objects() == 1);        // the region
        aspace_destroy(&as);
        assert_int_equal(world_objects(), 0);
        assert_true(k < 30);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_steps), cmocka_unit_test(no_memory)};

    world_seed("large");
    world_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
