// test_switch.c - yield and signal_wait: the straight way to another thread does what the long way does.
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
#include "share.h"

enum { OUT = 0x100000, IN = 0x180000 };   // in one leaf table: what was used last is found without a walk

struct party {                           // a thread in a space of its own, that sends from OUT and receives at IN
    oid_t space, thread;
    pa_t  state;
};

static pa_t next_frame;
static uint64_t value;

static int64_t call5(uint32_t n, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    const uint64_t args[6] = {a, b, c, d, e, 0};
    int64_t result = host_call(n, number, args, &value);
    host_check();
    return result;
}

static int64_t call(uint64_t number, uint64_t a, uint64_t b)
{
    return call5(0, number, a, b, 0, 0, 0);
}

static pa_t frames(unsigned n)
{
    pa_t pa = next_frame;
    next_frame += (pa_t)n * ABI_PAGE;
    memset(host_at(pa), 0, (size_t)n * ABI_PAGE);
    return pa;
}

static struct frame *frame_of(const struct party *p)
{
    return &((struct thread_state *)host_at(p->state))->frame[0];
}

static void make(struct party *p, uint32_t priority)
{
    pa_t page = frames(1);
    struct space_desc s = {.rule = TRAP_NATIVE, .place = page};

    memcpy(host_at(page + 512), &s, sizeof(s));
    assert_int_equal(call(SYS_space_load, ABI_WINDOW + page + 512, 0), ERR_OK);
    p->space = value;
    p->state = frames(2);
    struct thread_desc d = {.space = p->space, .priority = priority, .state = p->state, .affinity = 1,
                            .state_va = ABI_WINDOW + p->state, .xstack = ABI_WINDOW + p->state + 2 * ABI_PAGE};
    frame_of(p)->rip = HOST_TEXT;
    frame_of(p)->rsp = 0x700000;
    memcpy(host_at(p->state + ABI_PAGE), &d, sizeof(d));
    assert_int_equal(call(SYS_thread_load, ABI_WINDOW + p->state + ABI_PAGE, 0), ERR_OK);
    p->thread = value;
}

static void connect(const struct party *from, const struct party *to)
{
    pa_t page = frames(1);
    uint64_t in = MAP_READ | MAP_MESSAGE | MAP_SIGNAL;

    assert_int_equal(call5(0, SYS_mapping_load, to->space, IN, page, in, to->thread), ERR_OK);
    assert_int_equal(call5(0, SYS_mapping_load, from->space, OUT, page, MAP_WRITE | MAP_MESSAGE, 0), ERR_OK);
}

static bool runs(const struct party *p)
{
    const struct thread *t = host_instance()->cpu[0].thread;
    return t != NULL && t->o.id == p->thread;
}

static struct party a, b;

// The first kernel's thread sleeps; a and b can run, a first.
static void boot(uint32_t priority_b, const char *cmdline)
{
    host_boot(1, 64 << 20, cmdline);
    next_frame = host_instance()->info->range[0].base;
    make(&a, 5);
    make(&b, priority_b);
    connect(&a, &b);
    connect(&b, &a);
}

static void first_sleeps(void)
{
    assert_int_equal(call(SYS_wait, 0, 0), -1);
}

// A signal that is handed over is never queued.
static uint32_t queued_for(const struct party *p)
{
    return ((struct thread_state *)host_at(p->state))->signal_head;
}

// A wait with a deadline takes the long way.
static uint64_t until(bool straight)
{
    return straight ? 0 : host.clock + (1ull << 40);
}

static void ping_pong(const char *cmdline, bool straight)
{
    boot(5, cmdline);
    first_sleeps();
    assert_true(runs(&a));
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(call(SYS_signal_wait, OUT + 8 * i, until(straight)), -1);
        assert_true(runs(&b));
        if (i == 0) {
            assert_int_equal(call(SYS_wait, 0, 0), ERR_OK);              // it was queued: b had not waited yet
            assert_int_equal(value, IN);
        } else {
            assert_int_equal(frame_of(&b)->rdx, IN + 8 * i);
            assert_int_equal(frame_of(&b)->rax, ERR_OK);
        }
        assert_int_equal(call(SYS_signal_wait, OUT + 8 * i + 4, until(straight)), -1);
        assert_true(runs(&a));
        assert_int_equal(frame_of(&a)->rdx, IN + 8 * i + 4);
        assert_int_equal(frame_of(&a)->rax, ERR_OK);
    }
    assert_true(straight ? queued_for(&a) < 3 && queued_for(&b) < 3 : queued_for(&a) == 50 && queued_for(&b) == 50);
    host_shutdown();
}

