// test_parallel.c - the parallel clock: the clock divided by the number of processors that run a thread; and turns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "arch/host/host.h"

static pa_t next_frame;

// A thread of the first kernel's that runs on processor n only.
static void load(uint32_t n)
{
    const uint64_t args[6] = {ABI_WINDOW + next_frame + ABI_PAGE, 0, 0, 0, 0, 0};
    struct thread_state *s = host_at(next_frame);
    struct thread_desc d = {.priority = 1, .state = next_frame, .affinity = 1ull << n,
                            .state_va = ABI_WINDOW + next_frame, .xstack = ABI_WINDOW + next_frame + ABI_PAGE};
    uint64_t value;

    memset(s, 0, 2 * ABI_PAGE);
    s->depth = 1;
    s->frame[1].rip = HOST_TEXT;
    s->frame[1].rsp = 0x700000;
    memcpy(host_at(next_frame + ABI_PAGE), &d, sizeof(d));
    next_frame += 2 * ABI_PAGE;
    assert_int_equal(host_call(0, SYS_thread_load, args, &value), ERR_OK);
    host_deliver_all();
}

static void wait_on(uint32_t n, uint64_t deadline)
{
    const uint64_t args[6] = {deadline, 0, 0, 0, 0, 0};
    uint64_t value;

    assert_int_equal(host_call(n, SYS_wait, args, &value), -1);
}

// What passes of it in so much of the clock.
static uint64_t passes(uint64_t ticks)
{
    const struct system_stats *s = host_instance()->stats;
    uint64_t busy = s->parallel_busy != 0 ? s->parallel_busy : 1;
    uint64_t before = s->parallel + (host.clock - s->parallel_since) / busy;

    host.clock += ticks;
    return s->parallel + (host.clock - s->parallel_since) / busy - before;
}

static void test_divides(void **state)
{
    (void)state;
    host_boot(4, 64ull << 20, "");
    next_frame = host_instance()->info->range[0].base + (8 << 20);
    assert_int_equal(host_instance()->stats->parallel_busy, 1);
    assert_int_equal(passes(6000), 6000);
    load(1);
    assert_int_equal(passes(6000), 3000);
    load(3);
    assert_int_equal(passes(6000), 2000);
    load(3);                             // one more for a processor that has one: nothing changes
    assert_int_equal(passes(6000), 2000);
    wait_on(1, 0);
    assert_int_equal(host_instance()->stats->parallel_busy, 2);
    assert_int_equal(passes(6000), 3000);
    wait_on(3, 0);
    wait_on(3, 0);
    assert_int_equal(passes(6000), 6000);
    assert_int_equal(host_instance()->stats->parallel_changes % 2, 0);
    host_shutdown();
}

// With all of them halted it is the clock, and no change loses what has passed.
static void test_idle(void **state)
{
    (void)state;
    host_boot(2, 64ull << 20, "");
    next_frame = host_instance()->info->range[0].base + (8 << 20);
    const struct system_stats *s = host_instance()->stats;
    uint64_t begin = s->parallel, since = s->parallel_since;
    load(1);
    host.clock += 1000;
    wait_on(0, host.clock + 5000);
    wait_on(1, 0);
    assert_int_equal(s->parallel_busy, 0);
    assert_int_equal(passes(4000), 4000);
    host_advance(1000);                  // the deadline of the first one
    assert_int_equal(s->parallel_busy, 1);
    uint64_t all = s->parallel - begin, clock = s->parallel_since - since;
    assert_true(all <= clock && all + 1000 >= clock);
    assert_true(all + 499 < clock);      // two were busy for 1000 ticks
    host_shutdown();
}

// turn=N: each processor that has a thread is interrupted at least so often, and no other one is.
static void test_turn(void **state)
{
    (void)state;
    host_boot(3, 64ull << 20, "turn=5000");
    next_frame = host_instance()->info->range[0].base + (8 << 20);
    load(1);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(host.cpu[0].timer > host.clock && host.cpu[0].timer <= host.clock + 5000);
        assert_true(host.cpu[1].timer > host.clock && host.cpu[1].timer <= host.clock + 5000);
        assert_int_equal(host.cpu[2].timer, 0);
        host_advance(5000);
    }
    wait_on(1, 0);
    host_advance(5000);
    assert_int_equal(host.cpu[1].timer, 0);
    assert_true(host.cpu[0].timer > host.clock);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_divides), cmocka_unit_test(test_idle),
                                       cmocka_unit_test(test_turn)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
