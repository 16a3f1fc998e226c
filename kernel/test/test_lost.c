// test_lost.c - consistency faults on the host machine: remote mappings, and memory that fails.
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

enum { AT = 0x5000, OTHER = 0x9000, OWN = 0x10000000, VECTOR_MACHINE_CHECK = 18 };
enum { REMOTE = FAULT_PRESENT | FAULT_CONSISTENCY, LOST = REMOTE | FAULT_LOST };

static pa_t next_frame, frame;
static uint64_t value;
static oid_t program;
static struct thread_state *state_of[4];               // of the program's thread on each processor

static int64_t call5(uint32_t n, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t f)
{
    const uint64_t args[6] = {a, b, c, d, 0, f};
    int64_t result = host_call(n, number, args, &value);
    host_check();
    return result;
}

static int64_t call(uint32_t n, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return call5(n, number, a, b, c, d, 0);
}

static pa_t frames(unsigned n)
{
    pa_t pa = next_frame;
    next_frame += (pa_t)n * ABI_PAGE;
    memset(host_at(pa), 0, (size_t)n * ABI_PAGE);
    return pa;
}

static oid_t space_make(void)
{
    pa_t page = frames(1);
    struct space_desc s = {.rule = TRAP_FORWARD, .place = page};

    memcpy(host_at(page + 512), &s, sizeof(s));
    assert_int_equal(call(0, SYS_space_load, ABI_WINDOW + page + 512, 0, 0, 0), ERR_OK);
    return value;
}

// A program thread on each of the last processors; processor 0 stays the first kernel's.
static struct instance *boot(uint32_t cpus, const char *cmdline)
{
    host_boot(cpus, 64 << 20, cmdline);
    next_frame = host_instance()->info->range[0].base;
    frame = frames(1);
    program = space_make();
    for (uint32_t n = 1; n < cpus; n++) {
        pa_t state = frames(2);
        struct thread_desc d = {.space = program, .priority = 5, .state = state, .state_va = ABI_WINDOW + state,
                                .xstack = ABI_WINDOW + state + 2 * ABI_PAGE, .affinity = 1ull << n};
        state_of[n] = host_at(state);
        state_of[n]->frame[0].rip = HOST_TEXT;
        memcpy(host_at(state + ABI_PAGE), &d, sizeof(d));
        assert_int_equal(call(0, SYS_thread_load, ABI_WINDOW + state + ABI_PAGE, 0, 0, 0), ERR_OK);
        host_deliver_all();
    }
    return host_instance();
}

static int64_t map(oid_t space, va_t va, pa_t pa, uint64_t flags)
{
    return call(0, SYS_mapping_load, space, va, pa, flags);
}

static bool touch(uint32_t n, va_t va, uint32_t access, pa_t *pa)
{
    bool done = host_touch(n, va, access, pa);
    host_deliver_all();
    host_check();
    return done;
}

// The program on n touches, and its owner is told with this error; then it is where it was.
static void assert_fault(uint32_t n, va_t va, uint32_t access, uint64_t error)
{
    const struct frame *f = &state_of[n]->frame[0];
    pa_t pa;

    assert_false(touch(n, va, access, &pa));
    assert_int_equal(host_instance()->cpu[n].thread->depth, 1);
    assert_int_equal(f->kind, FRAME_FAULT);
    assert_int_equal(f->addr, va);
    assert_int_equal(f->error, error);
    assert_int_equal(call(n, SYS_resume, program, 0, 0, 0), -1);
}

static uint8_t bits_of(pa_t pa)
{
    return host_instance()->first->frame_states[pa >> ABI_PAGE_SHIFT];
}

// ---- remote -------------------------------------------------------------------------------------------------

