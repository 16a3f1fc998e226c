// test_inplace.c - each in-place call ends in the state that unload, edit and reload give (Cache Kernel, 2).
//
// Two worlds are made alike, at random: a kernel with shares, limits and rights on the groups of its memory, mappings
// of all kinds in its space, a program's space and threads.  In one world the in-place call is made.  In the other
// what it would change is unloaded, changed in the owner's plan, and loaded again.  In both the owner then loads what
// it misses, as it would at the next fault, and what is refused stays away.  The two must not differ in anything that
// can be seen.  A call that is refused must change nothing.  QUOIN_SEED=n repeats a run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "pmap.h"
#include "rights.h"
#include "share.h"
#include "table.h"
#include "two_kernels.h"

enum { ALL = 2, MAPS = 20, THREADS = 4, GROUPS = 4, GROUP_PAGES = ABI_GROUP / ABI_PAGE, AT = 0x900000 };

struct plan_map {
    bool     used;
    uint64_t flags;
    unsigned frame, source;              // pages of its unit
    bool     read, written;              // by the program, before the change
};

struct plan {                            // what the owner knows: nothing else is needed to load everything again
    struct plan_map map[MAPS];
    uint32_t access[GROUPS];
    struct kernel_limits limits;
    uint8_t  share[ALL];
    unsigned space_frame;                // of its place
    unsigned state_frame[THREADS];
    uint32_t priority[THREADS];
};

struct view {                            // what can be seen of it
    struct { bool there; pa_t pa, copy; uint32_t access; bool locked; pa_t receiver; } map[MAPS];
    struct { bool there; uint32_t priority, level, status, cpu; } thread[THREADS];
    pa_t     ready[2 * THREADS];         // state pages in the order in which they will run
    bool     space;
    struct kernel_limits limits;
    uint8_t  rights[GROUPS];
    struct { uint32_t percent, base, shown; uint64_t rate; } share[ALL];
    uint32_t held[HELD_COUNT], threads, locked_spaces, locked_threads;
    uint8_t  frame_state[ABI_LARGE / ABI_PAGE];
};

static struct test_kernel k[ALL];
static oid_t space, thread[THREADS];
static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

static pa_t frame(unsigned n)
{
    return k[1].memory + n * (pa_t)ABI_PAGE;
}

static int64_t call(unsigned n, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t args[6] = {a, b, c, d};

    return kernel_call(&k[n], number, args, NULL);
}

// ---- plans ------------------------------------------------------------------------------------------------

// Frame 0 is for descriptors; then places and state pages, one in each group in turn; then frames to map.
static void plan_map(struct plan_map *m)
{
    static const uint64_t kinds[] = {
        MAP_READ, MAP_READ | MAP_WRITE, MAP_READ | MAP_EXEC, MAP_WRITE, MAP_READ | MAP_MESSAGE,
        MAP_READ | MAP_WRITE | MAP_MESSAGE, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, MAP_READ | MAP_WRITE | MAP_COPY};

    *m = (struct plan_map){.used = draw(8) != 0, .flags = kinds[draw(8)] | (draw(5) == 0 ? MAP_LOCKED : 0)};
    m->frame = draw(GROUPS) * GROUP_PAGES + 64 + draw(m->flags & MAP_MESSAGE ? 1 : 40);
    m->source = draw(GROUPS) * GROUP_PAGES + 64 + draw(40);
    m->read = draw(2);
    m->written = (m->flags & MAP_WRITE) && !(m->flags & MAP_COPY) && draw(2);
}

static void plan_limits(struct kernel_limits *l)
{
    *l = (struct kernel_limits){.max_priority = draw(21), .locked_threads = draw(2), .locked_mappings = draw(30)};
    l->range[OBJECT_SPACE] = (struct kernel_range){draw(3), draw(2) ? 3 + draw(3) : 0};
    l->range[OBJECT_THREAD] = (struct kernel_range){draw(4), draw(2) ? THREADS + 2 + draw(3) : 0};
    l->range[OBJECT_MAPPING] = (struct kernel_range){draw(40), draw(2) ? 2 * MAPS + draw(9) : 0};
}

