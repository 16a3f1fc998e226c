// test_activation.c - spaces of activations: processors, upcalls, blocking, events; scripted.
#include "activations.h"

static struct party a, b;

static void added(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    boot(2);
    make(&a, 4, 8, 2);
    assert_int_equal(begun(&a, 1, s), UPCALL_ADDED);
    assert_int_equal(page_of(&a)->held, 1);               // the first kernel's thread has the other one
    first_sleeps();
    assert_int_equal(begun(&a, 0, s), UPCALL_ADDED);
    assert_int_equal(s[0]->processor, 0);
    assert_int_equal(page_of(&a)->holds, 3);
    assert_int_equal(page_of(&a)->told[0], 2);
    host_shutdown();
}

static void preempted_and_back(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    assert_int_equal(begun(&a, 0, s), UPCALL_ADDED);
    works(0, 0x123);
    words(&a, (uint32_t)running(&a, 0))->thread = 4711;
    first_wakes();                                        // of a higher priority
    assert_int_equal(running(&a, 0), -1);
    assert_int_equal(page_of(&a)->held, 0);
    assert_int_equal(page_of(&a)->pending, 1);
    first_sleeps();
    assert_int_equal(begun(&a, 0, s), UPCALL_PREEMPTED | UPCALL_TAKEN | UPCALL_ADDED);
    struct upcall_slot *x = s[s[0]->kinds & UPCALL_PREEMPTED ? 0 : 1];
    assert_int_equal(x->context.rbx, 0x123);
    assert_int_equal(x->context.rip, HOST_TEXT + 0x123);
    assert_int_equal(x->thread, 4711);
    assert_int_equal(page_of(&a)->pending, 0);
    host_shutdown();
}

// The space has two processors and loses one: it hears of it on the other.
static void told_on_another(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 2, 4, 8);
    works(0, 0x10);
    works(1, 0x11);
    first_wakes();
    uint32_t kinds = begun(&a, 1, s);
    assert_int_equal(kinds, UPCALL_PREEMPTED | UPCALL_TAKEN);
    assert_int_equal(frame_on(1)->rsi, 2);
    assert_int_equal(s[0]->context.rbx, 0x11);            // stopped for the sake of the upcall
    assert_int_equal(s[0]->kinds, UPCALL_PREEMPTED);
    assert_int_equal(s[1]->context.rbx, 0x10);
    assert_int_equal(page_of(&a)->held, 1);
    host_shutdown();
}

// Waits in its handler; is woken; goes back.
static void blocked_and_unblocked(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    int who = running(&a, 0);
    works(0, 0x42);
    trap(0);
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    assert_int_equal(s[0]->activation, who);
    assert_int_equal(page_of(&a)->held, 1);
    assert_true(running(&a, 0) != who);
    works(0, 0x43);
    host_advance(1000);
    settle();
    // Its handler comes before its space's program, on the processor that its space has.
    assert_int_equal(running(&a, 0), -1);
    assert_int_equal(host_instance()->cpu[0].thread->o.id, a.thread[who]);
    assert_int_equal(call(0, SYS_resume, a.space, 0, 0), -1);
    uint32_t kinds = 0;
    (void)begun(&a, 0, s);
    for (uint32_t i = 0; i < frame_on(0)->rsi; i++) {
        kinds |= s[i]->kinds;
        if (s[i]->kinds & UPCALL_UNBLOCKED) {
            assert_int_equal(s[i]->activation, who);
            assert_int_equal(s[i]->context.rbx, 0x42);
        }
    }
    assert_true(kinds & UPCALL_UNBLOCKED);
    host_shutdown();
}

// One that waits in its program is blocked, too.
static void waits_in_program(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    int who = running(&a, 0);
    works(0, 0x55);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    works(0, 0x56);
    (void)call(0, SYS_signal, a.thread[who], 0, 0);
    assert_int_equal(begun(&a, 0, s), UPCALL_PREEMPTED | UPCALL_UNBLOCKED);
    assert_int_equal(frame_on(0)->rsi, 2);
    assert_int_equal(s[1]->context.rbx, 0x55);
    assert_int_equal(s[1]->context.rax, ERR_OK);
    assert_int_equal(s[0]->context.rbx, 0x56);
    host_shutdown();
}

