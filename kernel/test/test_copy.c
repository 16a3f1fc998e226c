// test_copy.c - deferred copies on the host machine: when the copy is made, by whom, and when not.
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
#include "pmap.h"

enum { AT = 0x5000 };

static pa_t next_frame, source, copy;
static uint64_t value;
static oid_t program;

static int64_t call(uint32_t n, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t f)
{
    const uint64_t args[6] = {a, b, c, d, 0, f};
    int64_t result = host_call(n, number, args, &value);
    host_check();
    return result;
}

static pa_t frames(unsigned n)
{
    pa_t pa = next_frame;
    next_frame += (pa_t)n * ABI_PAGE;
    memset(host_at(pa), 0, (size_t)n * ABI_PAGE);
    return pa;
}

// A program thread on each of the last processors; processor 0 stays the first kernel's.
static void boot(uint32_t cpus)
{
    host_boot(cpus, 64 << 20, "");
    next_frame = host_instance()->info->range[0].base;
    source = frames(1);
    copy = frames(1);
    memset(host_at(source), 's', ABI_PAGE);
    memset(host_at(copy), 'c', ABI_PAGE);
    pa_t page = frames(1);
    struct space_desc s = {.rule = TRAP_FORWARD, .place = page};
    memcpy(host_at(page + 512), &s, sizeof(s));
    assert_int_equal(call(0, SYS_space_load, ABI_WINDOW + page + 512, 0, 0, 0, 0), ERR_OK);
    program = value;
    for (uint32_t n = 1; n < cpus; n++) {
        pa_t state = frames(2);
        struct thread_desc d = {.space = program, .priority = 5, .state = state, .state_va = ABI_WINDOW + state,
                                .xstack = ABI_WINDOW + state + 2 * ABI_PAGE, .affinity = 1ull << n};
        ((struct thread_state *)host_at(state))->frame[0].rip = HOST_TEXT;
        memcpy(host_at(state + ABI_PAGE), &d, sizeof(d));
        assert_int_equal(call(0, SYS_thread_load, ABI_WINDOW + state + ABI_PAGE, 0, 0, 0, 0), ERR_OK);
        host_deliver_all();
    }
}

static int64_t map(va_t va, pa_t pa, uint64_t flags, pa_t from)
{
    return call(0, SYS_mapping_load, program, va, pa, flags, from);
}

static char byte_at(pa_t pa)
{
    return *(char *)host_at(pa);
}

static bool touch(uint32_t n, uint32_t access, pa_t *pa)
{
    bool done = host_touch(n, AT, access, pa);
    host_deliver_all();
    host_check();
    return done;
}

// Reads see the source; the first write, on either processor, makes the copy, and all see it.
static void test_write(void **state)
{
    struct instance *in;
    pa_t pa;

    (void)state;
    boot(3);
    in = host_instance();
    assert_int_equal(map(AT, copy, MAP_WRITE | MAP_COPY, source), ERR_OK);
    assert_true(touch(1, MAP_READ, &pa));
    assert_int_equal(pa, source);
    assert_true(touch(2, MAP_READ, &pa));
    assert_int_equal(byte_at(copy), 'c');
    uint64_t faults = in->cpu[1].stats->faults;
    assert_false(touch(1, MAP_WRITE, &pa));
    assert_int_equal(in->cpu[1].stats->faults, faults);                // not forwarded
    assert_int_equal(in->cpu[1].thread->depth, 0);
    assert_int_equal(byte_at(copy), 's');
    assert_int_equal(in->stats->copies, 1);
    assert_true(touch(1, MAP_WRITE, &pa));
    assert_int_equal(pa, copy);
    assert_true(touch(2, MAP_READ, &pa));
    assert_int_equal(pa, copy);
    assert_int_equal(space_find(in, program)->copies, 0);
    // Unloaded, the bits are those of the copy.
    assert_int_equal(call(0, SYS_mapping_unload, program, AT, ABI_PAGE, 0, 0), ERR_OK);
    assert_true(in->first->frame_states[copy >> ABI_PAGE_SHIFT] & FRAME_MODIFIED);
    assert_false(in->first->frame_states[source >> ABI_PAGE_SHIFT] & FRAME_MODIFIED);
    host_shutdown();
}