static void plan_make(struct plan *p)
{
    memset(p, 0, sizeof(*p));
    for (unsigned i = 0; i < MAPS; i++) {
        plan_map(&p->map[i]);
    }
    for (unsigned i = 0; i < GROUPS; i++) {
        p->access[i] = (uint32_t[]){GROUP_WRITE, GROUP_WRITE, GROUP_READ, GROUP_NONE}[draw(4)];
    }
    plan_limits(&p->limits);
    p->limits.max_priority = 10;
    for (unsigned i = 0; i < ALL; i++) {
        p->share[i] = (uint8_t)(draw(2) ? 100 : draw(101));
    }
    p->space_frame = draw(GROUPS) * GROUP_PAGES + 1;
    for (unsigned i = 0; i < THREADS; i++) {
        p->state_frame[i] = draw(GROUPS) * GROUP_PAGES + 2 + i;
        p->priority[i] = draw(11);
    }
}

// ---- loading what a plan says -----------------------------------------------------------------------------

static void load_map(const struct plan *p, unsigned i, bool instead)
{
    const struct plan_map *m = &p->map[i];
    uint64_t a[6] = {k[1].space, AT + i * (va_t)ABI_PAGE, frame(m->frame), m->flags, thread[i % THREADS],
                     frame(m->source)};

    if (m->used && kernel_call(&k[1], SYS_mapping_load, a, NULL) == ERR_DENIED && instead && (m->flags & MAP_COPY)) {
        a[2] = a[5];
        a[3] = MAP_READ | (m->flags & MAP_LOCKED);
        (void)kernel_call(&k[1], SYS_mapping_load, a, NULL);
    }
}

static bool map_there(unsigned i)
{
    struct instance *in = host_instance();
    struct leaf leaf;

    return table_find(in, space_find(in, k[1].space), AT + i * (va_t)ABI_PAGE, 0, &leaf) &&
           arch_pte_present(*leaf.pte);
}

// Everything that is not loaded, as far as it can be.  A thread above the highest priority is loaded with that; in the
// place of a deferred copy that may not be made, if `instead`, comes a mapping of its source.
static void load_missing(const struct plan *p, bool instead)
{
    struct instance *in = host_instance();
    struct space_desc s = {.rule = TRAP_FORWARD, .place = frame(p->space_frame)};

    if (space_find(in, space) == NULL) {
        (void)kernel_load(&k[1], SYS_space_load, &s, sizeof(s), &space);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        uint32_t most = p->limits.max_priority;
        struct thread_desc t = {.space = space, .priority = p->priority[i] < most ? p->priority[i] : most,
                                .state = frame(p->state_frame[i]), .state_va = 0x5000, .xstack = 0x5000,
                                .affinity = 2};
        if (thread_find(in, thread[i]) == NULL) {
            ((struct thread_state *)host_at(t.state))->frame[0].rip = HOST_TEXT;
            (void)kernel_load(&k[1], SYS_thread_load, &t, sizeof(t), &thread[i]);
        }
    }
    for (unsigned i = 0; i < MAPS; i++) {
        if (!map_there(i)) {
            load_map(p, i, instead);
        }
    }
}

static int64_t grant(unsigned group, unsigned count, uint32_t access)
{
    return call(0, SYS_kernel_grant, k[1].id, (k[1].memory >> ABI_GROUP_SHIFT) + group, count, access);
}

static void grant_all(const struct plan *p)
{
    for (unsigned i = 0; i < GROUPS; i++) {
        assert_int_equal(grant(i, 1, p->access[i]), ERR_OK);
    }
}

// The world as planned, and what the program has done in it.
static void world_make(const struct plan *p)
{
    struct kernel_limits l[ALL] = {{0}, p->limits};

    kernels_boot("kernels=3 spaces=12 threads=16 mappings=256", k, ALL, l);
    space = 0;
    memset(thread, 0, sizeof(thread));
    for (unsigned i = 0; i < ALL; i++) {
        k[1].desc.share[i] = p->share[i];
        assert_int_equal(call(0, SYS_kernel_share, k[1].id, i, p->share[i], 0), ERR_OK);
    }
    grant_all(p);
    load_missing(p, false);
    load_missing(p, false);              // what went with a receiver
    for (unsigned i = 0; i < MAPS; i++) {
        pa_t pa;
        if (map_there(i) && p->map[i].read) {
            assert_true(host_touch(1, AT + i * (va_t)ABI_PAGE, MAP_READ, &pa));
        }
        if (map_there(i) && p->map[i].written) {
            assert_true(host_touch(1, AT + i * (va_t)ABI_PAGE, MAP_WRITE, &pa));
        }
    }
}

// ---- looking ----------------------------------------------------------------------------------------------

