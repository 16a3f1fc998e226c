// test_steps.c - what one entry of the supervisor does is bounded: unloads counted between entry and exit, with full
// buckets of the physical-to-virtual map, and with spaces and kernels that have hundreds of threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <abi/activation.h>
#include <abi/syscalls.h>

#include "pmap.h"
#include "two_kernels.h"

enum {
    THREADS = 200, FRAMES = 4, AT = 0x40000000,
    MOST_THREADS = 40,                   // of one entry
    MOST_MAPPINGS = 64,
    MOST_CROWDED = 45,                   // when searches go along up to 128 records
    MOST_ENTRIES = 1024,                 // of page tables, looked at
};

static struct test_kernel k[2];
static uint64_t most[OBJECT_MAPPING + 1];    // unloaded by one entry
static uint64_t farthest;                    // that R9 got on in one entry
static unsigned steps;

static void boot(void)
{
    const struct kernel_limits limits[2] = {{0}, {.max_priority = 20, .locked_spaces = 1, .locked_threads = 1,
                                                  .locked_mappings = 4}};

    kernels_boot("", k, 2, limits);
}

static void note(const uint64_t before[OBJECT_MAPPING + 1])
{
    for (unsigned type = 0; type <= OBJECT_MAPPING; type++) {
        uint64_t n = host_instance()->stats->unloads[type] - before[type];
        most[type] = n > most[type] ? n : most[type];
    }
    host_check();
}

// A call, entry by entry, and the interrupts between.
static int64_t call(struct test_kernel *by, uint64_t number, const uint64_t a[6], uint64_t *value)
{
    uint64_t args[6], before[OBJECT_MAPPING + 1];
    const struct system_stats *stats = host_instance()->stats;
    struct frame *f = host_enter(by->cpu)->frame;

    memcpy(args, a, sizeof(args));
    memset(most, 0, sizeof(most));
    farthest = steps = 0;
    for (bool done = false; !done;) {
        assert_ptr_equal(host_enter(by->cpu)->frame, f);
        memcpy(before, stats->unloads, sizeof(before));
        done = host_call_once(by->cpu, number, args);
        note(before);
        steps++;
        if (f->r9 - args[5] > farthest && args[5] != 0 && f->r9 > args[5]) {
            farthest = f->r9 - args[5];
        }
        args[4] = f->r8;
        args[5] = f->r9;
        for (uint32_t i = 0; i < host.cpus && !done; i++) {
            memcpy(before, stats->unloads, sizeof(before));
            host_deliver(i);
            note(before);
        }
    }
    if (value != NULL) {
        *value = f->rdx;
    }
    return (int64_t)f->rax;
}

static oid_t space_of(struct test_kernel *owner)
{
    struct space_desc s = {.rule = TRAP_FORWARD, .place = kernel_pages(owner, 1)};
    oid_t id;

    assert_int_equal(kernel_load(owner, SYS_space_load, &s, sizeof(s), &id), ERR_OK);
    return id;
}

static void threads_of(struct test_kernel *owner, oid_t space)
{
    oid_t id;

    for (unsigned i = 0; i < THREADS; i++) {
        pa_t state = kernel_pages(owner, 1);
        struct thread_desc t = {.priority = 3, .space = space, .state = state, .state_va = ABI_WINDOW + state,
                                .xstack = ABI_WINDOW + state + ABI_PAGE, .affinity = 1ull << owner->cpu};
        ((struct thread_state *)host_at(state))->frame[0].rip = HOST_TEXT;
        assert_int_equal(kernel_load(owner, SYS_thread_load, &t, sizeof(t), &id), ERR_OK);
    }
}

// FRAMES frames, each mapped PMAP_WAYS times; the oldest mappings, which are searched for longest, come first.
static pa_t crowds_of(struct test_kernel *owner, oid_t space)
{
    pa_t frames = kernel_pages(owner, FRAMES);

    for (unsigned i = 0; i < FRAMES * PMAP_WAYS; i++) {
        uint64_t a[6] = {space, AT + i * ABI_PAGE, frames + i / PMAP_WAYS * ABI_PAGE, MAP_READ};
        assert_int_equal(host_call(owner->cpu, SYS_mapping_load, a, NULL), ERR_OK);
    }
    host_check();
    return frames;
}

