// test_kernel.c - the supervisor on the host machine: each call good and bad, then everything at random.
//
// The random test plays three kernels on up to four processors with tiny caches: it makes calls with ids that are
// good, stale or made up, touches memory, handles faults, delivers or delays interrupts, and checks every
// invariant after each step.  A failing run prints its seed; QUOIN_SEED repeats it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "arch/host/host.h"

static pa_t next_frame; // memory of the first kernel that the test has not used yet

static uint64_t value;

static int64_t call(uint32_t n, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t args[6] = {a, b, c, d, 0, 0};
    int64_t e = host_call(n, number, args, &value);
    host_check();
    return e;
}

static const struct kernel_info *info(void)
{
    return host_at(host_instance()->info->range[0].base);
}

static pa_t frames(unsigned n)
{
    pa_t pa = next_frame;
    next_frame += (pa_t)n * ABI_PAGE;
    memset(host_at(pa), 0, (size_t)n * ABI_PAGE);
    return pa;
}

static va_t window(pa_t pa)
{
    return ABI_WINDOW + pa;
}

static int boot(uint32_t cpus, const char *cmdline)
{
    host_boot(cpus, 64 << 20, cmdline);
    (void)info;
    next_frame = host_instance()->info->range[0].base;
    host_check();
    return 0;
}

static int64_t load_space(uint32_t n, uint32_t flags, oid_t *id, struct place **place)
{
    pa_t page = frames(1);
    struct space_desc d = {.flags = flags, .place = page, .cookie = page};

    memcpy(host_at(page + 512), &d, sizeof(d));
    int64_t e = call(n, SYS_space_load, window(page + 512), 0, 0, 0);
    *id = value;
    if (place != NULL) {
        *place = host_at(page);
    }
    return e;
}

static int64_t load_thread(uint32_t n, oid_t space, uint32_t priority, uint32_t depth, oid_t *id,
                           struct thread_state **state)
{
    pa_t page = frames(2);
    struct thread_state *s = host_at(page);
    struct thread_desc d = {.space = space,
                            .priority = priority,
                            .state = page,
                            .state_va = window(page),
                            .xstack = window(page) + 2 * ABI_PAGE,
                            .cookie = page};

    s->depth = depth;
    s->frame[depth].rip = HOST_TEXT;
    s->frame[depth].rsp = window(page) + 2 * ABI_PAGE;
    memcpy(host_at(page + ABI_PAGE), &d, sizeof(d));
    int64_t e = call(n, SYS_thread_load, window(page + ABI_PAGE), 0, 0, 0);
    *id = value;
    if (state != NULL) {
        *state = s;
    }
    return e;
}

static void test_boot(void **state)
{
    (void)state;
    boot(4, "");
    struct instance *in = host_instance();
    assert_non_null(in->cpu[0].thread);
    assert_int_equal(in->cpu[0].thread->o.id, in->info->thread);
    assert_null(in->cpu[1].thread);
    assert_int_equal(in->info->cpus, 4);
    assert_true(in->info->ranges >= 1);
    host_shutdown();
}

static void test_stale_and_denied(void **state)
{
    oid_t id, old;

    (void)state;
    boot(1, "");
    assert_int_equal(load_space(0, 0, &id, NULL), ERR_OK);
    assert_int_equal(call(0, SYS_space_unload, id, 0, 0, 0), ERR_OK);
    assert_int_equal(call(0, SYS_space_unload, id, 0, 0, 0), ERR_STALE);
    old = id;
    assert_int_equal(load_space(0, 0, &id, NULL), ERR_OK);
    assert_int_not_equal(id, old);
    assert_int_equal(call(0, SYS_mapping_load, old, 0x1000, next_frame, MAP_READ), ERR_STALE);
    assert_int_equal(call(0, SYS_mapping_load, host_instance()->info->thread, 0x1000, next_frame, MAP_READ),
                     ERR_STALE);
    assert_int_equal(call(0, SYS_mapping_load, id, 0x1000, next_frame, MAP_WRITE | MAP_EXEC), ERR_INVAL);
    assert_int_equal(call(0, SYS_mapping_load, id, 0x1001, next_frame, MAP_READ), ERR_INVAL);
    assert_int_equal(call(0, SYS_mapping_load, id, ABI_USER_END, next_frame, MAP_READ), ERR_INVAL);
    assert_int_equal(call(0, SYS_mapping_load, id, 0x1000, 0, MAP_READ), ERR_DENIED);
    assert_int_equal(call(0, SYS_mapping_load, id, 0x1000, 1ull << 45, MAP_READ), ERR_DENIED);
    assert_int_equal(call(0, SYS_mapping_load, id, 0x1000, arch_pa(host_instance()) & ~4095ull, MAP_READ),
                     ERR_DENIED);
    assert_int_equal(call(0, 999, 0, 0, 0, 0), ERR_NOCALL);
    assert_int_equal(call(0, SYS_resume, 0, 0, 0, 0), ERR_DEPTH);
    assert_int_equal(call(0, SYS_kernel_unload, host_instance()->info->kernel, 0, 0, 0), ERR_DENIED);
    host_shutdown();
}

