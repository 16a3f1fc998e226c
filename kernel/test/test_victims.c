// test_victims.c - whose objects a load evicts: three kernels load and unload at random, on a processor each.
//
// The first kernel changes the limits of the other two.  After each call what it evicted is compared with the limits
// and with what each kernel held before: a model that knows nothing of clocks and classes.  QUOIN_SEED=n repeats a run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "two_kernels.h"

enum { ALL = 3, PLACES = 24, STATES = 24, FRAMES = 200, STEPS = 2500 };

static struct test_kernel k[ALL];
static pa_t places[ALL], states[ALL], frames[ALL];
static oid_t space[ALL][PLACES], thread[ALL][STATES];
static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

// ---- whose objects a load evicts --------------------------------------------------------------------------

static struct loaded {                 // an object that is loaded before the call
    oid_t id;
    const struct appkernel *owner;
    pa_t  place;                       // where its reason will be
} loaded[64];
static unsigned loaded_count;
static uint64_t spared, own_victims;   // while another kernel was sure of what it had; of a kernel at its maximum

static const struct appkernel *owner_at(struct cache *c, uint32_t slot, pa_t *place)
{
    const struct object *o = cache_at(c, slot);

    *place = o->type == OBJECT_THREAD ? ((const struct thread *)o)->state_pa : ((const struct space *)o)->place_pa;
    return o->type == OBJECT_THREAD ? ((const struct thread *)o)->owner : ((const struct space *)o)->owner;
}

static struct cache *cache_of(uint64_t number)
{
    struct instance *in = host_instance();

    return number == SYS_space_load ? &in->spaces : number == SYS_thread_load ? &in->threads : NULL;
}

static void victims_note(uint64_t number)
{
    struct cache *c = cache_of(number);

    loaded_count = 0;
    for (uint32_t i = 0; c != NULL && i < c->size; i++) {
        struct loaded *l = &loaded[loaded_count];
        const struct object *o = cache_at(c, i);
        if (o->state == OBJECT_LOADED) {
            l->owner = owner_at(c, i, &l->place);
            l->id = o->id;
            loaded_count++;
        }
    }
}

static uint32_t reason_of(struct cache *c, const struct loaded *l)
{
    const struct object *o = cache_at(c, OID_SLOT(l->id));

    if (o->state == OBJECT_UNLOADING && o->last_id == l->id) {
        return o->reason;
    }
    return c == &host_instance()->threads ? ((struct thread_state *)host_at(l->place))->reason
                                          : ((struct place *)host_at(l->place))->reason;
}

// An object that a load of another kernel's evicted was more than its kernel was sure of; one that a load of its own
// kernel's evicted was too, or the kernel was at its maximum.
static void victims_check(uint64_t number, const struct appkernel *loader, const struct kernel_limits *before)
{
    enum object_type type = number == SYS_space_load ? OBJECT_SPACE : OBJECT_THREAD;
    struct cache *c = cache_of(number);
    uint32_t held[256] = {0};

    for (unsigned i = 0; i < loaded_count; i++) {
        held[loaded[i].owner->o.slot]++;
    }
    for (unsigned i = 0; i < loaded_count; i++) {
        const struct appkernel *owner = loaded[i].owner;
        const struct kernel_range *r = &before[owner->o.slot].range[type];
        if (cache_find(c, loaded[i].id) != NULL || owner->o.state != OBJECT_LOADED ||
            reason_of(c, &loaded[i]) != REASON_EVICTED) {
            continue;
        }
        bool full = owner == loader && held[owner->o.slot] >= r->most;
        assert_true(held[owner->o.slot] > r->least || full);
        own_victims += full;
        for (uint32_t j = 0; j < host_instance()->kernels.size; j++) {
            uint32_t least = before[j].range[type].least;
            spared += j != owner->o.slot && least > 0 && held[j] > 0 && held[j] <= least;
        }
    }
}

// ---- calls ------------------------------------------------------------------------------------------------

// One execution of the call: no restart is followed, so that other calls come between.
static bool once(unsigned n, uint64_t number, const uint64_t a[6], uint64_t *value)
{
    struct instance *in = host_instance();
    struct cpu *cpu = host_enter(n);
    const struct appkernel *loader = cpu->thread->kern;
    struct kernel_limits before[8];
    uint32_t mappings[8];

    for (uint32_t i = 0; i < in->kernels.size; i++) {
        before[i] = kernel_at(in, i)->limits;
        mappings[i] = kernel_at(in, i)->held[OBJECT_MAPPING];
    }
    victims_note(number);
    uint64_t tables = in->stats->free_tables;
    bool done = host_call_once(n, number, a);
    victims_check(number, loader, before);
    for (uint32_t i = 0; i < in->kernels.size && number == SYS_mapping_load && tables > 3; i++) {
        const struct appkernel *other = kernel_at(in, i);
        uint32_t least = before[i].range[OBJECT_MAPPING].least;
        uint32_t keeps = mappings[i] < least ? mappings[i] : least;
        assert_true(other == loader || other->held[OBJECT_MAPPING] >= keeps);
        assert_true(other != loader || other->held[OBJECT_MAPPING] <= mappings[i] ||
                    other->held[OBJECT_MAPPING] <= before[i].range[OBJECT_MAPPING].most);
    }
    host_check();
    *value = cpu->frame->rdx;
    return done && cpu->frame->rax == ERR_OK;
}