// A space of activations that runs, on the owner's processor; the area ends one page behind where a group begins.
static pa_t area_of(struct test_kernel *owner, uint64_t group)
{
    enum { ACTIVATIONS = 3, SLOTS = 8 };
    uint64_t size = area_size(ACTIVATIONS, SLOTS);
    pa_t area = (group << ABI_GROUP_SHIFT) + ABI_PAGE - size;
    struct space_desc s = {.rule = TRAP_NATIVE, .place = kernel_pages(owner, 1), .schedule = SCHEDULE_ACTIVATIONS,
                           .priority = 5, .activations = ACTIVATIONS, .slots = SLOTS, .area = area,
                           .area_va = AT, .upcall = HOST_TEXT};
    struct thread_desc t = {.priority = 5, .affinity = 1ull << owner->cpu};
    struct space_user_page *u = host_at(area + ABI_PAGE);
    struct upcall_slot *slot = host_at(area + area_slots(ACTIVATIONS));
    oid_t id;

    memset(host_at(area), 0, size);
    for (uint32_t i = 0; i < SLOTS; i++) {
        u->slot[i] = i;
        slot[i].stack = AT;
    }
    u->slots_given = SLOTS;
    u->wanted = 1;
    assert_int_equal(kernel_load(owner, SYS_space_load, &s, sizeof(s), &t.space), ERR_OK);
    for (t.activation = 0; t.activation < ACTIVATIONS; t.activation++) {
        t.state = kernel_pages(owner, 2);
        t.state_va = ABI_WINDOW + t.state;
        t.xstack = t.state_va + ABI_PAGE;
        ((struct thread_state *)host_at(t.state))->run = RUN_FRESH;
        assert_int_equal(kernel_load(owner, SYS_thread_load, &t, sizeof(t), &id), ERR_OK);
    }
    uint64_t a[6] = {0};
    assert_int_equal(host_call(owner->cpu, SYS_wait, a, NULL), -1);
    host_deliver_all();
    const struct thread *runs = host_instance()->cpu[owner->cpu].thread;
    assert_true(runs != NULL && runs->home != NULL);
    return area;
}

// ---- threads ----------------------------------------------------------------------------------------------

static void test_space_unload(void **state)
{
    (void)state;
    boot();
    oid_t space = space_of(&k[0]);
    threads_of(&k[0], space);
    (void)crowds_of(&k[0], space);
    uint64_t a[6] = {space}, threads = host_instance()->stats->unloads[OBJECT_THREAD];
    assert_int_equal(call(&k[0], SYS_space_unload, a, NULL), ERR_OK);
    assert_int_equal(host_instance()->stats->unloads[OBJECT_THREAD] - threads, THREADS);
    assert_in_range(most[OBJECT_THREAD], 1, MOST_THREADS);
    assert_in_range(most[OBJECT_MAPPING], 1, MOST_MAPPINGS);
    assert_in_range(steps, THREADS / MOST_THREADS, 3 * THREADS);
    host_shutdown();
}

static void test_kernel_unload(void **state)
{
    (void)state;
    boot();
    oid_t space = space_of(&k[1]);
    threads_of(&k[1], space);
    (void)crowds_of(&k[1], space);
    uint64_t a[6] = {k[1].id}, threads = host_instance()->stats->unloads[OBJECT_THREAD];
    assert_int_equal(call(&k[0], SYS_kernel_unload, a, NULL), ERR_OK);
    assert_int_equal(host_instance()->stats->unloads[OBJECT_THREAD] - threads, THREADS + 1);
    assert_in_range(most[OBJECT_THREAD], 1, MOST_THREADS);
    assert_in_range(most[OBJECT_MAPPING], 1, MOST_MAPPINGS);
    assert_null(kernel_find(host_instance(), k[1].id));
    host_shutdown();
}