static void test_remote(void **state)
{
    pa_t pa;

    (void)state;
    struct instance *in = boot(3, "");
    assert_int_equal(map(program, AT, frame, MAP_WRITE | MAP_REMOTE), ERR_OK);
    uint32_t free_mappings = in->stats->free_mappings;
    assert_fault(1, AT + 8, MAP_READ, REMOTE);
    assert_fault(2, AT, MAP_WRITE, REMOTE | FAULT_WRITE);
    assert_fault(1, AT, MAP_EXEC, REMOTE | FAULT_EXEC);
    assert_fault(1, OTHER, MAP_READ, 0);                               // no mapping at all
    // The owner has fetched it.
    assert_false(touch(1, AT + 16, MAP_WRITE, &pa));
    assert_int_equal(call(1, SYS_mapping_load_and_resume, program, AT, frame, MAP_WRITE), -1);
    assert_true(touch(1, AT + 16, MAP_WRITE, &pa));
    assert_int_equal(pa, frame + 16);
    assert_true(touch(2, AT, MAP_READ, &pa));
    assert_int_equal(in->stats->free_mappings, free_mappings);         // in place
    // It goes away again: all processors forget it, and what was written is told.
    assert_false(bits_of(frame) & FRAME_MODIFIED);
    assert_int_equal(map(program, AT, frame, MAP_WRITE | MAP_REMOTE), ERR_OK);
    assert_true(bits_of(frame) & FRAME_MODIFIED);
    assert_false(bits_of(frame) & FRAME_LOST);
    assert_fault(1, AT, MAP_READ, REMOTE);
    assert_fault(2, AT, MAP_READ, REMOTE);
    assert_int_equal(in->stats->free_mappings, free_mappings);
    // Lowered it stays what it is; a write to a page that is only read-only is none of this.
    assert_int_equal(call(0, SYS_mapping_protect, program, AT, ABI_PAGE, MAP_READ), ERR_OK);
    assert_fault(2, AT, MAP_READ, REMOTE);
    assert_int_equal(map(program, OTHER, frame, MAP_READ), ERR_OK);
    assert_fault(2, OTHER, MAP_WRITE, FAULT_PRESENT | FAULT_WRITE);
    assert_int_equal(call(0, SYS_mapping_unload, program, AT, ABI_PAGE, 0), ERR_OK);
    assert_int_equal(value, 1);
    assert_fault(2, AT, MAP_READ, 0);
    host_shutdown();
}

// A call's argument there is the same fault.
static void test_calls(void **state)
{
    (void)state;
    struct instance *in = boot(1, "");
    struct thread_state *s = in->cpu[0].thread->state;
    oid_t own = in->info->space;
    uint64_t receivers;

    assert_int_equal(map(own, OWN, frame, MAP_READ | MAP_REMOTE), ERR_OK);
    assert_int_equal(call(0, SYS_space_load, OWN + 512, 0, 0, 0), -1);
    assert_int_equal(s->frame[0].error, REMOTE);
    assert_int_equal(s->frame[0].addr, OWN + 512);
    assert_int_equal(call(0, SYS_resume, 0, 0, 0, 0), -1);
    assert_int_equal(map(own, OWN, frame, MAP_WRITE | MAP_MESSAGE | MAP_REMOTE), ERR_OK);
    for (unsigned way = 0; way < 2; way++) {                           // signal_wait tries a short way first
        assert_int_equal(call(0, way == 0 ? SYS_signal_at : SYS_signal_wait, OWN + 64, 0, 0, 0), -1);
        assert_int_equal(s->frame[0].error, REMOTE | FAULT_WRITE);
        assert_int_equal(call(0, SYS_resume, 0, 0, 0, 0), -1);
    }
    assert_int_equal(map(own, OWN, frame, MAP_WRITE | MAP_MESSAGE), ERR_OK);
    assert_int_equal(call(0, SYS_signal_at, OWN + 64, 0, 0, 0), ERR_OK);
    receivers = value;
    assert_int_equal(receivers, 0);
    host_shutdown();
}

static void test_refused(void **state)
{
    (void)state;
    struct instance *in = boot(1, "");
    assert_int_equal(call5(0, SYS_mapping_load, program, AT, frame, MAP_WRITE | MAP_COPY | MAP_REMOTE, frame),
                     ERR_INVAL);
    assert_int_equal(map(program, AT, frame, MAP_REMOTE), ERR_INVAL);          // no access that it shall have
    assert_int_equal(map(program, AT, frame, MAP_READ | MAP_REMOTE << 1), ERR_INVAL);
    assert_int_equal(map(program, AT, frame, MAP_READ | MAP_LOST), ERR_INVAL);
    assert_int_equal(map(program, AT, arch_pa(in) & ~4095ull, MAP_WRITE | MAP_REMOTE), ERR_DENIED);
    assert_false(space_find(in, program)->remote);
    host_shutdown();
}