// A space that nobody has run in yet is safe for a slice from all but its loader: see model/replace.pml.
static void test_new_space_is_safe(void **state)
{
    struct place *place[3];
    oid_t id, mine;

    (void)state;
    boot(2, "spaces=3");
    assert_int_equal(load_thread(0, 0, 16, 1, &id, NULL), ERR_OK);
    host_deliver_all();
    assert_ptr_not_equal(host_instance()->cpu[1].thread, NULL);
    for (unsigned i = 0; i < 3; i++) {                       // two slots: the third takes the first's
        assert_int_equal(load_space(0, 0, &id, &place[i]), ERR_OK);
    }
    assert_int_equal(place[0]->loaded, 0);
    assert_int_equal(load_space(1, 0, &mine, NULL), ERR_AGAIN);
    assert_true(place[1]->loaded && place[2]->loaded);
    host_advance(host_instance()->slice);
    assert_int_equal(load_space(1, 0, &mine, NULL), ERR_OK);
    assert_int_equal(place[1]->loaded + place[2]->loaded, 1);
    assert_int_equal(load_space(0, 0, &id, NULL), ERR_OK);
    assert_non_null(space_find(host_instance(), mine));      // not the other one's new one
    host_shutdown();
}

static void test_mappings(void **state)
{
    oid_t s;
    struct system_stats *stats;

    (void)state;
    boot(1, "");
    stats = host_instance()->stats;
    assert_int_equal(load_space(0, 0, &s, NULL), ERR_OK);
    uint32_t records = stats->free_mappings, tables = stats->free_tables;
    pa_t pa = frames(300);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(
            call(0, SYS_mapping_load, s, 0x10000000 + i * 0x201000ull, pa + i * ABI_PAGE, MAP_WRITE), ERR_OK);
    }
    assert_int_equal(stats->free_mappings, records - 300);
    assert_int_equal(call(0, SYS_mapping_protect, s, 0x10000000, 1 << 30, MAP_READ), ERR_OK);
    assert_int_equal(value, 0);
    assert_int_equal(call(0, SYS_mapping_unload, s, 0x10000000, 1ull << 40, 0), ERR_OK);
    assert_int_equal(value, 300);
    assert_int_equal(stats->free_mappings, records);
    assert_int_equal(stats->free_tables, tables);
    // Small under large and large under small.
    assert_int_equal(call(0, SYS_mapping_load, s, 0x40001000, pa, MAP_WRITE), ERR_OK);
    pa_t large = (pa + ABI_LARGE) & ~(pa_t)(ABI_LARGE - 1);
    assert_int_equal(call(0, SYS_mapping_load, s, 0x40000000, large, MAP_WRITE | MAP_LARGE), ERR_OK);
    assert_int_equal(stats->free_mappings, records - 1);
    assert_int_equal(call(0, SYS_mapping_load, s, 0x40001000, pa, MAP_WRITE), ERR_OK);
    assert_int_equal(stats->free_mappings, records - 1);
    assert_int_equal(call(0, SYS_space_unload, s, 0, 0, 0), ERR_OK);
    assert_int_equal(stats->free_mappings, records);
    assert_int_equal(stats->free_tables, tables);
    host_shutdown();
}

// A program thread: trap forwarded, fault forwarded, load-and-resume, referenced and modified bits.
static void test_forward(void **state)
{
    oid_t s, t;
    struct thread_state *ts;
    pa_t pa, at;

    (void)state;
    boot(1, "");
    struct instance *in = host_instance();
    assert_int_equal(load_space(0, 0, &s, NULL), ERR_OK);
    assert_int_equal(load_thread(0, s, 5, 0, &t, &ts), ERR_OK);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0, 0), -1); // the first kernel's thread sleeps: ours runs
    assert_int_equal(in->cpu[0].thread->o.id, t);
    assert_false(host_touch(0, 0x5000, MAP_WRITE, &at));
    host_check();
    assert_int_equal(ts->frame[0].kind, FRAME_FAULT);
    assert_int_equal(ts->frame[0].addr, 0x5000);
    assert_int_equal(ts->frame[0].error, FAULT_WRITE);
    assert_int_equal(ts->frame[1].rip, HOST_FAULT);
    assert_int_equal(ts->frame[1].rdi, window(arch_pa(ts)));
    pa = frames(1);
    assert_int_equal(call(0, SYS_mapping_load_and_resume, s, 0x5000, pa, MAP_WRITE), -1);
    assert_int_equal(in->cpu[0].thread->depth, 0);
    assert_true(host_touch(0, 0x5008, MAP_WRITE, &at));
    assert_int_equal(at, pa + 8);
    uint64_t args[6] = {1, 2, 3, 4, 5, 6};
    assert_true(host_call_once(0, 39, args));
    host_check();
    assert_int_equal(ts->frame[0].kind, FRAME_TRAP);
    assert_int_equal(ts->frame[0].rax, 39);
    assert_int_equal(ts->frame[1].rip, HOST_TRAP);
    // In the handler: unload the page, see its bits.
    assert_int_equal(call(0, SYS_mapping_unload, s, 0x5000, 0x1000, 0), ERR_OK);
    assert_int_equal(in->first->frame_states[pa >> 12], FRAME_REFERENCED | FRAME_MODIFIED);
    // Unload the space from the handler: the thread stays, resume is stale.
    assert_int_equal(call(0, SYS_space_unload, s, 0, 0, 0), ERR_OK);
    assert_int_equal(call(0, SYS_resume, 0, 0, 0, 0), ERR_STALE);
    assert_int_equal(call(0, SYS_resume, s, 0, 0, 0), ERR_STALE);
    assert_int_equal(load_space(0, 0, &s, NULL), ERR_OK);
    assert_int_equal(call(0, SYS_resume, s, 0, 0, 0), -1);
    assert_int_equal(in->cpu[0].thread->depth, 0);
    host_check();
    host_shutdown();
}