// Their state pages go: all of them are written back.
static void test_grant_places(void **state)
{
    (void)state;
    boot();
    threads_of(&k[1], space_of(&k[1]));
    uint64_t a[6] = {k[1].id, k[1].memory >> ABI_GROUP_SHIFT, ABI_LARGE / ABI_GROUP, GROUP_READ};
    assert_int_equal(call(&k[0], SYS_kernel_grant, a, NULL), ERR_OK);
    assert_in_range(most[OBJECT_THREAD], 1, MOST_THREADS);
    assert_int_equal(kernel_find(host_instance(), k[1].id)->held[OBJECT_THREAD], 0);
    host_shutdown();
}

// The last page of a running space's area goes, or all but that one: the space and its activations are written back
// before the call is done, and nothing is written there any more, whatever comes.
static void test_grant_area(void **state)
{
    uint64_t group;
    uint32_t size;

    (void)state;
    for (unsigned less = 0; less < 2; less++) {
        boot();
        group = (k[1].memory >> ABI_GROUP_SHIFT) + 3;
        pa_t area = area_of(&k[1], group);
        uint8_t *all = host_at(area);
        size = (uint32_t)((group << ABI_GROUP_SHIFT) + ABI_PAGE - area);
        uint64_t a[6] = {k[1].id, group - less, 1, less ? GROUP_NONE : GROUP_READ}, b[6] = {k[1].thread};
        assert_int_equal(call(&k[0], SYS_kernel_grant, a, NULL), ERR_OK);
        memset(all, 0xa5, size);
        assert_int_equal(host_instance()->nclaimants, 0);
        assert_int_equal(kernel_find(host_instance(), k[1].id)->held[OBJECT_THREAD], 0);
        assert_int_equal(kernel_find(host_instance(), k[1].id)->held[OBJECT_SPACE], 0);
        assert_int_equal(call(&k[0], SYS_signal, b, NULL), ERR_OK);
        for (unsigned i = 0; i < 8; i++) {
            host_advance(host_instance()->slice);
            host_deliver_all();
            host_check();
        }
        for (uint32_t i = 0; i < size; i++) {
            assert_int_equal(all[i], 0xa5);
        }
        host_shutdown();
    }
}

// ---- mappings ---------------------------------------------------------------------------------------------

static void test_ranges(void **state)
{
    (void)state;
    boot();
    oid_t space = space_of(&k[0]);
    (void)crowds_of(&k[0], space);
    uint64_t a[6] = {space, AT, FRAMES * PMAP_WAYS * ABI_PAGE, MAP_READ}, value;
    assert_int_equal(call(&k[0], SYS_mapping_protect, a, &value), ERR_OK);
    assert_int_equal(value, 0);
    assert_in_range(farthest, ABI_PAGE, MOST_CROWDED * ABI_PAGE);
    assert_int_equal(call(&k[0], SYS_mapping_unload, a, &value), ERR_OK);
    assert_int_equal(value, FRAMES * PMAP_WAYS);
    assert_in_range(most[OBJECT_MAPPING], 1, MOST_CROWDED);
    host_shutdown();
}

// One mapping at the begin of each table, and 511 entries that are only looked at.
static void test_empty_entries(void **state)
{
    (void)state;
    boot();
    oid_t space = space_of(&k[0]);
    pa_t frame = kernel_pages(&k[0], 1);
    for (unsigned i = 0; i < 16; i++) {
        uint64_t a[6] = {space, AT + i * ABI_LARGE, frame, MAP_READ};
        assert_int_equal(kernel_call(&k[0], SYS_mapping_load, a, NULL), ERR_OK);
    }
    uint64_t a[6] = {space, AT, 16 * ABI_LARGE, MAP_READ}, value;
    assert_int_equal(call(&k[0], SYS_mapping_protect, a, &value), ERR_OK);
    assert_in_range(farthest, ABI_PAGE, MOST_ENTRIES * ABI_PAGE);
    host_shutdown();
}