static void test_ping_pong(void **state)
{
    (void)state;
    ping_pong("", true);
    ping_pong("", false);
    ping_pong("jitter=5", true);
}

// A thread of a higher priority than the receiver's is ready: it comes first.
static void test_priority(void **state)
{
    struct party c;

    (void)state;
    boot(3, "");
    make(&c, 5);
    first_sleeps();
    assert_true(runs(&a));
    assert_int_equal(call(SYS_wait, 0, 0), -1);
    assert_true(runs(&c));
    assert_int_equal(call(SYS_wait, 0, 0), -1);
    assert_true(runs(&b));
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_true(runs(&a));
    assert_int_equal(call(SYS_signal, c.thread, 0), ERR_OK);             // c is ready, as high as a
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_true(runs(&c));
    assert_int_equal(call(SYS_wait, 0, 0), -1);
    assert_true(runs(&b));
    assert_int_equal(frame_of(&b)->rdx, IN);
    host_shutdown();
}

// What has come already ends the wait at once; a signal that cannot be sent begins none.
static void test_no_wait(void **state)
{
    (void)state;
    boot(5, "");
    first_sleeps();
    assert_int_equal(call(SYS_wait, host_instance()->info->slice * 100 + host.clock, 0), -1);
    assert_true(runs(&b));
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_true(runs(&a));
    assert_int_equal(call(SYS_signal, a.thread, 0), ERR_OK);
    assert_int_equal(call(SYS_signal_wait, OUT + 16, 0), ERR_OK);
    assert_int_equal(value, 0);
    assert_true(runs(&a));
    assert_int_equal(call(SYS_signal_wait, OUT + 24, host.clock), ERR_TIMEOUT);
    assert_int_equal(call(SYS_signal_wait, IN, 0), -1);                  // not writable: a fault
    assert_int_equal(host_instance()->cpu[0].thread->depth, 1);
    host_shutdown();
}

// With a deadline it waits no longer than that.
static void test_deadline(void **state)
{
    (void)state;
    boot(5, "");
    first_sleeps();
    uint64_t slice = host_instance()->info->slice;
    assert_int_equal(call(SYS_signal_wait, OUT, host.clock + slice / 2), -1);
    assert_true(runs(&b));
    assert_int_equal(call(SYS_wait, 0, 0), ERR_OK);
    assert_int_equal(call(SYS_wait, 0, 0), -1);
    assert_null(host_instance()->cpu[0].thread);
    host_advance(slice);
    assert_true(runs(&a));
    assert_int_equal(frame_of(&a)->rax, ERR_TIMEOUT);
    host_shutdown();
}

// The two pass the processor on by signal_wait from here on; b runs.
static void meet(void)
{
    assert_true(runs(&a));
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_int_equal(call(SYS_wait, 0, 0), ERR_OK);
    assert_true(runs(&b));
}

// A receiver whose priority has been changed while it waited goes on with the new one.
static void test_level(void **state)
{
    (void)state;
    boot(5, "");
    assert_int_equal(call(SYS_wait, host.clock + 1000, 0), -1);
    meet();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    }
    assert_true(runs(&a));
    host_advance(2000);                                                  // the first kernel's thread
    assert_int_equal(call(SYS_thread_priority, b.thread, 9), ERR_OK);
    first_sleeps();
    assert_true(runs(&a));
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_true(runs(&b));
    assert_int_equal(call(SYS_signal, a.thread, 0), ERR_OK);
    call(SYS_yield, 0, 0);
    assert_true(runs(&b));                                               // a is ready, but not an equal any more
    host_shutdown();
}

