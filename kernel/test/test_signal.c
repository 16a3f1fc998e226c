// test_signal.c - memory-based messaging on the host machine: who gets which address, and that none is lost.
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

enum { SENDER = 0x100000, RECEIVER = 0x40000000, STRIDE = 0x1000000, FUNCTION = HOST_TEXT + 0x100 };

static pa_t next_frame;
static uint64_t value;

static int64_t call5(uint32_t n, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    const uint64_t args[6] = {a, b, c, d, e, 0};
    int64_t result = host_call(n, number, args, &value);
    host_check();
    return result;
}

static int64_t call(uint32_t n, uint64_t number, uint64_t a, uint64_t b)
{
    return call5(n, number, a, b, 0, 0, 0);
}

static pa_t frames(unsigned n)
{
    pa_t pa = next_frame;
    next_frame += (pa_t)n * ABI_PAGE;
    memset(host_at(pa), 0, (size_t)n * ABI_PAGE);
    return pa;
}

static void boot(uint32_t cpus, const char *cmdline)
{
    host_boot(cpus, 64 << 20, cmdline);
    next_frame = host_instance()->info->range[0].base;
}

static oid_t space(uint64_t cookie)
{
    pa_t page = frames(1);
    struct space_desc d = {.rule = TRAP_NATIVE, .place = page, .cookie = cookie};

    memcpy(host_at(page + 512), &d, sizeof(d));
    assert_int_equal(call(0, SYS_space_load, ABI_WINDOW + page + 512, 0), ERR_OK);
    return value;
}

static pa_t state_page(void)
{
    return frames(2);
}

static oid_t thread(oid_t s, pa_t page, va_t function, uint64_t affinity)
{
    struct thread_state *state = host_at(page);
    struct thread_desc d = {.space = s, .priority = 5, .state = page, .state_va = ABI_WINDOW + page,
                            .xstack = ABI_WINDOW + page + 2 * ABI_PAGE, .signal = function, .affinity = affinity};

    if (state->frame[0].rip == 0) {
        state->frame[0].rip = HOST_TEXT;
        state->frame[0].rsp = 0x700000;
    }
    memcpy(host_at(page + ABI_PAGE), &d, sizeof(d));
    assert_int_equal(call(0, SYS_thread_load, ABI_WINDOW + page + ABI_PAGE, 0), ERR_OK);
    return value;
}

static int64_t map(oid_t s, va_t va, pa_t pa, uint64_t flags, oid_t receiver)
{
    return call5(0, SYS_mapping_load, s, va, pa, flags, receiver);
}

// The first kernel's thread maps the page in its own space and sends from there.
static void map_sender(pa_t page)
{
    assert_int_equal(map(host_instance()->info->space, SENDER, page, MAP_WRITE | MAP_MESSAGE, 0), ERR_OK);
}

static void test_translation(void **state)
{
    enum { RECEIVERS = 5 };
    oid_t s[RECEIVERS], t[RECEIVERS];
    pa_t st[RECEIVERS];

    (void)state;
    boot(1, "");
    pa_t page = frames(1);
    map_sender(page);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        st[i] = state_page();
        s[i] = space(100 + i);
        t[i] = thread(s[i], st[i], 0, 1);
        assert_int_equal(map(s[i], RECEIVER + i * STRIDE, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t[i]), ERR_OK);
    }
    assert_int_equal(call(0, SYS_signal_at, SENDER + 0x128, 0), ERR_OK);
    assert_int_equal(value, RECEIVERS);
    assert_int_equal(call(0, SYS_signal_at, SENDER + 0x240, 0), ERR_OK);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        struct thread_state *q = host_at(st[i]);
        assert_int_equal(q->signal_head - q->signal_tail, 2);
        assert_int_equal(q->signal[0].va, RECEIVER + i * STRIDE + 0x128);
        assert_int_equal(q->signal[1].va, RECEIVER + i * STRIDE + 0x240);
        assert_int_equal(q->signal[0].cookie, 100 + i);
    }
    // The one that runs next takes them in order, by wait.
    assert_int_equal(call(0, SYS_wait, 0, 0), -1);
    unsigned i = (unsigned)(host_instance()->cpu[0].thread->space->cookie - 100);
    assert_int_equal(call(0, SYS_wait, 0, 0), ERR_OK);
    assert_int_equal(value, RECEIVER + i * STRIDE + 0x128);
    assert_int_equal(call(0, SYS_wait, 0, 0), ERR_OK);
    assert_int_equal(value, RECEIVER + i * STRIDE + 0x240);
    host_shutdown();
}