// Remote mappings are replaced as others are, and large and locked ones count as others do.
static void test_room(void **state)
{
    (void)state;
    struct instance *in = boot(2, "mappings=64");
    pa_t large = (frames(1) + ABI_LARGE) & ~(pa_t)(ABI_LARGE - 1), pa;

    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(map(program, OWN + i * ABI_PAGE, frame, MAP_READ | (i % 2 ? MAP_REMOTE : 0)), ERR_OK);
    }
    assert_true(in->stats->writebacks[OBJECT_MAPPING] > 30);
    assert_int_equal(map(program, ABI_LARGE, large, MAP_WRITE | MAP_LARGE | MAP_LOCKED | MAP_REMOTE), ERR_OK);
    assert_fault(1, ABI_LARGE + 5 * ABI_PAGE, MAP_READ, REMOTE);
    assert_int_equal(map(program, ABI_LARGE, large, MAP_WRITE | MAP_LARGE | MAP_LOCKED), ERR_OK);
    assert_true(touch(1, ABI_LARGE + 5 * ABI_PAGE, MAP_WRITE, &pa));
    assert_int_equal(call(0, SYS_space_unload, program, 0, 0, 0), ERR_OK);
    host_shutdown();
}

// A receiver's unload takes a sender along that is remote just now: loaded in place again, it would signal nobody.
static void test_sender(void **state)
{
    (void)state;
    struct instance *in = boot(2, "");
    const uint64_t receiver[6] = {in->info->space, OWN, frame, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, in->info->thread};

    assert_int_equal(host_call(0, SYS_mapping_load, receiver, NULL), ERR_OK);
    assert_int_equal(map(program, AT, frame, MAP_WRITE | MAP_MESSAGE | MAP_REMOTE), ERR_OK);
    assert_fault(1, AT, MAP_WRITE, REMOTE | FAULT_WRITE);
    assert_int_equal(call(0, SYS_mapping_unload, in->info->space, OWN, ABI_PAGE, 0), ERR_OK);
    assert_fault(1, AT, MAP_WRITE, FAULT_WRITE);
    host_shutdown();
}

// ---- lost ---------------------------------------------------------------------------------------------------

// Every mapping of a frame, in two spaces, one a deferred copy of it and one locked; and no other.
static void test_lost(void **state)
{
    pa_t pa;

    (void)state;
    struct instance *in = boot(3, "");
    oid_t second = space_make();
    pa_t copy = frames(1), good = frames(1);
    uint32_t free_mappings = in->stats->free_mappings;

    assert_int_equal(map(program, AT, frame, MAP_WRITE), ERR_OK);
    assert_int_equal(map(program, AT + ABI_PAGE, frame, MAP_READ | MAP_LOCKED), ERR_OK);
    assert_int_equal(call5(0, SYS_mapping_load, program, OTHER, copy, MAP_WRITE | MAP_COPY, frame), ERR_OK);
    assert_int_equal(map(second, AT, frame, MAP_READ | MAP_EXEC), ERR_OK);
    assert_int_equal(map(program, OWN, good, MAP_WRITE), ERR_OK);
    assert_true(touch(1, AT, MAP_WRITE, &pa) && touch(2, AT, MAP_READ, &pa) && touch(1, OTHER, MAP_READ, &pa));
    host_memory_lost(0, frame + 8, false, false);
    host_check();
    assert_int_equal(bits_of(frame), FRAME_REFERENCED | FRAME_MODIFIED | FRAME_LOST);
    assert_int_equal(bits_of(good), 0);
    assert_fault(1, AT, MAP_READ, LOST);
    assert_fault(2, AT + ABI_PAGE, MAP_READ, LOST);
    assert_fault(1, OTHER, MAP_WRITE, LOST | FAULT_WRITE);             // not copied from what is gone
    assert_int_equal(in->stats->copies, 0);
    assert_true(space_find(in, second)->remote);
    assert_true(touch(1, OWN, MAP_WRITE, &pa));
    assert_int_equal(call(0, SYS_mapping_protect, program, AT, ABI_PAGE, MAP_READ), ERR_OK);
    assert_fault(1, AT, MAP_READ, LOST);                               // lowered, it is lost still
    // The owner gives the program other memory.
    assert_int_equal(map(program, AT, good, MAP_WRITE), ERR_OK);
    assert_true(touch(2, AT, MAP_WRITE, &pa));
    assert_int_equal(pa, good);
    assert_int_equal(call(0, SYS_space_unload, second, 0, 0, 0), ERR_OK);
    assert_int_equal(call(0, SYS_mapping_unload, program, 0, OWN + ABI_PAGE, 0), ERR_OK);
    assert_int_equal(value, 4);
    assert_int_equal(in->stats->free_mappings, free_mappings);
    host_shutdown();
}