static void gives_back(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 2, 4, 8);
    user_of(&a)->wanted = 1;
    assert_int_equal(call(1, SYS_processor_release, 0, 0, 0), -1);
    assert_int_equal(page_of(&a)->held, 1);
    assert_int_equal(page_of(&a)->released, 1);
    assert_null(host_instance()->cpu[1].thread);
    works(0, 1);
    user_of(&a)->wanted = 2;
    settle();
    assert_int_equal(page_of(&a)->held, 1);               // nobody has said anything
    assert_int_equal(page_of(&a)->helps, 1);              // but it is told that it would help
    assert_int_equal(call(0, SYS_processors, 0, 0, 0), ERR_OK);
    assert_int_equal(value, 1);
    settle();
    assert_int_equal(begun(&a, 1, s), UPCALL_ADDED);
    assert_int_equal(page_of(&a)->held, 2);
    assert_int_equal(page_of(&a)->helps, 0);
    host_shutdown();
}

// Two spaces, and then threads: equal shares, at once.
static void shares(void **state)
{
    (void)state;
    have(&a, 4, 8, 32);
    assert_int_equal(page_of(&a)->held, 4);
    first_wakes();
    make(&b, 8, 32, 4);
    first_sleeps();
    settle();
    assert_int_equal(page_of(&a)->held, 2);
    assert_int_equal(page_of(&b)->held, 2);
    uint64_t holds = page_of(&b)->holds;
    uint32_t n = (uint32_t)__builtin_ctzll(holds), m = (uint32_t)__builtin_ctzll(holds & (holds - 1));
    user_of(&b)->wanted = 1;
    assert_int_equal(call(n, SYS_processor_release, 0, 0, 0), -1);
    settle();
    assert_int_equal(page_of(&a)->held, 3);
    user_of(&b)->wanted = 4;
    assert_int_equal(call(m, SYS_processors, 0, 0, 0), ERR_OK);
    settle();
    assert_int_equal(page_of(&a)->held, 2);
    assert_int_equal(page_of(&b)->held, 2);
    host_shutdown();
}

// With upcalls disabled a context that is stopped goes on by itself; what happens meanwhile is told later.
static void disabled(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    int who = running(&a, 0);
    works(0, 0x77);
    words(&a, (uint32_t)who)->disabled = 1;
    first_wakes();
    assert_int_equal(page_of(&a)->held, 0);
    first_sleeps();
    assert_int_equal(running(&a, 0), who);
    assert_int_equal(frame_on(0)->rbx, 0x77);
    assert_int_equal(frame_on(0)->rip, HOST_TEXT + 0x77);
    words(&a, (uint32_t)who)->disabled = 0;
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    who = running(&a, 0);
    works(0, 0x78);
    words(&a, (uint32_t)who)->disabled = 1;
    host_advance(1000);                                   // its deadline
    settle();
    assert_int_equal(running(&a, 0), who);
    assert_int_equal(frame_on(0)->rbx, 0x78);
    assert_int_equal(page_of(&a)->pending, 1);
    words(&a, (uint32_t)who)->disabled = 0;
    (void)call(0, SYS_processors, 0, 0, 0);
    assert_int_equal(begun(&a, 0, s), UPCALL_PREEMPTED | UPCALL_UNBLOCKED);
    assert_int_equal(s[1]->context.rax, ERR_TIMEOUT);
    host_shutdown();
}

// No fresh activation: the processor is withdrawn and the event waits, until one of them can be used again.
static void pool_empty(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 1, 8);
    works(0, 0x21);
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    assert_null(host_instance()->cpu[0].thread);
    assert_int_equal(page_of(&a)->pending, 1);
    host_advance(1000);
    settle();
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED | UPCALL_TAKEN | UPCALL_UNBLOCKED | UPCALL_ADDED);
    assert_int_equal(s[0]->context.rbx, 0x21);
    host_shutdown();
}

// No slot: a processor cannot be used, an event waits; until the program gives one.
static void no_slots(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 2, 4, 1);
    settle();
    assert_int_equal(page_of(&a)->held, 1);
    uint32_t n = (uint32_t)__builtin_ctzll(page_of(&a)->holds);
    user_of(&a)->slot[a.given % SLOTS_MOST] = 12345;      // is skipped
    user_of(&a)->slots_given = ++a.given;
    give(&a, 0);
    works(n, 1);
    assert_int_equal(call(n, SYS_processors, 0, 0, 0), ERR_OK);
    settle();
    assert_int_equal(page_of(&a)->held, 2);
    assert_int_equal(begun(&a, 1 - n, s), UPCALL_ADDED);
    user_of(&a)->slots_given = a.given + 100000;          // nonsense: the ring's old entries
    assert_int_equal(call(n, SYS_processors, 0, 0, 0), ERR_OK);
    settle();
    host_shutdown();
}