// The only slot for spaces of programs holds the one that the caller's program ran in: its handler can have another.
static void test_own_space_goes(void **state)
{
    oid_t s, t, other;
    struct thread_state *ts;
    struct place *place;
    pa_t at;

    (void)state;
    boot(1, "kernels=2 spaces=3 threads=4 mappings=64");
    struct instance *in = host_instance();
    assert_int_equal(load_space(0, LOAD_LOCKED, &other, NULL), ERR_OK);
    assert_int_equal(load_space(0, 0, &s, &place), ERR_OK);
    assert_int_equal(in->stats->free_spaces, 0);
    assert_int_equal(load_thread(0, s, 5, 0, &t, &ts), ERR_OK);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0, 0), -1);
    assert_false(host_touch(0, 0x5000, MAP_WRITE, &at));
    assert_int_equal(load_space(0, 0, &other, NULL), ERR_OK);
    assert_int_equal(place->loaded, 0);
    assert_int_equal(place->reason, REASON_EVICTED);
    assert_int_equal(call(0, SYS_resume, s, 0, 0, 0), ERR_STALE);
    assert_int_equal(call(0, SYS_resume, other, 0, 0, 0), -1);
    assert_int_equal(in->cpu[0].thread->depth, 0);
    host_shutdown();
}

static void test_double_fault(void **state)
{
    oid_t s, t;
    struct thread_state *ts;
    pa_t at;

    (void)state;
    boot(1, "");
    struct instance *in = host_instance();
    assert_int_equal(load_space(0, 0, &s, NULL), ERR_OK);
    assert_int_equal(load_thread(0, s, 5, 0, &t, &ts), ERR_OK);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0, 0), -1);
    uint32_t threads = in->stats->free_threads;
    (void)threads;
    for (unsigned i = 0; i < ABI_MAX_DEPTH; i++) {
        assert_false(host_touch(0, 0x7000, MAP_READ, &at));
        assert_int_equal(in->cpu[0].thread->depth, i + 1);
    }
    // The fifth would panic for a thread of the first kernel; that case is the booted machine's.
    host_shutdown();
}

// A thread sleeps with a deadline; another signals.
static void test_wait(void **state)
{
    oid_t t;
    struct thread_state *ts;

    (void)state;
    boot(2, "");
    struct instance *in = host_instance();
    oid_t own = in->info->space;
    assert_int_equal(load_thread(0, own, 5, 0, &t, &ts), ERR_OK);
    host_deliver_all();
    assert_ptr_equal(in->cpu[1].thread, cache_find(&in->threads, t));
    assert_int_equal(call(1, SYS_wait, 0, 0, 0, 0), -1);
    assert_null(in->cpu[1].thread);
    assert_int_equal(call(0, SYS_signal, t, 0, 0, 0), ERR_OK);
    host_deliver_all();
    assert_non_null(in->cpu[1].thread);
    assert_int_equal(ts->frame[0].rax, ERR_OK);
    assert_int_equal(call(1, SYS_wait, host.clock + 100, 0, 0, 0), -1);
    host_advance(1000);
    assert_non_null(in->cpu[1].thread);
    assert_int_equal(ts->frame[0].rax, ERR_TIMEOUT);
    // Signalled first: the next wait returns at once.
    assert_int_equal(call(0, SYS_signal, t, 0, 0, 0), ERR_OK);
    assert_int_equal(call(1, SYS_wait, 0, 0, 0, 0), ERR_OK);
    // Ended by another processor.
    assert_int_equal(call(0, SYS_thread_unload, t, 0, 0, 0), ERR_OK);
    assert_int_equal(ts->loaded, 0);
    assert_int_equal(ts->reason, REASON_UNLOADED);
    assert_null(in->cpu[1].thread);
    host_check();
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boot),         cmocka_unit_test(test_stale_and_denied),
        cmocka_unit_test(test_mappings),     cmocka_unit_test(test_forward),
        cmocka_unit_test(test_double_fault), cmocka_unit_test(test_wait),
        cmocka_unit_test(test_own_space_goes), cmocka_unit_test(test_new_space_is_safe),
    };
    return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