// A frame in the middle of large mappings: a program's is closed as a whole, the kernel's own window is not.
static void test_lost_large(void **state)
{
    pa_t pa;

    (void)state;
    struct instance *in = boot(2, "");
    pa_t large = (frames(1) + ABI_LARGE) & ~(pa_t)(ABI_LARGE - 1), bad = large + 7 * ABI_PAGE;

    assert_int_equal(map(program, ABI_LARGE, large, MAP_WRITE | MAP_LARGE), ERR_OK);
    assert_int_equal(map(program, AT, bad, MAP_WRITE), ERR_OK);
    assert_int_equal(map(program, OTHER, large, MAP_WRITE), ERR_OK);
    assert_true(touch(1, ABI_LARGE, MAP_WRITE, &pa));
    host_memory_lost(1, bad, true, false);                             // in the program: it meets the fault
    assert_int_equal(in->cpu[1].thread->depth, 0);
    assert_fault(1, ABI_LARGE + 7 * ABI_PAGE, MAP_READ, LOST);
    assert_fault(1, ABI_LARGE, MAP_READ, LOST);
    assert_fault(1, AT, MAP_READ, LOST);
    assert_true(touch(1, OTHER, MAP_WRITE, &pa));
    assert_int_equal(bits_of(bad) & FRAME_LOST, FRAME_LOST);
    assert_int_equal(bits_of(large) & FRAME_LOST, 0);
    assert_true(touch(0, ABI_WINDOW + large, MAP_READ, &pa));
    // A kernel that uses it itself is told at once, by an exception of its own.
    host_memory_lost(0, bad, true, false);
    const struct frame *f = &in->cpu[0].thread->state->frame[0];
    assert_int_equal(in->cpu[0].thread->depth, 1);
    assert_int_equal(f->kind, FRAME_EXCEPTION);
    assert_int_equal(f->vector, VECTOR_MACHINE_CHECK);
    assert_int_equal(in->cpu[0].frame->rip, HOST_EXCEPTION);
    host_shutdown();
}

// A thread that cannot be gone on with; and a processor that has none.
static void test_broken(void **state)
{
    (void)state;
    struct instance *in = boot(2, "");
    host_memory_lost(1, frame, true, true);
    host_check();
    assert_int_equal(in->cpu[1].thread->depth, 1);
    assert_int_equal(state_of[1]->frame[0].kind, FRAME_EXCEPTION);
    assert_int_equal(state_of[1]->frame[0].vector, VECTOR_MACHINE_CHECK);
    assert_int_equal(call(1, SYS_wait, 0, 0, 0, 0), -1);
    assert_null(in->cpu[1].frame);
    host_memory_lost(1, frame + ABI_PAGE, false, false);
    host_check();
    assert_int_equal(bits_of(frame + ABI_PAGE), FRAME_LOST);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remote), cmocka_unit_test(test_calls), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_room),   cmocka_unit_test(test_sender), cmocka_unit_test(test_lost),
        cmocka_unit_test(test_lost_large), cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests_name("lost", tests, NULL, NULL);
}