static void test_refused(void **state)
{
    struct instance *in;

    (void)state;
    boot(1, "");
    in = host_instance();
    pa_t page = frames(1), st = state_page();
    oid_t s = space(1), t = thread(s, st, 0, 1), own = in->info->space;
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_SIGNAL, t), ERR_INVAL);            // not in message mode
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, 12345), ERR_STALE);
    assert_int_equal(map(s, RECEIVER & ~(ABI_LARGE - 1), page & ~(pa_t)(ABI_LARGE - 1),
                         MAP_READ | MAP_MESSAGE | MAP_LARGE, 0), ERR_INVAL);
    assert_int_equal(map(own, SENDER, page, MAP_WRITE, 0), ERR_OK);
    assert_int_equal(call(0, SYS_signal_at, SENDER, 0), ERR_DENIED);                          // not in message mode
    assert_int_equal(call(0, SYS_signal_return, 0, 0), ERR_DEPTH);
    uint64_t faults = in->cpu[0].stats->faults;
    const uint64_t nowhere[6] = {0x7000000};
    host_call_once(0, SYS_signal_at, nowhere);                                                // forwarded, as a store
    assert_int_equal(in->cpu[0].stats->faults, faults + 1);
    assert_int_equal(in->cpu[0].thread->depth, 1);
    host_check();
    host_shutdown();
}

// A waiting receiver on another processor wakes with the address; the second signal is answered by the reverse TLB.
static void test_other_processor(void **state)
{
    (void)state;
    boot(2, "");
    struct instance *in = host_instance();
    pa_t page = frames(1), st = state_page();
    oid_t s = space(7), t = thread(s, st, 0, 2);
    map_sender(page);
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t), ERR_OK);
    host_deliver_all();
    assert_int_equal(in->cpu[1].thread->o.id, t);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(call(1, SYS_wait, 0, 0), -1);
        assert_null(in->cpu[1].thread);
        assert_int_equal(call(0, SYS_signal_at, SENDER + 8 * round, 0), ERR_OK);
        host_deliver_all();
        assert_non_null(in->cpu[1].thread);
        assert_int_equal(((struct thread_state *)host_at(st))->frame[0].rdx, RECEIVER + 8 * round);
    }
    assert_int_equal(in->cpu[0].stats->reverse_misses, 1);
    assert_int_equal(in->cpu[0].stats->reverse_hits, 2);
    host_shutdown();
}

// The signal function interrupts the program, later signals queue, and each return goes on with the next.
static void test_function(void **state)
{
    (void)state;
    boot(2, "");
    struct instance *in = host_instance();
    pa_t page = frames(1), st = state_page();
    struct thread_state *q = host_at(st);
    oid_t s = space(9), t = thread(s, st, FUNCTION, 2);
    map_sender(page);
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t), ERR_OK);
    host_deliver_all();
    q->frame[0].rbx = 1234;
    q->frame[0].rcx = 99;
    va_t rip = q->frame[0].rip, rsp = q->frame[0].rsp;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(call(0, SYS_signal_at, SENDER + 64 * i, 0), ERR_OK);
    }
    host_deliver_all();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(q->signal_active, 1);
        assert_int_equal(q->frame[0].rip, FUNCTION);
        assert_int_equal(q->frame[0].rdi, RECEIVER + 64 * i);
        assert_int_equal(q->frame[0].rsi, 9);
        assert_int_equal((q->frame[0].rsp + 8) % 16, 0);
        assert_true(q->frame[0].rsp <= rsp - 128 - 8);
        q->frame[0].rbx = 0;
        assert_int_equal(call(1, SYS_signal_return, 0, 0), 0);                   // what RAX was
    }
    assert_int_equal(q->signal_active, 0);
    assert_int_equal(q->frame[0].rip, rip);
    assert_int_equal(q->frame[0].rsp, rsp);
    assert_int_equal(q->frame[0].rbx, 1234);
    assert_int_equal(q->frame[0].rcx, 99);
    assert_int_equal(in->cpu[1].stats->signals_entered, 3);
    host_shutdown();
}

