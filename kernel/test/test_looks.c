// test_looks.c - spaces of activations: what is looked at again, and what need not be; scripted.  See claim.c,
// upcall.c, allocator.c.
#include "activations.h"

static struct party a, b, c;

// A call, and what it changes elsewhere is not heard there before settle().
static void call_early(uint32_t n, uint64_t number, uint64_t x)
{
    const uint64_t args[6] = {x};

    (void)host_call_once(n, number, args);
    host_check();
}

static void ask(uint32_t n)
{
    call_early(n, SYS_processors, 0);
}

// Both processors run programs; that of processor 0 has disabled upcalls, and another one of its activations is told
// to have blocked, for so many ticks.
static void one_of_two_disabled(uint64_t ticks)
{
    have(&a, 2, 4, 8);
    works(1, 0x10);
    assert_int_equal(call(1, SYS_wait, host.clock + ticks, 0, 0), -1);
    works(0, 0x11);
    works(1, 0x12);
    words(&a, (uint32_t)running(&a, 0))->disabled = 1;
}

// Who blocks after its space was warned of the end of the quantum does not make it longer: no second warning.
static void warned_then_blocks(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    boot(1);
    make(&a, 4, 16, 1);
    make(&b, 4, 16, 1);
    for (uint32_t i = 0; i < 4; i++) {
        words(&a, i)->warn = 1;
    }
    first_sleeps();
    for (unsigned i = 0; i < 64 && !(running(&a, 0) >= 0 && times_told(&a, UPCALL_QUANTUM) != 0); i++) {
        host_advance(host_instance()->slice / 16);
        settle();
    }
    assert_int_equal(begun(&a, 0, s), UPCALL_QUANTUM);
    works(0, 1);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    works(0, 2);
    host_advance(host_instance()->slice / 4 + 1);
    settle();
    assert_true(running(&b, 0) >= 0);
    assert_int_equal(times_told(&a, UPCALL_QUANTUM), 1);
    host_shutdown();
}

// A program gives its processor back that it is to lose anyway, and does not know it yet: there is no context.
static void released_and_dropped(void **state)
{
    (void)state;
    one_of_two_disabled(100);
    uint32_t keeps = (uint32_t)running(&a, 0), goes = (uint32_t)running(&a, 1);
    words(&a, keeps)->priority = 9;
    words(&a, goes)->disabled = 1;
    host_advance(1000);
    settle();
    assert_int_equal(page_of(&a)->pending, 1);
    words(&a, goes)->disabled = 0;
    user_of(&a)->wanted = 1;
    ask(0);
    assert_true(host_instance()->cpu[1].thread->drop);
    call_early(1, SYS_processor_release, 0);
    assert_int_equal(page_of(&a)->released, 1);
    assert_int_equal(page_of(&a)->pending, 1);
    settle();
    assert_int_equal(page_of(&a)->held, 1);
    words(&a, keeps)->disabled = 0;
    (void)call(0, SYS_processors, 0, 0, 0);
    accounts_balance(&a);
    host_shutdown();
}

// A claim cannot begin, as the program has taken its slots back: one that was only preempted needs none.
static void one_that_needs_no_slot(void **state)
{
    (void)state;
    have(&a, 2, 4, 8);
    works(0, 0x21);
    works(1, 0x22);
    words(&a, (uint32_t)running(&a, 0))->priority = 9;
    words(&a, (uint32_t)running(&a, 0))->disabled = 1;
    user_of(&a)->wanted = 1;
    (void)call(0, SYS_processors, 0, 0, 0);
    settle();
    assert_int_equal(running(&a, 1), -1);
    assert_int_equal(page_of(&a)->pending, 1);
    user_of(&a)->wanted = 2;
    ask(0);
    user_of(&a)->slots_given = page_of(&a)->slots_taken;
    settle();
    assert_true(running(&a, 1) >= 0);
    assert_int_equal(frame_on(1)->rbx, 0x22);
    assert_int_equal(page_of(&a)->held, 2);
    host_shutdown();
}

// A thread of c's priority, in a handler.
static void load_thread(void)
{
    pa_t page = frames(1), state = frames(2);
    struct thread_state *s = host_at(state);
    struct thread_desc d = {.priority = PRIORITY - 1, .state = state, .state_va = ABI_WINDOW + state,
                            .xstack = ABI_WINDOW + state + 2 * ABI_PAGE};

    s->depth = 1;
    s->frame[1].rip = HOST_TRAP;
    memcpy(host_at(page), &d, sizeof(d));
    assert_int_equal(call(0, SYS_thread_load, ABI_WINDOW + page, 0, 0), ERR_OK);
}

// Activations that have blocked can have no processor: who comes after them gets it, when others give one back.
static void blocked_ones_want_none(void **state)
{
    unsigned had = 0;

    (void)state;
    boot(4);
    make(&a, 3, 32, 4);
    make(&b, 4, 32, 2);
    c.lower = 1;
    make(&c, 2, 16, 1);
    load_thread();
    first_sleeps();
    assert_int_equal(page_of(&a)->held, 2);
    assert_int_equal(page_of(&b)->held, 2);
    uint32_t n = (uint32_t)__builtin_ctzll(page_of(&a)->holds), gives;

    gives = 63 - (uint32_t)__builtin_clzll(page_of(&b)->holds);       // where the thread waits
    works(n, 1);
    assert_int_equal(call(n, SYS_wait, 0, 0, 0), -1);
    assert_int_equal(page_of(&a)->held, 2);
    user_of(&b)->wanted = 1;
    assert_int_equal(call(gives, SYS_processor_release, 0, 0, 0), -1);
    for (unsigned i = 0; i < 16; i++) {
        host_advance(host_instance()->slice / 2);
        settle();
        had += page_of(&c)->held;
    }
    assert_in_range(had, 4, 12);                          // as often as the thread, which has the same priority
    host_shutdown();
}