// Somebody pays for all the time, whoever passes the processor on, and to whom.
static void test_time(void **state)
{
    (void)state;
    boot(5, "");
    first_sleeps();
    meet();
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);                 // from here on the short way
    const struct cpu *c = &host_instance()->cpu[0];
    uint64_t since = c->since, ran = c->thread->share->usage->ran;
    for (unsigned i = 0; i < 10; i++) {
        host.clock += 100 + i;
        assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
        assert_int_equal(c->thread->share->usage->ran - ran, c->since - since);
    }
    assert_int_equal(call(SYS_signal, runs(&a) ? b.thread : a.thread, 0), ERR_OK);
    for (unsigned i = 0; i < 10; i++) {
        bool was_a = runs(&a);
        host.clock += 100 + i;
        call(SYS_yield, 0, 0);
        assert_true(was_a ? runs(&b) : runs(&a));
        assert_int_equal(c->thread->share->usage->ran - ran, c->since - since);
    }
    assert_true(c->since - since >= 2000);
    host_shutdown();
}

// Equals take turns by yield, and a deadline that passes meanwhile is kept.
static void test_yield(void **state)
{
    struct party c;

    (void)state;
    boot(5, "");
    make(&c, 7);
    first_sleeps();
    assert_true(runs(&c));
    assert_int_equal(call(SYS_wait, host.clock + 500, 0), -1);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(i % 2 == 0 ? runs(&a) : runs(&b));
        call(SYS_yield, 0, 0);
        assert_int_equal((i % 2 == 0 ? frame_of(&a) : frame_of(&b))->rax, ERR_OK);
    }
    host_advance(1000);
    assert_true(runs(&c));
    assert_int_equal(frame_of(&c)->rax, ERR_TIMEOUT);
    host_shutdown();
}

// Somebody who never waits loses the processor at the end of the slice that began when an equal woke up.
static void test_slice(void **state)
{
    (void)state;
    boot(5, "");
    first_sleeps();
    assert_int_equal(call(SYS_wait, 0, 0), -1);
    assert_true(runs(&b));
    assert_int_equal(call(SYS_signal, a.thread, 0), ERR_OK);
    assert_true(runs(&b));
    host_advance(2 * host_instance()->info->slice);
    assert_true(runs(&a));
    host_shutdown();
}

// A receiver whose owner has spoiled its state is written back, and the sender has gone to sleep all the same.
static void test_bad_state(void **state)
{
    (void)state;
    boot(5, "");
    first_sleeps();
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_int_equal(call(SYS_wait, 0, 0), ERR_OK);
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_true(runs(&b));
    ((struct thread_state *)host_at(a.state))->gs_base = ~0ull;
    assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
    assert_int_equal(((struct thread_state *)host_at(a.state))->reason, REASON_BAD_STATE);
    assert_false(runs(&a) || runs(&b));
    host_shutdown();
}

// With a space of activations loaded: only between threads of one level, as others change its share.
static void test_claimant(void **state)
{
    enum { ACTIVATIONS = 2, SLOTS = 4 };

    (void)state;
    for (uint32_t priority = 5; priority >= 4; priority--) {
        boot(priority, "");
        pa_t area = frames((unsigned)(area_size(ACTIVATIONS, SLOTS) / ABI_PAGE)), page = frames(1);
        struct space_desc d = {.rule = TRAP_NATIVE, .place = page, .schedule = SCHEDULE_ACTIVATIONS, .priority = 1,
                               .activations = ACTIVATIONS, .slots = SLOTS, .area = area, .area_va = 0x10000000,
                               .upcall = 0x500000};
        memcpy(host_at(page + 512), &d, sizeof(d));
        assert_int_equal(call(SYS_space_load, ABI_WINDOW + page + 512, 0), ERR_OK);
        first_sleeps();
        if (priority == 5) {
            meet();
        } else {
            assert_int_equal(call(SYS_wait, 0, 0), -1);          // a
        }
        uint32_t before = 0;
        for (unsigned i = 0; i < 8; i++) {
            before = i == 2 ? queued_for(&a) + queued_for(&b) : before;  // both have sent by now
            assert_true(runs(i % 2 == 0 ? &b : &a));
            assert_int_equal(call(SYS_signal_wait, OUT, 0), -1);
        }
        assert_int_equal(queued_for(&a) + queued_for(&b) - before, priority == 5 ? 0 : 6);
        host_shutdown();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping_pong), cmocka_unit_test(test_priority), cmocka_unit_test(test_no_wait),
        cmocka_unit_test(test_deadline),  cmocka_unit_test(test_yield),    cmocka_unit_test(test_slice),
        cmocka_unit_test(test_bad_state), cmocka_unit_test(test_level),    cmocka_unit_test(test_time),
        cmocka_unit_test(test_claimant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