// The bits of a mapping are added to those of its frame: that is what its owner can get to know.
static void view_map(struct view *v, unsigned i)
{
    struct instance *in = host_instance();
    struct space *s = space_find(in, k[1].space);
    va_t va = AT + i * (va_t)ABI_PAGE;
    struct leaf leaf;

    if (!map_there(i)) {
        return;
    }
    (void)table_find(in, s, va, 0, &leaf);
    v->map[i].there = true;
    v->map[i].pa = arch_pte_pa(*leaf.pte);
    v->map[i].access = arch_pte_access(*leaf.pte);
    v->map[i].locked = arch_pte_locked(*leaf.pte);
    struct record *r = pmap_find(in, v->map[i].pa >> ABI_PAGE_SHIFT, s->o.slot, va >> ABI_PAGE_SHIFT);
    if (r->copy) {                       // one that may not be made any more is a mapping of its source, in two records
        pa_t copy = (pa_t)pmap_copy_of(in, r) << ABI_PAGE_SHIFT;
        bool lapsed = !rights_to_map(in, kernel_find(in, k[1].id), copy, ABI_PAGE, GROUP_WRITE);
        v->map[i].copy = lapsed ? 0 : copy;
        v->held[OBJECT_MAPPING + r->locked] -= lapsed;
    }
    v->map[i].receiver = r->signal ? pmap_signal_of(in, r)->state_pa : 0;
    v->frame_state[(v->map[i].pa - k[1].memory) >> ABI_PAGE_SHIFT] |=
        (uint8_t)((arch_pte_referenced(*leaf.pte) ? FRAME_REFERENCED : 0) |
                  (arch_pte_modified(*leaf.pte) ? FRAME_MODIFIED : 0));
}

static void view_threads(struct view *v)
{
    struct instance *in = host_instance();
    unsigned count = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        const struct thread *t = thread_find(in, thread[i]);
        if (t != NULL) {
            v->thread[i].there = true;
            v->thread[i].priority = t->priority;
            v->thread[i].level = t->level;
            v->thread[i].status = t->status;
            v->thread[i].cpu = t->cpu;
        }
    }
    for (unsigned l = CPU_LEVELS; l-- > 0;) {
        const struct list *ready = &in->cpu[1].ready[l];
        for (struct list *n = ready->next; n != ready; n = n->next) {
            v->ready[count++] = list_entry(n, struct thread, queue)->state_pa;
        }
    }
}

static void look(struct view *v)
{
    struct instance *in = host_instance();
    const struct appkernel *a = kernel_find(in, k[1].id);

    memset(v, 0, sizeof(*v));
    memcpy(v->frame_state, host_at(k[1].desc.frame_states), sizeof(v->frame_state));
    for (unsigned i = 0; i < MAPS; i++) {
        view_map(v, i);
    }
    view_threads(v);
    v->space = space_find(in, space) != NULL;
    v->limits = a->limits;
    for (unsigned i = 0; i < GROUPS; i++) {
        v->rights[i] = (uint8_t)rights_get(a, (k[1].memory >> ABI_GROUP_SHIFT) + i);
    }
    for (unsigned i = 0; i < ALL; i++) {
        v->share[i].percent = a->share[i].percent;
        v->share[i].base = a->share[i].base;
        v->share[i].rate = a->share[i].rate;
        v->share[i].shown = a->share[i].usage->share;
    }
    for (unsigned i = 0; i < HELD_COUNT; i++) {
        v->held[i] += a->held[i];
    }
    v->threads = a->threads;
    v->locked_spaces = a->locked_spaces;
    v->locked_threads = a->locked_threads;
}

// ---- the changes ------------------------------------------------------------------------------------------

enum change { GRANT, SHARE, LIMITS, PRIORITY, PROTECT, CHANGES };

struct edit {
    enum change what;
    unsigned    first, count;            // groups, or mappings
    uint32_t    access;
    unsigned    which;                   // processor, or thread
    uint32_t    number;                  // percent, or priority
    struct kernel_limits limits;
};

static void edit_make(struct edit *e, enum change what)
{
    *e = (struct edit){.what = what};
    e->first = draw(what == GRANT ? GROUPS : MAPS);
    e->count = 1 + draw((what == GRANT ? GROUPS : MAPS) - e->first);
    e->access = what == GRANT ? (uint32_t[]){GROUP_NONE, GROUP_READ, GROUP_WRITE}[draw(3)] : 1 + draw(7);
    e->which = draw(what == SHARE ? ALL : THREADS);
    e->number = draw(what == SHARE ? 101 : 11);
    plan_limits(&e->limits);
}