static bool load(unsigned n, uint64_t number, const void *desc, size_t size, oid_t *id)
{
    uint64_t a[6] = {n == 0 ? ABI_WINDOW + k[0].memory : TEST_AT};

    memcpy(host_at(k[n].memory), desc, size);
    return once(n, number, a, id);
}

static void load_space(unsigned n)
{
    unsigned i = draw(PLACES);
    struct space_desc d = {.rule = TRAP_FORWARD, .place = places[n] + i * (pa_t)ABI_PAGE};

    if (((struct place *)host_at(d.place))->loaded == 0) {
        (void)load(n, SYS_space_load, &d, sizeof(d), &space[n][i]);
    }
}

static void load_thread(unsigned n)
{
    unsigned i = draw(STATES);
    pa_t page = states[n] + i * (pa_t)ABI_PAGE;
    struct thread_state *s = host_at(page);
    struct thread_desc d = {.space = space[n][draw(PLACES)], .priority = draw(3), .state = page,
                            .state_va = ABI_WINDOW + page, .xstack = ABI_WINDOW + page, .affinity = 1ull << n};

    if (s->loaded == 0) {
        s->frame[0].rip = HOST_TEXT;
        s->depth = draw(2);
        d.space = draw(2) ? d.space : k[n].space;
        (void)load(n, SYS_thread_load, &d, sizeof(d), &thread[n][i]);
    }
}

static void change_limits(void)
{
    const struct instance *in = host_instance();
    unsigned n = 1 + draw(2);
    struct kernel_limits l = {.max_priority = 20};
    uint64_t a[6] = {k[n].id, ABI_WINDOW + k[0].memory}, none;
    uint32_t floor[] = {0, 0, 1, 2, 16 * in->cpus}, width[] = {0, 0, in->spaces.size, in->threads.size, in->nrecords};

    for (unsigned type = OBJECT_SPACE; type <= OBJECT_MAPPING; type++) {
        uint32_t least = draw(2) ? draw(width[type] / 2) : 0;
        l.range[type] = (struct kernel_range){least, draw(2) ? 0 : floor[type] + least + draw(4)};
    }
    memcpy(host_at(k[0].memory), &l, sizeof(l));
    (void)once(0, SYS_kernel_limits, a, &none);
}

static void step(unsigned n)
{
    uint64_t none, what = draw(20);
    uint64_t map[6] = {draw(2) ? k[n].space : space[n][draw(PLACES)], 0x900000 + draw(FRAMES) * (va_t)ABI_PAGE,
                       frames[n] + draw(FRAMES) * (pa_t)ABI_PAGE, MAP_READ};

    if (what < 6) {
        load_space(n);
    } else if (what < 12) {
        load_thread(n);
    } else if (what < 18) {
        (void)once(n, SYS_mapping_load, map, &none);
    } else if (what == 18) {
        uint64_t a[6] = {space[n][draw(PLACES)]};
        (void)once(n, SYS_space_unload, a, &none);
    } else {
        uint64_t a[6] = {thread[n][draw(STATES)]};
        if (a[0] != 0) {                       // that would be the caller
            (void)once(n, SYS_thread_unload, a, &none);
        }
    }
}

static void run(const char *cmdline)
{
    struct kernel_limits l[ALL] = {{0}, {.max_priority = 20}, {.max_priority = 20}};

    kernels_boot(cmdline, k, ALL, l);
    memset(space, 0, sizeof(space));
    memset(thread, 0, sizeof(thread));
    for (unsigned n = 0; n < ALL; n++) {
        places[n] = kernel_pages(&k[n], PLACES);
        states[n] = kernel_pages(&k[n], STATES);
        frames[n] = kernel_pages(&k[n], FRAMES);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        step(draw(ALL));
        if (draw(40) == 0) {
            change_limits();
        }
        if (draw(8) == 0) {
            host_advance(draw(400));
            host_check();
        }
    }
    const struct system_stats *s = host_instance()->stats;
    printf("%s: loads %lu %lu %lu, writebacks %lu %lu %lu, again %lu\n", cmdline,
           (unsigned long)s->loads[OBJECT_SPACE], (unsigned long)s->loads[OBJECT_THREAD],
           (unsigned long)s->loads[OBJECT_MAPPING], (unsigned long)s->writebacks[OBJECT_SPACE],
           (unsigned long)s->writebacks[OBJECT_THREAD], (unsigned long)s->writebacks[OBJECT_MAPPING],
           (unsigned long)s->again);
    host_shutdown();
}

static void test_random(void **unused)
{
    const char *given = getenv("QUOIN_SEED");
    uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 0), count = given == NULL ? 5 : 1;

    (void)unused;
    for (uint64_t s = first; s < first + count; s++) {
        printf("seed %lu\n", (unsigned long)s);
        fflush(stdout);
        seed = s;
        run("kernels=4 spaces=9 threads=12 mappings=128 slice=300");
        run("kernels=3 spaces=20 threads=24 mappings=192 slice=100");
    }
    printf("%lu victims while another kernel was spared, %lu at a maximum\n", (unsigned long)spared,
           (unsigned long)own_victims);
    assert_true(spared > 100 && own_victims > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests_name("victims", tests, NULL, NULL);
}