// In a handler of its kernel a thread gets no signal; it does when it comes back.
static void test_not_in_handler(void **state)
{
    pa_t at;

    (void)state;
    boot(2, "");
    pa_t page = frames(1), st = state_page();
    struct thread_state *q = host_at(st);
    oid_t s = space(9), t = thread(s, st, FUNCTION, 2);
    map_sender(page);
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t), ERR_OK);
    host_deliver_all();
    assert_false(host_touch(1, 0x5000, MAP_WRITE, &at));
    assert_int_equal(call(0, SYS_signal_at, SENDER, 0), ERR_OK);
    host_deliver_all();
    assert_int_equal(q->signal_active, 0);
    assert_int_equal(call(1, SYS_resume, s, 0), -1);
    assert_int_equal(q->signal_active, 1);
    assert_int_equal(q->frame[0].rdi, RECEIVER);
    host_shutdown();
}

// With the queue full signals are counted, and the ones before them are all there.
static void test_full(void **state)
{
    (void)state;
    boot(1, "");
    pa_t page = frames(1), st = state_page();
    struct thread_state *q = host_at(st);
    oid_t s = space(1), t = thread(s, st, 0, 1);
    map_sender(page);
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t), ERR_OK);
    for (unsigned i = 0; i < SIGNAL_ENTRIES + 10; i++) {
        assert_int_equal(call(0, SYS_signal_at, SENDER + i * 8, 0), ERR_OK);
    }
    assert_int_equal(q->signal_lost, 10);
    for (unsigned i = 0; i < SIGNAL_ENTRIES; i++) {
        assert_int_equal(q->signal[i].va, RECEIVER + i * 8);
    }
    host_shutdown();
}

static bool is_mapped(oid_t s, va_t va, pa_t pa)
{
    struct instance *in = host_instance();
    struct space *sp = space_find(in, s);

    return sp != NULL && pmap_find(in, pa >> ABI_PAGE_SHIFT, sp->o.slot, va >> ABI_PAGE_SHIFT) != NULL;
}

// Multi-mapping consistency: when a receiver's mapping goes, however, no sender's stays.
static void test_consistency(void **state)
{
    (void)state;
    boot(1, "");
    oid_t own = host_instance()->info->space;
    pa_t page = frames(1), other = frames(1);
    for (unsigned way = 0; way < 4; way++) {
        pa_t st = state_page(), st2 = state_page();
        oid_t s = space(1), t = thread(s, st, 0, 1), s2 = space(2), t2 = thread(s2, st2, 0, 1);
        map_sender(page);
        assert_int_equal(map(own, SENDER + ABI_PAGE, other, MAP_WRITE | MAP_MESSAGE, 0), ERR_OK);
        assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t), ERR_OK);
        assert_int_equal(map(s2, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t2), ERR_OK);
        if (way == 0) {
            assert_int_equal(call5(0, SYS_mapping_unload, s, RECEIVER, ABI_PAGE, 0, 0), ERR_OK);
        } else if (way == 1) {
            assert_int_equal(call(0, SYS_thread_unload, t, 0), ERR_OK);
        } else if (way == 2) {
            assert_int_equal(call(0, SYS_space_unload, s, 0), ERR_OK);
        } else {
            assert_int_equal(map(s, RECEIVER, other, MAP_READ, 0), ERR_OK);       // displaced
        }
        assert_false(is_mapped(own, SENDER, page));
        assert_true(is_mapped(own, SENDER + ABI_PAGE, other));                    // another frame's sender stays
        assert_true(is_mapped(s2, RECEIVER, page));                               // and so does the other receiver
        (void)call(0, SYS_space_unload, s, 0);
        assert_int_equal(call(0, SYS_space_unload, s2, 0), ERR_OK);
    }
    host_shutdown();
}