// Lowered rights, an unload and another mapping in its place end the deferral; a write is forwarded then.
static void test_ends(void **state)
{
    struct instance *in;
    pa_t pa;

    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        boot(2);
        in = host_instance();
        uint32_t before = in->stats->free_mappings;
        assert_int_equal(map(AT, copy, MAP_WRITE | MAP_COPY, source), ERR_OK);
        assert_int_equal(in->stats->free_mappings, before - 2);
        if (way == 0) {
            assert_int_equal(call(0, SYS_mapping_protect, program, AT, ABI_PAGE, MAP_READ, 0), ERR_OK);
        } else if (way == 1) {
            assert_int_equal(call(0, SYS_mapping_unload, program, AT, ABI_PAGE, 0, 0), ERR_OK);
        } else {
            assert_int_equal(map(AT, source, MAP_READ, 0), ERR_OK);
        }
        assert_int_equal(in->stats->free_mappings, way == 1 ? before : before - 1);
        uint64_t faults = in->cpu[1].stats->faults;
        assert_false(touch(1, MAP_WRITE, &pa));
        assert_int_equal(in->cpu[1].stats->faults, faults + 1);
        assert_int_equal(byte_at(copy), 'c');
        host_shutdown();
    }
}

static void test_refused(void **state)
{
    struct instance *in;

    (void)state;
    boot(1);
    in = host_instance();
    assert_int_equal(map(AT, copy, MAP_READ | MAP_COPY, source), ERR_INVAL);            // never written
    assert_int_equal(map(AT, copy, MAP_WRITE | MAP_COPY, source + 8), ERR_INVAL);
    assert_int_equal(map(AT, copy, MAP_WRITE | MAP_COPY | MAP_MESSAGE, source), ERR_INVAL);
    assert_int_equal(map(AT, copy, MAP_WRITE | MAP_COPY | MAP_DEVICE, source), ERR_INVAL);
    assert_int_equal(map(AT, copy, MAP_WRITE | MAP_COPY, arch_pa(in) & ~4095ull), ERR_DENIED);
    assert_int_equal(map(AT, arch_pa(in) & ~4095ull, MAP_WRITE | MAP_COPY, source), ERR_DENIED);
    assert_int_equal(space_find(in, program)->copies, 0);
    host_shutdown();
}

// A copy onto its own source, in a bucket that is full: the mapping is not its own victim.  And a deferred copy that is
// asked for again is one again.
static void test_crowded_and_again(void **state)
{
    pa_t pa;

    (void)state;
    boot(2);
    assert_int_equal(map(AT, source, MAP_WRITE | MAP_COPY, source), ERR_OK);
    for (unsigned i = 1; i < PMAP_WAYS; i++) {
        assert_int_equal(map(0x40000000 + i * ABI_PAGE, source, MAP_READ, 0), ERR_OK);
    }
    assert_false(touch(1, MAP_WRITE, &pa));
    assert_true(touch(1, MAP_WRITE, &pa));
    assert_int_equal(pa, source);
    assert_int_equal(map(AT, copy, MAP_WRITE | MAP_COPY, source), ERR_OK);
    assert_false(touch(1, MAP_WRITE, &pa));
    assert_int_equal(byte_at(copy), 's');
    memset(host_at(source), 'n', ABI_PAGE);
    assert_int_equal(map(AT, copy, MAP_WRITE | MAP_COPY, source), ERR_OK);
    assert_false(touch(1, MAP_WRITE, &pa));
    assert_int_equal(byte_at(copy), 'n');
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write), cmocka_unit_test(test_ends), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_crowded_and_again),
    };
    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