// Written back in every state, and loaded again: nothing is lost.
static void written_back(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];
    unsigned contexts = 0, fresh = 0, handlers = 0;

    (void)state;
    have(&a, 2, 6, 24);
    works(0, 0x31);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);     // blocked in its program
    works(0, 0x32);
    trap(0);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);     // blocked in its handler
    works(0, 0x33);
    works(1, 0x34);
    first_wakes();
    while (call(0, SYS_space_unload, a.space, 0, 0) != ERR_OK) {
        settle();
    }
    assert_int_equal(host_instance()->nclaimants, 0);
    for (uint32_t i = 0; i < a.activations; i++) {
        const struct thread_state *t = host_at(a.state[i]);
        if (t->loaded) {
            assert_int_equal(t->frame[0].rbx, 0x32);      // in its handler it is none of the space's
            handlers++;
        } else if (t->run == RUN_FRESH) {
            fresh++;
        } else {
            assert_true(t->events & UPCALL_CONTEXT);
            contexts++;
        }
    }
    assert_int_equal(handlers, 1);
    assert_true(contexts >= 2 && fresh + contexts == 5);
    user_of(&a)->wanted = 1;
    assert_int_equal(load_space(&a), ERR_OK);
    uint64_t seen = 0, told = page_of(&a)->upcalls;
    for (uint32_t i = 0; i < a.activations; i++) {
        struct thread_state *t = host_at(a.state[i]);
        if (!t->loaded) {
            assert_int_equal(load_activation(&a, i, t->run), ERR_OK);
        }
    }
    first_sleeps();
    for (uint32_t n = 0; n < 2; n++) {
        if (running(&a, n) >= 0) {
            (void)begun(&a, n, s);
            for (uint64_t i = 0; i < frame_on(n)->rsi; i++) {
                seen |= s[i]->kinds & UPCALL_CONTEXT ? 1ull << (s[i]->context.rbx & 15) : 0;
            }
        }
    }
    assert_true(page_of(&a)->upcalls > told);
    assert_int_equal(seen & 2, 2);
    host_shutdown();
}

static void bad_arguments(void **state)
{
    struct space_desc good, d;
    pa_t page;

    (void)state;
    boot(1);
    make(&a, 2, 4, 0);
    good = describe(&a);
    page = frames(1);
#define REFUSED(field, wrong, error)                                                                         \
    d = good;                                                                                                \
    d.field = wrong;                                                                                         \
    memcpy(host_at(page), &d, sizeof(d));                                                                    \
    assert_int_equal(call(0, SYS_space_load, ABI_WINDOW + page, 0, 0), error)
    REFUSED(schedule, 2, ERR_INVAL);
    REFUSED(schedule, SCHEDULE_THREADS, ERR_INVAL);
    REFUSED(activations, 0, ERR_INVAL);
    REFUSED(activations, ACTIVATIONS_MOST + 1, ERR_INVAL);
    REFUSED(slots, 0, ERR_INVAL);
    REFUSED(slots, SLOTS_MOST + 1, ERR_INVAL);
    REFUSED(area, good.area + 64, ERR_INVAL);
    REFUSED(area, 0, ERR_DENIED);
    REFUSED(area, ~0xfffull, ERR_DENIED);
    REFUSED(area_va, ABI_USER_END - ABI_PAGE, ERR_INVAL);
    REFUSED(area_va, ~0xfffull, ERR_INVAL);
    REFUSED(upcall, ABI_USER_END, ERR_INVAL);
    REFUSED(priority, ABI_PRIORITIES, ERR_INVAL);
    a.state[2] = frames(2);
    assert_int_equal(load_activation(&a, 2, RUN_FRESH), ERR_INVAL);      // no such index
    assert_int_equal(call(0, SYS_processors, 0, 0, 0), ERR_DENIED);       // no activation
    assert_int_equal(call(0, SYS_processor_release, 0, 0, 0), ERR_DENIED);
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_FAULT, 0), ERR_DEPTH);
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_ADDED, 0), ERR_INVAL);
    assert_int_equal(call(0, SYS_thread_priority, a.thread[0], 3, 0), ERR_DENIED);
    host_shutdown();
}

// The owner refuses an access, and has something to say.
static void owner_tells(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    works(0, 0x61);
    pa_t pa;
    assert_false(host_touch(0, 0x900000, MAP_WRITE, &pa));
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_FAULT, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_FAULT);
    assert_int_equal(s[0]->context.rbx, 0x61);
    assert_int_equal(s[0]->context.addr, 0x900000);
    works(0, 0x62);
    words(&a, (uint32_t)running(&a, 0))->disabled = 1;
    trap(0);
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_OWNER, 5), ERR_DENIED);
    words(&a, (uint32_t)running(&a, 0))->disabled = 0;
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_OWNER, 5), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_OWNER);
    assert_int_equal(s[0]->value, 5);
    host_shutdown();
}

