// test_told.c - what is told if several things happen to an activation at once (kernel/model/activation.pml).
#include "activations.h"

enum { MARK = 0x80 };

static struct party a;

// An interval ends in a handler, which then waits: the context is told when it can go on, not before.
static void timer_in_handler(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have_timers(&a, 1, 4, 8);
    int who = running(&a, 0);
    uint64_t slice = host_instance()->slice;
    works(0, 0x51);
    words(&a, (uint32_t)who)->interval = slice / 4;
    for (unsigned i = 0; i < 2; i++) {
        host_advance(slice + 1);                           // it is looked at once a slice
        settle();
        if (i == 0) {
            trap(0);
        }
    }
    assert_int_equal(host_instance()->cpu[0].thread->events, UPCALL_INTERVAL);
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    works(0, 0x52);
    host_advance(1000);
    settle();
    assert_int_equal(call(0, SYS_resume, a.space, 0, 0), -1);
    (void)begun(&a, 0, s);
    unsigned told = 0;
    for (uint32_t i = 0; i < frame_on(0)->rsi; i++) {
        if (s[i]->kinds & UPCALL_CONTEXT && s[i]->context.rbx == 0x51) {
            assert_int_equal(s[i]->kinds, UPCALL_UNBLOCKED | UPCALL_INTERVAL);
            told++;
        }
    }
    assert_int_equal(told, 1);
    host_shutdown();
}

// An interval ends with upcalls disabled, and the processor is taken: it goes on once.
static void timer_disabled(void **state)
{
    (void)state;
    have_timers(&a, 1, 4, 8);
    int who = running(&a, 0);
    uint64_t slice = host_instance()->slice;
    works(0, 0x61);
    words(&a, (uint32_t)who)->disabled = 1;
    words(&a, (uint32_t)who)->interval = slice / 4;
    for (unsigned i = 0; i < 2; i++) {
        host_advance(slice + 1);
        settle();
    }
    struct thread *t = host_instance()->cpu[0].thread;
    assert_int_equal(t->events, UPCALL_INTERVAL);
    first_wakes();
    assert_false(list_empty(&t->home->claims.paused));
    first_sleeps();
    assert_int_equal(running(&a, 0), who);
    assert_true(list_empty(&t->home->claims.paused));
    assert_int_equal(frame_on(0)->rbx, 0x61);
    words(&a, (uint32_t)who)->disabled = 0;
    (void)call(0, SYS_processors, 0, 0, 0);
    struct upcall_slot *s[UPCALL_BATCH];
    assert_int_equal(begun(&a, 0, s), UPCALL_INTERVAL);
    assert_int_equal(s[0]->context.rbx, 0x61);
    host_shutdown();
}

// A higher thread has been placed on the processor, which has not heard of it, when its program blocks there: the space
// loses that processor, and what it was told says so.
static void overtaken(void **state)
{
    struct instance *in;

    (void)state;
    have(&a, 1, 4, 8);
    in = host_instance();
    struct thread *first = thread_find(in, in->info->thread);
    works(0, 0x41);
    trap(0);
    struct cpu *cpu = host_enter(0);
    instance_lock(cpu);
    sched_signal(cpu, first);                              // as by another processor, whose interrupt is on its way
    instance_unlock(cpu);
    (void)call(0, SYS_wait, host.clock + 100, 0, 0);
    assert_ptr_equal(cpu->thread, first);
    assert_int_equal(page_of(&a)->held, 0);
    first_sleeps();
    host_advance(1000);
    settle();
    if (cpu->thread != NULL && cpu->thread->depth > 0) {
        (void)call(0, SYS_resume, a.space, 0, 0);
    }
    assert_int_equal(page_of(&a)->held, 1);
    accounts_balance(&a);
    host_shutdown();
}

// The processor that a space lacks has a thread, whose priority is lowered while it runs.
static void lowered(void **state)
{
    (void)state;
    boot(1);
    make(&a, 2, 8, 1);
    assert_int_equal(running(&a, 0), -1);
    (void)call(0, SYS_thread_priority, host_instance()->info->thread, PRIORITY - 1, 0);
    assert_int_not_equal(running(&a, 0), -1);
    assert_int_equal(page_of(&a)->held, 1);
    host_shutdown();
}