// Two spaces want two processors each, and there are three, so one claim is in line.  Until it is that of a, whose
// program has disabled upcalls: where the other one of a runs.
static uint32_t disabled_in_line(const struct thread *disabled)
{
    for (unsigned i = 0; i < 200; i++) {
        uint32_t other = UINT32_MAX;
        for (uint32_t n = 0; n < 3; n++) {
            if (running(&a, n) >= 0 && host_instance()->cpu[n].thread != disabled) {
                other = n;
            }
            if (frame_on(n)->rip == UPCALL) {
                works(n, 0x50);
            }
        }
        if (disabled->status == THREAD_READY && other != UINT32_MAX) {
            return other;
        }
        host_advance(host_instance()->slice / 8);
        settle();
    }
    fail();
    return 0;
}

// An event comes while a claim is in line, who is expected to tell it, but goes on by itself: another one does.
static void not_told_by_that(void **state)
{
    (void)state;
    boot(3);
    make(&a, 4, 64, 2);
    make(&b, 4, 64, 2);
    first_sleeps();
    assert_int_equal(page_of(&a)->held, 2);
    uint32_t n = (uint32_t)__builtin_ctzll(page_of(&a)->holds), m = 63 - (uint32_t)__builtin_clzll(page_of(&a)->holds);
    uint32_t others = (uint32_t)__builtin_ctzll(page_of(&b)->holds);
    int blocked = running(&a, m);
    works(m, 0x51);
    assert_int_equal(call(m, SYS_wait, 0, 0, 0), -1);
    works(m, 0x52);
    works(n, 0x53);
    words(&a, (uint32_t)running(&a, n))->disabled = 1;
    struct thread *disabled = host_instance()->cpu[n].thread;
    uint32_t tells = disabled_in_line(disabled);
    others = running(&b, others) >= 0 ? others : 3 - others - tells;
    uint64_t told = times_told(&a, UPCALL_UNBLOCKED);
    (void)call(others, SYS_signal, a.thread[blocked], 0, 0);
    settle();
    assert_int_equal(page_of(&a)->pending, 1);
    assert_int_equal(frame_on(tells)->rip, HOST_TEXT + frame_on(tells)->rbx);
    for (unsigned i = 0; i < 16 && disabled->status != THREAD_RUNNING; i++) {
        host_advance(host_instance()->slice / 8);
        settle();
    }
    assert_int_equal(host_instance()->cpu[disabled->cpu].thread->state->frame[0].rbx, 0x53);
    assert_int_equal(times_told(&a, UPCALL_UNBLOCKED), told + 1);
    host_shutdown();
}

// A program that wants no processor has the one it runs on until it gives that back, and one for an event, and for a
// context that goes on by itself.
static void wants_none(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    works(0, 0x31);
    user_of(&a)->wanted = 0;
    (void)call(0, SYS_processors, 0, 0, 0);
    settle();
    assert_int_equal(frame_on(0)->rbx, 0x31);
    assert_int_equal(call(0, SYS_wait, host.clock + 1000, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    assert_int_equal(call(0, SYS_processor_release, 0, 0, 0), -1);
    settle();
    assert_int_equal(page_of(&a)->held, 0);
    host_advance(2000);
    settle();
    assert_int_equal(begun(&a, 0, s), UPCALL_UNBLOCKED | UPCALL_ADDED);
    works(0, 0x32);
    words(&a, (uint32_t)running(&a, 0))->disabled = 1;
    assert_int_equal(call(0, SYS_wait, host.clock + 1000, 0, 0), -1);
    settle();
    assert_int_equal(page_of(&a)->held, 0);
    host_advance(2000);
    settle();
    assert_int_equal(frame_on(0)->rbx, 0x32);
    host_shutdown();
}

// A second event comes while a processor is to be interrupted for the first: no other one is.
static void one_upcall_for_both(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 2, 6, 16);
    int blocked[2];
    for (unsigned i = 0; i < 2; i++) {
        blocked[i] = running(&a, 1);
        works(1, 0x40 + i);
        assert_int_equal(call(1, SYS_wait, 0, 0, 0), -1);
    }
    works(0, 0x42);
    works(1, 0x43);
    words(&a, (uint32_t)running(&a, 0))->priority = 5;
    call_early(0, SYS_signal, a.thread[blocked[0]]);
    assert_true(host_instance()->cpu[1].thread->upcall);
    words(&a, (uint32_t)running(&a, 1))->priority = 9;
    call_early(0, SYS_signal, a.thread[blocked[1]]);
    settle();
    assert_int_equal(frame_on(0)->rbx, 0x42);
    assert_int_equal(begun(&a, 1, s), UPCALL_PREEMPTED | UPCALL_UNBLOCKED);
    assert_int_equal(frame_on(1)->rsi, 3);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warned_then_blocks),     cmocka_unit_test(released_and_dropped),
        cmocka_unit_test(one_that_needs_no_slot), cmocka_unit_test(blocked_ones_want_none),
        cmocka_unit_test(not_told_by_that),       cmocka_unit_test(wants_none),
        cmocka_unit_test(one_upcall_for_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