// What the owner has said waits for a slot; other calls of its do not change it.
static void owner_told_once(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    works(0, 0x65);
    user_of(&a)->slots_given = page_of(&a)->slots_taken;
    trap(0);
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_OWNER, 5), -1);
    assert_int_equal(frame_on(0)->rbx, 0x65);             // there is none
    trap(0);
    assert_int_equal(call(0, SYS_upcall, a.space + 1, UPCALL_OWNER, 6), ERR_STALE);
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_FAULT, 7), -1);
    assert_int_equal(frame_on(0)->rbx, 0x65);
    user_of(&a)->slots_given = a.given;
    (void)call(0, SYS_processors, 0, 0, 0);
    assert_int_equal(begun(&a, 0, s), UPCALL_OWNER | UPCALL_FAULT);
    assert_int_equal(s[0]->value, 5);
    host_shutdown();
}

// What the owner has said waits, and its activation is written back and loaded again meanwhile.
static void owner_told_late(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    int i = running(&a, 0);
    works(0, 0x63);
    trap(0);
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    works(0, 0x64);
    struct activation_user *other = words(&a, (uint32_t)running(&a, 0));
    other->disabled = 1;
    host_advance(1000);
    settle();
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_OWNER, 5), -1);
    settle();
    assert_int_equal(page_of(&a)->pending, 1);
    first_wakes();
    unload(&a, i);
    assert_int_equal(page_of(&a)->pending, 0);
    assert_int_equal(load_activation(&a, (uint32_t)i, state_of(&a, i)->run), ERR_OK);
    first_sleeps();
    assert_int_equal(frame_on(0)->rbx, 0x64);
    other->disabled = 0;
    (void)call(0, SYS_processors, 0, 0, 0);
    assert_int_equal(begun(&a, 0, s), UPCALL_PREEMPTED | UPCALL_UNBLOCKED | UPCALL_OWNER);
    assert_int_equal(s[1]->context.rbx, 0x63);
    assert_int_equal(s[1]->value, 5);
    host_shutdown();
}

static void timers(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];
    uint64_t slice;

    (void)state;
    boot(1);
    slice = host_instance()->slice;
    make(&a, 4, 8, 1);
    user_of(&a)->tick = 1;
    first_sleeps();
    works(0, 0x71);
    words(&a, (uint32_t)running(&a, 0))->interval = 3 * slice / 2;
    for (unsigned i = 0; i < 8 && frame_on(0)->rip != UPCALL; i++) {
        host_advance(slice / 2);
        settle();
    }
    assert_int_equal(begun(&a, 0, s), UPCALL_INTERVAL);
    assert_int_equal(s[0]->context.rbx, 0x71);
    works(0, 0x74);                                       // the same value counts anew from each upcall on
    for (unsigned i = 0; i < 8 && frame_on(0)->rip != UPCALL; i++) {
        host_advance(slice / 2);
        settle();
    }
    assert_int_equal(begun(&a, 0, s), UPCALL_INTERVAL);
    assert_int_equal(s[0]->context.rbx, 0x74);
    words(&a, (uint32_t)running(&a, 0))->interval = 0;
    works(0, 0x72);
    words(&a, (uint32_t)running(&a, 0))->alarm = host.clock + 2 * slice;
    for (unsigned i = 0; i < 8 && frame_on(0)->rip != UPCALL; i++) {
        host_advance(slice / 2);
        settle();
    }
    assert_int_equal(begun(&a, 0, s), UPCALL_ALARM);
    works(0, 0x73);
    words(&a, (uint32_t)running(&a, 0))->alarm = 0;       // never
    for (unsigned i = 0; i < 4; i++) {
        host_advance(slice);
        settle();
    }
    assert_int_equal(frame_on(0)->rip, HOST_TEXT + 0x73);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added),          cmocka_unit_test(preempted_and_back), cmocka_unit_test(told_on_another),
        cmocka_unit_test(blocked_and_unblocked), cmocka_unit_test(waits_in_program), cmocka_unit_test(gives_back),
        cmocka_unit_test(shares),         cmocka_unit_test(disabled),           cmocka_unit_test(pool_empty),
        cmocka_unit_test(no_slots),       cmocka_unit_test(written_back),       cmocka_unit_test(bad_arguments),
        cmocka_unit_test(owner_tells),    cmocka_unit_test(owner_told_once),    cmocka_unit_test(owner_told_late),
        cmocka_unit_test(timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