// Two can go on at once, and slots are scarce: one goes on by itself, as nothing of it was told, and takes the
// processor from a lower thread; then it is asked to tell of the other.
static void left_to_one(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    boot(1);
    make(&a, 2, 4, 1);
    (void)call(0, SYS_thread_priority, host_instance()->info->thread, PRIORITY - 1, 0);
    settle();
    works(0, 0x71);
    (void)call(0, SYS_wait, host.clock + 100, 0, 0);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    works(0, 0x72);
    (void)call(0, SYS_wait, host.clock + 100, 0, 0);
    assert_int_equal(running(&a, 0), -1);
    assert_non_null(host_instance()->cpu[0].thread);
    assert_int_equal(a.given - page_of(&a)->slots_taken, 2);
    host_advance(1000);
    settle();
    assert_int_equal(page_of(&a)->pending, 0);
    assert_int_equal(begun(&a, 0, s), UPCALL_PREEMPTED | UPCALL_UNBLOCKED);
    assert_int_equal(s[0]->context.rbx, 0x72);
    assert_int_equal(s[1]->context.rbx, 0x71);
    host_shutdown();
}

// The space is to leave a processor; before it is interrupted there, its activation goes by itself, for somebody more
// important.  It has to be told on the other one, at once.
static void preempted_on_its_way_out(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 2, 4, 8);
    works(0, 0x91);
    works(1, 0x92);
    struct thread *t = thread_find(host_instance(), host_instance()->info->thread);
    t->affinity = 2;
    struct cpu *cpu = host_enter(0);
    instance_lock(cpu);
    sched_signal(cpu, t);
    sched_exit(cpu);
    instance_unlock(cpu);
    assert_true(host_instance()->cpu[1].thread->drop);
    (void)call(1, SYS_processors, 0, 0, 0);
    assert_ptr_equal(host_instance()->cpu[1].thread, t);
    settle();
    assert_int_equal(begun(&a, 0, s), UPCALL_PREEMPTED | UPCALL_TAKEN);
    assert_int_equal(s[1]->context.rbx, 0x92);
    assert_int_equal(page_of(&a)->pending, 0);
    host_shutdown();
}

// ---- alarms: each value is heard once ---------------------------------------------------------------------------

static uint64_t alarms(void)
{
    return times_told(&a, UPCALL_ALARM);
}

// One activation runs, with an alarm in two slices.  Gives its words.
static struct activation_user *with_alarm(uint32_t activations)
{
    have_timers(&a, 1, activations, 16);
    struct activation_user *u = words(&a, (uint32_t)running(&a, 0));
    works(0, 0x81);
    u->alarm = host.clock + 2 * host_instance()->slice;
    return u;
}

static void pass(unsigned slices)
{
    for (unsigned i = 0; i < 2 * slices; i++) {
        host_advance(host_instance()->slice / 2);
        settle();
    }
}

// The processor is taken and comes back, before the moment: that upcall has not heard it.
static void alarm_to_come(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    (void)with_alarm(1);
    first_wakes();
    first_sleeps();
    assert_true(begun(&a, 0, s) & UPCALL_PREEMPTED);
    assert_int_equal(alarms(), 0);
    works(0, 0x82);
    pass(4);
    assert_int_equal(alarms(), 1);
    assert_int_equal(begun(&a, 0, s), UPCALL_ALARM);
    assert_int_equal(s[0]->context.rbx, 0x82);
    pass(8);
    assert_int_equal(alarms(), 1);
    host_shutdown();
}

// The moment passes meanwhile: it is heard before the first instruction of that upcall, and not again after a return
// from memory.
static void alarm_that_passed(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    const struct activation_user *u = with_alarm(1);
    first_wakes();
    host_advance(4 * host_instance()->slice);
    settle();
    first_sleeps();
    assert_int_equal(begun(&a, 0, s), UPCALL_ALARM);
    assert_int_equal(s[0]->context.rip, UPCALL);
    assert_int_equal(alarms(), 1);
    works(0, 0x83);
    first_wakes();
    assert_int_equal(call(0, SYS_thread_unload, a.thread[0], 0, 0), ERR_OK);
    settle();
    assert_int_equal(load_activation(&a, 0, ((struct thread_state *)host_at(a.state[0]))->run), ERR_OK);
    first_sleeps();
    pass(4);
    assert_int_equal(running(&a, 0), 0);
    assert_true(u->alarm < host.clock);
    assert_int_equal(alarms(), 1);
    host_shutdown();
}