static int64_t change_in_place(const struct edit *e)
{
    switch (e->what) {
    case GRANT:
        return grant(e->first, e->count, e->access);
    case SHARE:
        return call(0, SYS_kernel_share, k[1].id, e->which, e->number, 0);
    case LIMITS:
        return kernel_limits(&k[1], &e->limits);
    case PRIORITY:
        return call(1, SYS_thread_priority, thread[e->which], e->number, 0, 0);
    default:
        return call(1, SYS_mapping_protect, k[1].space, AT + e->first * (va_t)ABI_PAGE,
                    e->count * (uint64_t)ABI_PAGE, e->access);
    }
}

// A deferred copy that may not be written is a mapping of its source.
static void protect_in_plan(struct plan_map *m, uint32_t access)
{
    const uint64_t stays = MAP_LOCKED | MAP_MESSAGE | MAP_SIGNAL;

    if ((m->flags & MAP_COPY) && (access & MAP_WRITE)) {
        return;
    }
    if (m->flags & MAP_COPY) {
        m->frame = m->source;
    }
    m->flags = (m->flags & (stays | access)) | MAP_READ;
}

static void change_plan(const struct edit *e, struct plan *p)
{
    for (unsigned i = e->first; i < e->first + e->count; i++) {
        if (e->what == GRANT) {
            p->access[i] = e->access;
        } else if (e->what == PROTECT) {
            protect_in_plan(&p->map[i], e->access);
        }
    }
    if (e->what == SHARE) {
        p->share[e->which] = (uint8_t)e->number;
    } else if (e->what == LIMITS) {
        p->limits = e->limits;
    } else if (e->what == PRIORITY) {
        p->priority[e->which] = e->number;
    }
}

static void unload_and_reload(const struct edit *e, const struct plan *p)
{
    if (e->what == PRIORITY) {
        (void)call(1, SYS_thread_unload, thread[e->which], 0, 0, 0);
    } else if (e->what == PROTECT) {
        assert_int_equal(call(1, SYS_mapping_unload, k[1].space, AT + e->first * (va_t)ABI_PAGE,
                              e->count * (uint64_t)ABI_PAGE, 0), ERR_OK);
    } else {
        assert_int_equal(call(0, SYS_kernel_unload, k[1].id, 0, 0, 0), ERR_OK);
        k[1].desc.limits = p->limits;
        memcpy(k[1].desc.share, p->share, sizeof(p->share));
        kernel_reload(&k[1]);
        grant_all(p);
    }
}

// The order of threads of one priority is that of their loads, which is the owner's business.
static void forget_order(const struct edit *e, struct view *v)
{
    if (e->what != PRIORITY) {
        memset(v->ready, 0, sizeof(v->ready));
    }
}

static unsigned refused[CHANGES], done[CHANGES];

static void compare(uint64_t s, enum change what)
{
    struct plan p, before;
    struct edit e;
    struct view in_place, other;

    seed = s;
    plan_make(&p);
    before = p;
    edit_make(&e, what);
    world_make(&p);
    look(&other);
    int64_t error = change_in_place(&e);
    if (error != ERR_OK) {
        look(&in_place);
        assert_memory_equal(&in_place, &other, sizeof(other));
        refused[what]++;
        host_shutdown();
        return;
    }
    change_plan(&e, &p);
    load_missing(&p, true);
    load_missing(&p, true);
    look(&in_place);
    host_shutdown();
    world_make(&before);
    unload_and_reload(&e, &p);
    load_missing(&p, true);
    load_missing(&p, true);
    look(&other);
    forget_order(&e, &in_place);
    forget_order(&e, &other);
    assert_memory_equal(&in_place, &other, sizeof(other));
    host_shutdown();
    done[what]++;
}

static void test_in_place(void **state)
{
    static const char *const name[] = {"kernel_grant", "kernel_share", "kernel_limits", "thread_priority",
                                       "mapping_protect"};
    const char *given = getenv("QUOIN_SEED");

    (void)state;
    for (unsigned what = 0; what < CHANGES; what++) {
        for (uint64_t s = 1; s <= 40; s++) {
            uint64_t run = given == NULL ? s : strtoull(given, NULL, 0);
            printf("%s, seed %lu\n", name[what], (unsigned long)run);
            fflush(stdout);
            compare(run * 977, what);
        }
        printf("%s: %u changes, %u refused\n", name[what], done[what], refused[what]);
        assert_true(given != NULL || done[what] >= 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_place)};
    return cmocka_run_group_tests_name("inplace", tests, NULL, NULL);
}