// Each entry of a batch replaces a mapping that is searched for long.
static void test_batch(void **state)
{
    (void)state;
    boot();
    oid_t space = space_of(&k[0]);
    pa_t frames = crowds_of(&k[0], space), other = kernel_pages(&k[0], 1), page = kernel_pages(&k[0], 1);
    struct map_entry *entry = host_at(page);
    for (unsigned i = 0; i < MAP_BATCH; i++) {
        entry[i] = (struct map_entry){AT + i * ABI_PAGE, other, MAP_READ};
    }
    uint64_t a[6] = {space, ABI_WINDOW + page, MAP_BATCH}, value;
    uint64_t loads = host_instance()->stats->loads[OBJECT_MAPPING];
    assert_int_equal(call(&k[0], SYS_mapping_load_batch, a, &value), ERR_OK);
    assert_int_equal(value, MAP_BATCH);
    assert_int_equal(host_instance()->stats->loads[OBJECT_MAPPING] - loads, MAP_BATCH);
    assert_in_range(most[OBJECT_MAPPING], 1, MOST_CROWDED);
    for (unsigned i = 0; i < 2 * MAP_BATCH; i++) {
        struct space *s = space_find(host_instance(), space);
        assert_non_null(pmap_find(host_instance(), (i < MAP_BATCH ? other : frames) >> ABI_PAGE_SHIFT, s->o.slot,
                                  AT / ABI_PAGE + i));
    }
    // One that is wrong, far behind in it: those before it count, whatever step loaded them.
    for (unsigned i = 0; i < MAP_BATCH; i++) {
        entry[i] = (struct map_entry){AT + (PMAP_WAYS + i) * ABI_PAGE, other + (i == 60), MAP_READ};
    }
    assert_int_equal(call(&k[0], SYS_mapping_load_batch, a, &value), ERR_INVAL);
    assert_int_equal(value, 60);
    assert_true(steps > 2);
    a[5] = MAP_BATCH + 3;                    // a register that says nonsense is not believed
    assert_int_equal(call(&k[0], SYS_mapping_load_batch, a, &value), ERR_INVAL);
    assert_int_equal(value, 60);
    host_shutdown();
}

static void test_grant(void **state)
{
    (void)state;
    boot();
    oid_t space = space_of(&k[1]);
    pa_t frames = crowds_of(&k[1], space);
    uint64_t a[6] = {k[1].id, frames >> ABI_GROUP_SHIFT, 1, GROUP_NONE};
    uint64_t unloads = host_instance()->stats->unloads[OBJECT_MAPPING];
    assert_int_equal(call(&k[0], SYS_kernel_grant, a, NULL), ERR_OK);
    assert_true(host_instance()->stats->unloads[OBJECT_MAPPING] - unloads >= FRAMES * PMAP_WAYS);
    assert_in_range(most[OBJECT_MAPPING], 1, MOST_MAPPINGS);
    host_shutdown();
}

// A grant that nobody carries on is finished by the next one.
static void test_grant_left(void **state)
{
    (void)state;
    boot();
    oid_t space = space_of(&k[1]);
    pa_t frames = crowds_of(&k[1], space);
    uint64_t group = frames >> ABI_GROUP_SHIFT;
    struct appkernel *kernel = kernel_find(host_instance(), k[1].id);
    uint64_t wide[6] = {k[1].id, group + 1, 1, GROUP_READ}, none[6] = {k[1].id, group, 1, GROUP_NONE};
    assert_false(host_call_once(0, SYS_kernel_grant, none));
    host_check();
    assert_int_equal(call(&k[0], SYS_kernel_grant, wide, NULL), ERR_OK);
    assert_int_equal(kernel->grant_key, 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        uint64_t pfn = (frames >> ABI_PAGE_SHIFT) + i;
        assert_null(pmap_frame_first(host_instance(), pfn));
    }
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space_unload), cmocka_unit_test(test_kernel_unload), cmocka_unit_test(test_grant_places),
        cmocka_unit_test(test_ranges),       cmocka_unit_test(test_empty_entries), cmocka_unit_test(test_batch),
        cmocka_unit_test(test_grant),        cmocka_unit_test(test_grant_left),    cmocka_unit_test(test_grant_area),
    };
    return cmocka_run_group_tests_name("kernel_steps", tests, NULL, NULL);
}