// It comes while upcalls are disabled: at a look after that, without a call.  Given back with it, it is heard by the
// next upcall of that activation.
static void alarm_disabled(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    struct activation_user *u = with_alarm(1);
    u->disabled = 1;
    pass(4);
    assert_int_equal(frame_on(0)->rbx, 0x81);
    u->disabled = 0;
    pass(2);
    assert_int_equal(alarms(), 1);
    assert_int_equal(begun(&a, 0, s), UPCALL_ALARM);
    works(0, 0x84);
    u->alarm = host.clock;
    u->disabled = 1;
    pass(4);
    assert_int_equal(alarms(), 1);
    u->disabled = 0;
    (void)call(0, SYS_processor_release, 0, 0, 0);
    pass(4);
    assert_int_equal(running(&a, 0), 0);
    assert_int_equal(alarms(), 2);
    host_shutdown();
}

// It passes for one that begins where another has blocked: heard before the first instruction of that upcall.
static void alarm_of_the_next(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    const struct activation_user *u = with_alarm(2);
    uint32_t next = u == words(&a, 0);
    words(&a, next)->alarm = host.clock;
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    assert_int_equal(running(&a, 0), next);
    assert_int_equal(begun(&a, 0, s), UPCALL_ALARM);
    assert_int_equal(s[0]->context.rip, UPCALL);
    assert_int_equal(slot(&a, (uint32_t)s[0]->context.rdi)->kinds, UPCALL_BLOCKED);
    assert_int_equal(page_of(&a)->pending, 0);
    host_shutdown();
}

// A descriptor that is loaded again has nothing of the timers of who had it before.
static void timers_of_another(void **state)
{
    (void)state;
    struct activation_user *u = with_alarm(2);
    u->alarm = 0;
    u->interval = 8 * host_instance()->slice;
    pass(2);
    u->disabled = 1;
    int who = running(&a, 0);
    const struct thread *t = host_instance()->cpu[0].thread;
    struct thread_state *page = host_at(a.state[who]);
    assert_int_not_equal(t->interval_left, 0);
    first_wakes();
    do {                                                   // descriptors come in turn
        assert_int_equal(call(0, SYS_thread_unload, a.thread[who], 0, 0), ERR_OK);
        settle();
        page->ran = 0;
        assert_int_equal(load_activation(&a, (uint32_t)who, page->run), ERR_OK);
    } while (thread_find(host_instance(), a.thread[who]) != t);
    u->disabled = 0;
    first_sleeps();
    pass(6);
    assert_int_equal(times_told(&a, UPCALL_INTERVAL), 0);
    host_shutdown();
}

// The same handler waits, and no slot is left: the program goes on, as it may be the one that gives some.  When it has,
// it is told that the interval is over.
static void timer_without_slots(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have_timers(&a, 1, 2, 1);
    works(0, 0x81);
    words(&a, (uint32_t)running(&a, 0))->interval = host_instance()->slice / 4;
    host_advance(host_instance()->slice + 1);
    settle();
    trap(0);
    host_advance(host_instance()->slice + 1);
    settle();
    assert_int_equal(host_instance()->cpu[0].thread->events, UPCALL_INTERVAL);
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    assert_int_equal(running(&a, 0), -1);
    host_advance(1000);
    settle();
    (void)call(0, SYS_resume, a.space, 0, 0);
    assert_int_not_equal(running(&a, 0), -1);
    assert_int_equal(frame_on(0)->rbx, 0x81);
    give(&a, 0);
    give(&a, 0);
    host_advance(host_instance()->slice + 1);
    settle();
    assert_int_equal(begun(&a, 0, s), UPCALL_INTERVAL);
    assert_int_equal(s[0]->context.rbx, 0x81);
    host_shutdown();
}

// The only activation that is loaded has an event that must be told, and one slot is left: it tells of itself.
static void tells_of_itself(void **state)
{
    const uint32_t back = UPCALL_BLOCKED | UPCALL_UNBLOCKED;
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have_timers(&a, 1, 1, 2);
    works(0, 0x81);
    words(&a, 0)->interval = host_instance()->slice / 4;
    host_advance(host_instance()->slice + 1);
    settle();
    trap(0);
    host_advance(host_instance()->slice + 1);
    settle();
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    host_advance(1000);
    settle();
    assert_int_equal(a.given - page_of(&a)->slots_taken, 1);
    (void)call(0, SYS_resume, a.space, 0, 0);
    assert_int_equal(running(&a, 0), 0);
    assert_int_equal(begun(&a, 0, s), back | UPCALL_ADDED | UPCALL_TAKEN | UPCALL_INTERVAL);
    assert_int_equal(s[0]->context.rbx, 0x81);
    host_shutdown();
}