// Redirected first, a receiver can be unloaded: the sender stays, and its signals reach the kernel's own thread.
static void test_redirect(void **state)
{
    (void)state;
    boot(1, "");
    struct instance *in = host_instance();
    oid_t own = in->info->space;
    pa_t page = frames(1), st = state_page(), mine = state_page();
    oid_t s = space(77), t = thread(s, st, 0, 1), service = thread(own, mine, 0, 1);
    map_sender(page);
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t), ERR_OK);
    assert_int_equal(call(0, SYS_signal_at, SENDER + 16, 0), ERR_OK);
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, service), ERR_OK);
    assert_int_equal(call(0, SYS_thread_unload, t, 0), ERR_OK);
    assert_true(is_mapped(own, SENDER, page));
    assert_int_equal(call(0, SYS_signal_at, SENDER + 32, 0), ERR_OK);
    struct thread_state *kept = host_at(st), *got = host_at(mine);
    assert_int_equal(kept->signal_head - kept->signal_tail, 1);                   // came before: is in its page
    assert_int_equal(kept->signal[0].va, RECEIVER + 16);
    assert_int_equal(got->signal[0].va, RECEIVER + 32);
    assert_int_equal(got->signal[0].cookie, 77);
    // Loaded again it finds the first; pointed at it again, it gets the next.
    oid_t again = thread(s, st, 0, 1);
    assert_int_equal(map(s, RECEIVER, page, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, again), ERR_OK);
    assert_int_equal(call(0, SYS_signal_at, SENDER + 48, 0), ERR_OK);
    assert_int_equal(kept->signal[kept->signal_tail % SIGNAL_ENTRIES].va, RECEIVER + 16);
    assert_int_equal(kept->signal[(kept->signal_head - 1) % SIGNAL_ENTRIES].va, RECEIVER + 48);
    host_shutdown();
}

// A thread with more message pages than one step unloads: all go, in steps, and so do their senders.
static void test_many_pages(void **state)
{
    enum { PAGES = 200 };

    (void)state;
    boot(1, "");
    struct instance *in = host_instance();
    oid_t own = in->info->space;
    pa_t st = state_page(), page = frames(PAGES);
    oid_t s = space(1), t = thread(s, st, 0, 1);
    uint32_t before = in->stats->free_mappings;
    for (unsigned i = 0; i < PAGES; i++) {
        assert_int_equal(map(own, SENDER + i * ABI_PAGE, page + i * ABI_PAGE, MAP_WRITE | MAP_MESSAGE, 0), ERR_OK);
        assert_int_equal(map(s, RECEIVER + i * ABI_PAGE, page + i * ABI_PAGE, MAP_READ | MAP_MESSAGE | MAP_SIGNAL, t),
                         ERR_OK);
    }
    // After the first step it is still there for some pages: what comes then is in its queue when it is gone.
    uint64_t args[6] = {t};
    assert_false(host_call_once(0, SYS_thread_unload, args));
    assert_int_equal(call(0, SYS_signal_at, SENDER + 40, 0), ERR_OK);
    assert_int_equal(value, 1);
    args[5] = t;
    assert_int_equal(host_call(0, SYS_thread_unload, args, &value), ERR_OK);
    host_check();
    struct thread_state *q = host_at(st);
    assert_int_equal(q->loaded, 0);
    assert_int_equal(q->signal_head - q->signal_tail, 1);
    assert_int_equal(q->signal[0].va, RECEIVER + 40);
    assert_int_equal(in->stats->free_mappings, before);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_translation),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_other_processor), cmocka_unit_test(test_function),
        cmocka_unit_test(test_not_in_handler), cmocka_unit_test(test_full),
        cmocka_unit_test(test_consistency),    cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_many_pages),
    };
    return cmocka_run_group_tests_name("signal", tests, NULL, NULL);
}