// Each upcall's handler waits for what one before it has, so no slot comes back until one goes on, and `spent` are used
// up before: all go on, told of or by themselves.
static void wait_for_each_other(uint32_t slots, unsigned spent)
{
    struct upcall_slot *s[UPCALL_BATCH];
    uint64_t waits = 0, until;

    have(&a, 1, 8, slots);
    for (unsigned i = 0; i < spent && running(&a, 0) >= 0; i++) {
        (void)call(0, SYS_processor_release, 0, 0, 0);
        settle();
    }
    until = host.clock + 1000000;
    for (unsigned i = 0; i < 8 && running(&a, 0) >= 0; i++) {
        works(0, MARK + i);
        if (a.given == page_of(&a)->slots_taken) {
            (void)call(0, SYS_processor_release, 0, 0, 0);
        } else {
            waits |= 1ull << i;
            (void)call(0, SYS_wait, until, 0, 0);
        }
        settle();
    }
    assert_int_equal(running(&a, 0), -1);
    host_advance(1000001);
    settle();
    for (unsigned i = 0; i < 32 && running(&a, 0) >= 0; i++) {
        if (frame_on(0)->rip == UPCALL) {
            (void)begun(&a, 0, s);
            for (uint32_t j = 0; j < frame_on(0)->rsi; j++) {
                uint64_t rbx = s[j]->kinds & UPCALL_CONTEXT ? s[j]->context.rbx : 0;
                waits &= rbx >= MARK ? ~(1ull << (rbx - MARK)) : ~0ull;
                give(&a, (uint32_t)(s[j] - slot(&a, 0)));
            }
        } else {
            waits &= ~(1ull << (frame_on(0)->rbx - MARK));
        }
        (void)call(0, SYS_processor_release, 0, 0, 0);
        settle();
    }
    assert_int_equal(waits, 0);
    host_shutdown();
}

static void told_again(void **state)
{
    (void)state;
    for (unsigned spent = 0; spent < 4; spent++) {
        wait_for_each_other(8, spent);
    }
}

// More events than one upcall may tell: the next one tells the rest, each once.
static void many_at_once(void **state)
{
    enum { EVENTS = UPCALL_BATCH + 4 };
    struct upcall_slot *s[UPCALL_BATCH];
    uint64_t seen = 0, upcalls = 0;

    (void)state;
    have(&a, 1, EVENTS + 4, 64);
    int who = running(&a, 0);
    works(0, 1);
    words(&a, (uint32_t)who)->disabled = 1;
    first_wakes();
    for (int i = 0, n = 0; n < EVENTS; i++) {
        if (i != who) {
            unload(&a, i);
            state_of(&a, i)->events = UPCALL_OWNER;
            state_of(&a, i)->frame[0].rbx = MARK + (uint64_t)n++;
            assert_int_equal(load_activation(&a, (uint32_t)i, RUN_READY), ERR_OK);
        }
    }
    first_sleeps();
    assert_int_equal(page_of(&a)->pending, EVENTS);
    words(&a, (uint32_t)who)->disabled = 0;
    while (page_of(&a)->pending != 0) {
        works(0, 1);
        (void)call(0, SYS_processors, 0, 0, 0);
        (void)begun(&a, 0, s);
        for (uint32_t i = 0; i < frame_on(0)->rsi; i++) {
            uint64_t bit = s[i]->kinds == UPCALL_OWNER ? 1ull << (s[i]->context.rbx - MARK) : 0;
            assert_int_equal(seen & bit, 0);
            seen |= bit;
        }
        upcalls++;
    }
    assert_int_equal(seen, (1u << EVENTS) - 1);
    assert_int_equal(upcalls, 2);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_in_handler),
        cmocka_unit_test(timer_disabled),
        cmocka_unit_test(overtaken),
        cmocka_unit_test(lowered),
        cmocka_unit_test(left_to_one),
        cmocka_unit_test(preempted_on_its_way_out),
        cmocka_unit_test(alarm_to_come),
        cmocka_unit_test(alarm_that_passed),
        cmocka_unit_test(alarm_disabled),
        cmocka_unit_test(alarm_of_the_next),
        cmocka_unit_test(timers_of_another),
        cmocka_unit_test(timer_without_slots),
        cmocka_unit_test(tells_of_itself),
        cmocka_unit_test(told_again),
        cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
