// test_claims.c - spaces of activations whose programs and owners do what nobody expects; what they hold stays right.
#include "activations.h"

static struct party a, b;

// Time passes until an upcall begins on n, for so many slices at most.
static bool upcall_within(uint32_t n, unsigned slices)
{
    for (unsigned i = 0; i < 8 * slices && frame_on(n)->rip != UPCALL; i++) {
        host_advance(host_instance()->slice / 8);
        settle();
    }
    return frame_on(n)->rip == UPCALL;
}

// A timer expires while upcalls are disabled, and the program enables them and gives its processor back.
static void late_timer(void **state)
{
    (void)state;
    have_timers(&a, 2, 4, 16);
    for (uint32_t n = 0; n < 2; n++) {
        works(n, n + 1);
        words(&a, (uint32_t)running(&a, n))->disabled = 1;
        words(&a, (uint32_t)running(&a, n))->interval = host_instance()->slice / 4;
    }
    for (unsigned i = 0; i < 16; i++) {
        host_advance(host_instance()->slice / 4);
        settle();
    }
    assert_int_equal(frame_on(0)->rbx, 1);
    words(&a, (uint32_t)running(&a, 0))->disabled = 0;
    assert_int_equal(call(0, SYS_processor_release, 0, 0, 0), -1);
    for (unsigned i = 0; i < 16; i++) {
        host_advance(host_instance()->slice / 4);
        settle();
    }
    assert_true(running(&a, 0) != running(&a, 1));
    held_right(&a);
    struct upcall_slot *s[UPCALL_BATCH];
    assert_int_equal(begun(&a, 0, s), UPCALL_ADDED);
    host_shutdown();
}

// Written back while upcalls are disabled, in the program: goes on when it is back.
static void disabled_and_away(void **state)
{
    (void)state;
    have(&a, 2, 4, 16);
    int who = running(&a, 0);
    works(0, 0x51);
    works(1, 0x52);
    words(&a, (uint32_t)who)->disabled = 1;
    first_wakes();
    unload(&a, who);
    held_right(&a);
    assert_int_equal(load_activation(&a, (uint32_t)who, state_of(&a, who)->run), ERR_OK);
    first_sleeps();
    int at = running(&a, 0) == who ? 0 : 1;
    assert_int_equal(running(&a, (uint32_t)at), who);
    assert_int_equal(frame_on((uint32_t)at)->rbx, 0x51);
    assert_true(running(&a, 0) != running(&a, 1) && running(&a, 0) >= 0 && running(&a, 1) >= 0);
    held_right(&a);
    accounts_balance(&a);
    host_shutdown();
}

// The same in its owner's handler: neither that it blocks nor its context is told.
static void disabled_in_handler(void **state)
{
    (void)state;
    have(&a, 1, 4, 16);
    int who = running(&a, 0);
    works(0, 0x53);
    words(&a, (uint32_t)who)->disabled = 1;
    trap(0);
    first_wakes();
    unload(&a, who);
    assert_int_equal(state_of(&a, who)->depth, 1);
    assert_int_equal(load_activation(&a, (uint32_t)who, state_of(&a, who)->run), ERR_OK);
    first_sleeps();
    while (host_instance()->cpu[0].thread->o.id != a.thread[who]) {
        assert_int_equal(call(0, SYS_processor_release, 0, 0, 0), -1);
    }
    assert_int_equal(host_instance()->cpu[0].thread->depth, 1);
    (void)call(0, SYS_resume, a.space, 0, 0);
    settle();
    assert_int_equal(running(&a, 0), who);
    assert_int_equal(frame_on(0)->rbx, 0x53);
    assert_int_equal(times_told(&a, UPCALL_BLOCKED), 0);
    held_right(&a);
    accounts_balance(&a);
    host_shutdown();
}

// A handler blocks while upcalls are disabled, and still waits when they are not: then that is told, and once.
static void told_late(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 2, 4, 16);
    int who = running(&a, 0);
    works(0, 0x54);
    works(1, 0x55);
    words(&a, (uint32_t)who)->disabled = 1;
    trap(0);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    settle();
    works(1, 0x55);
    (void)call(1, SYS_processors, 0, 0, 0);
    assert_int_equal(times_told(&a, UPCALL_BLOCKED), 0);
    words(&a, (uint32_t)who)->disabled = 0;
    (void)call(1, SYS_processors, 0, 0, 0);
    assert_int_equal(begun(&a, 1, s), UPCALL_PREEMPTED | UPCALL_BLOCKED | UPCALL_TAKEN);
    assert_int_equal(s[1]->activation, who);
    works(1, 0x56);
    assert_int_equal(call(1, SYS_signal, a.thread[who], 0, 0), ERR_OK);
    settle();
    for (uint32_t n = 0; n < 2; n++) {
        const struct thread *t = host_instance()->cpu[n].thread;
        if (t != NULL && t->o.id == a.thread[who]) {
            (void)call(n, SYS_resume, a.space, 0, 0);
        }
    }
    settle();
    assert_int_equal(times_told(&a, UPCALL_BLOCKED), 1);
    assert_int_equal(times_told(&a, UPCALL_UNBLOCKED), 1);
    held_right(&a);
    accounts_balance(&a);
    host_shutdown();
}

// Told as blocked, in its handler; upcalls are disabled for it, and it is written back: it does not go on by itself.
static void told_then_disabled(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 16);
    int who = running(&a, 0);
    works(0, 0x57);
    trap(0);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    works(0, 0x58);
    words(&a, (uint32_t)who)->disabled = 1;
    first_wakes();
    for (unsigned i = 0; i < 2; i++) {                    // what is written back is what was loaded
        unload(&a, who);
        assert_int_equal(state_of(&a, who)->depth, 1);
        assert_int_equal(load_activation(&a, (uint32_t)who, state_of(&a, who)->run), ERR_OK);
    }
    assert_int_equal(call(0, SYS_signal, a.thread[who], 0, 0), ERR_OK);
    first_sleeps();
    assert_int_equal(host_instance()->cpu[0].thread->o.id, a.thread[who]);
    (void)call(0, SYS_resume, a.space, 0, 0);
    settle();
    assert_int_not_equal(running(&a, 0), who);
    assert_true(begun(&a, 0, s) & UPCALL_UNBLOCKED);
    assert_int_equal(times_told(&a, UPCALL_BLOCKED), 1);
    assert_int_equal(times_told(&a, UPCALL_UNBLOCKED), 1);
    held_right(&a);
    accounts_balance(&a);
    host_shutdown();
}

// Blocked without being told, `where` it is, and written back; upcalls are enabled before it is loaded again: what it
// held is accounted for.
static void blocks_untold(uint32_t where)
{
    have(&a, 1, 4, 16);
    int who = running(&a, 0);
    works(0, 0x59);
    words(&a, (uint32_t)who)->disabled = 1;
    if (where > 0) {
        trap(0);
    }
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    first_wakes();
    unload(&a, who);
    assert_int_equal(state_of(&a, who)->depth, where);
    words(&a, (uint32_t)who)->disabled = 0;
    assert_int_equal(load_activation(&a, (uint32_t)who, state_of(&a, who)->run), ERR_OK);
    (void)call(0, SYS_signal, a.thread[who], 0, 0);
    first_sleeps();
    if (where > 0) {
        assert_int_equal(host_instance()->cpu[0].thread->o.id, a.thread[who]);
        (void)call(0, SYS_resume, a.space, 0, 0);
        settle();
    }
    held_right(&a);
    accounts_balance(&a);
    assert_int_equal(times_told(&a, UPCALL_BLOCKED), times_told(&a, UPCALL_UNBLOCKED));
    host_shutdown();
}

static void enabled_while_away(void **state)
{
    (void)state;
    blocks_untold(0);
    blocks_untold(1);
}

// The owner writes nonsense about what is to be told.
static void owner_lies(void **state)
{
    (void)state;
    boot(4);
    make(&a, 1, 16, 4);
    unload(&a, 0);
    for (uint32_t i = 0; i < 3; i++) {
        a.state[i] = frames(2);
    }
    unsigned kinds[] = {UPCALL_BLOCKED | UPCALL_TAKEN, ~0u, UPCALL_UNBLOCKED};
    a.activations = 1;
    for (unsigned i = 0; i < 3; i++) {
        state_of(&a, 0)->events = kinds[i];
        assert_int_equal(load_activation(&a, 0, RUN_FRESH), ERR_OK);
        first_sleeps();
        unsigned runs = 0;
        for (uint32_t n = 0; n < 4; n++) {
            runs += running(&a, n) >= 0;
        }
        assert_int_equal(runs, 1);
        held_right(&a);
        first_wakes();
        unload(&a, 0);
    }
    host_shutdown();
}

// A program that wants to be warned has a quarter of a slice more, once.
static void warned_once(void **state)
{
    (void)state;
    boot(1);
    make(&a, 4, 16, 1);
    make(&b, 4, 16, 1);
    for (uint32_t i = 0; i < 4; i++) {
        words(&a, i)->warn = 1;
    }
    first_sleeps();
    unsigned had[2] = {0}, warnings = 0, worst = 0, run = 0, last = 0;
    for (unsigned i = 0; i < 1600; i++) {
        host_advance(host_instance()->slice / 16);
        settle();
        unsigned who = running(&b, 0) >= 0;
        had[who]++;
        run = who == last ? run + 1 : 1;
        worst = run > worst ? run : worst;
        last = who;
        struct party *p = who != 0 ? &b : &a;
        if (frame_on(0)->rip == UPCALL) {
            struct upcall_slot *s[UPCALL_BATCH];
            warnings += (begun(p, 0, s) & UPCALL_QUANTUM) != 0;
            assert_false(who != 0 && begun(p, 0, s) & UPCALL_QUANTUM);
            for (uint32_t j = 0; j < frame_on(0)->rsi; j++) {
                give(p, (uint32_t)(s[j] - slot(p, 0)));
            }
            works(0, 1);
        }
    }
    assert_true(warnings > 20 && worst <= 16 + 4 + 2);
    assert_in_range(had[0], 750, 980);
    host_shutdown();
}

// The program takes what it is told and gives the slots back: also those of a handler that was stopped as it began.
static void gives_back(struct party *p, uint32_t first)
{
    for (uint32_t i = first; i != SLOT_NONE; i = slot(p, i)->next) {
        const struct upcall_slot *s = slot(p, i);
        if (s->kinds & UPCALL_CONTEXT && s->context.rip == UPCALL) {
            gives_back(p, (uint32_t)s->context.rdi);
        }
        give(p, i);
    }
}

// To block does not begin a new slice: an equal gets his share, and waits no longer than for one slice.
static void blocks_for_ever(void **state)
{
    (void)state;
    boot(1);
    make(&a, 4, 64, 1);
    make(&b, 4, 64, 1);
    first_sleeps();
    unsigned had[2] = {0}, blocked = 0, run = 0, worst = 0, last = 0;
    for (unsigned i = 0; i < 1600; i++) {
        host_advance(host_instance()->slice / 16);
        settle();
        unsigned who = running(&b, 0) >= 0;
        struct party *p = who != 0 ? &b : &a;
        assert_true(running(p, 0) >= 0);
        had[who]++;
        run = who == last ? run + 1 : 1;
        worst = run > worst ? run : worst;
        last = who;
        if (frame_on(0)->rip == UPCALL) {
            gives_back(p, (uint32_t)frame_on(0)->rdi);
            works(0, 1);
        } else if (who == 0 && i % 4 == 3) {
            (void)call(0, SYS_wait, host.clock + host_instance()->slice / 64, 0, 0);
            blocked++;
        }
    }
    print_message("had %u %u, blocked %u times, at most %u\n", had[0], had[1], blocked, worst);
    assert_true(blocked > 100 && worst <= 16 + 2);
    assert_in_range(had[1], 760, 840);
    host_shutdown();
}

// A timer goes off while the activation is in its owner's handler, which then blocks: its context comes once.
static void timer_in_handler(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have_timers(&a, 1, 4, 16);
    int who = running(&a, 0);
    works(0, 0x71);
    words(&a, (uint32_t)who)->interval = host_instance()->slice / 2;
    host_advance(host_instance()->slice);
    settle();
    trap(0);
    for (unsigned i = 0; i < 8; i++) {
        host_advance(host_instance()->slice / 2);
        settle();
    }
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    works(0, 0x72);
    host_advance(1000);
    settle();
    assert_int_equal(call(0, SYS_resume, a.space, 0, 0), -1);
    assert_true(begun(&a, 0, s) & UPCALL_UNBLOCKED);
    host_shutdown();
}

// An interval is of running: what goes on by itself has not run meanwhile.
static void interval_runs(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have_timers(&a, 1, 4, 16);
    int who = running(&a, 0);
    works(0, 0x73);
    words(&a, (uint32_t)who)->disabled = 1;
    words(&a, (uint32_t)who)->interval = 4 * host_instance()->slice;
    host_advance(host_instance()->slice + 1);
    settle();
    first_wakes();
    host_advance(20 * host_instance()->slice);
    settle();
    first_sleeps();
    assert_int_equal(running(&a, 0), who);
    words(&a, (uint32_t)who)->disabled = 0;
    assert_false(upcall_within(0, 2));
    assert_true(upcall_within(0, 6));
    assert_int_equal(begun(&a, 0, s), UPCALL_INTERVAL);
    host_shutdown();
}

// A claim of p that waits on a processor that another one of p has; -1: there is none.
static int waits_behind_its_own(const struct party *p)
{
    for (uint32_t i = 0; i < p->activations; i++) {
        const struct thread *t = thread_find(host_instance(), p->thread[i]);
        if (t != NULL && t->act == ACT_CLAIM && t->status == THREAD_READY && running(p, t->cpu) >= 0) {
            return (int)i;
        }
    }
    return -1;
}

// A claim that waits is written back; its space keeps what it holds, also where that waited.
static void waiting_claim_goes(void **state)
{
    unsigned gone = 0;

    (void)state;
    boot(4);                                              // three of them are left: two claims for each space
    make(&a, 8, 64, 4);
    make(&b, 8, 64, 4);
    for (unsigned i = 0; i < 64; i++) {
        struct party *p = i % 2 != 0 ? &a : &b;
        host_advance(host_instance()->slice / 2);
        settle();
        int who = waits_behind_its_own(p);
        if (who >= 0) {
            unload(p, who);
            held_right(p);
            assert_int_equal(load_activation(p, (uint32_t)who, state_of(p, who)->run), ERR_OK);
            gone++;
        }
        for (uint32_t n = 1; n < 4; n++) {
            if (running(&a, n) >= 0 || running(&b, n) >= 0) {
                works(n, 1);
            }
        }
        a.given = b.given = 64 + i * 8;
        user_of(&a)->slots_given = user_of(&b)->slots_given = a.given;
        held_right(&a);
        held_right(&b);
    }
    assert_true(gone > 0);
    host_shutdown();
}

// Who wants processors and cannot use them leaves them to others.
static void wants_and_cannot(void **state)
{
    (void)state;
    boot(4);
    make(&a, 8, 32, 4);
    make(&b, 1, 32, 4);                                   // one activation
    struct party c;
    make(&c, 8, 1, 4);                                    // one slot
    first_sleeps();
    settle();
    assert_int_equal(page_of(&b)->held, 1);
    assert_int_equal(page_of(&c)->held, 1);
    assert_int_equal(page_of(&a)->held, 2);
    host_shutdown();
    boot(4);
    make(&a, 8, 32, 4);
    make(&b, 1, 32, 4);
    first_sleeps();
    settle();
    assert_int_equal(page_of(&b)->held, 1);
    assert_int_equal(page_of(&a)->held, 3);
    held_right(&a);
    held_right(&b);
    host_shutdown();
}

// A thread stops before the other processor has heard of a claim: it is shared out anew all the same.
static void thread_goes(void **state)
{
    (void)state;
    boot(2);
    make(&a, 4, 8, 0);
    unload(&a, 0);
    user_of(&a)->wanted = 2;
    assert_int_equal(load_activation(&a, 0, RUN_FRESH), ERR_OK);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    settle();
    assert_int_equal(page_of(&a)->held, 2);
    host_shutdown();
}

// An event interrupts the processor on which the program says that it does what matters least.
static void least_matters(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    boot(3);
    make(&a, 6, 24, 2);
    for (uint32_t least = 1; least <= 2; least++) {
        for (uint32_t n = 1; n <= 2; n++) {
            works(n, 0x40 + n);
            words(&a, (uint32_t)running(&a, n))->priority = n == least ? 3 : 7;
        }
        int i = 0;
        while (i == running(&a, 1) || i == running(&a, 2)) {
            i++;
        }
        unload(&a, i);
        state_of(&a, i)->events = UPCALL_OWNER;
        assert_int_equal(load_activation(&a, (uint32_t)i, RUN_READY), ERR_OK);
        settle();
        assert_int_equal(begun(&a, least, s), UPCALL_PREEMPTED | UPCALL_OWNER);
        assert_int_equal(frame_on(3 - least)->rip, HOST_TEXT + 0x40 + 3 - least);
    }
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_timer),        cmocka_unit_test(disabled_and_away), cmocka_unit_test(disabled_in_handler),
        cmocka_unit_test(owner_lies),        cmocka_unit_test(warned_once),       cmocka_unit_test(blocks_for_ever),
        cmocka_unit_test(timer_in_handler),  cmocka_unit_test(interval_runs),     cmocka_unit_test(waiting_claim_goes),
        cmocka_unit_test(wants_and_cannot),  cmocka_unit_test(thread_goes),       cmocka_unit_test(told_late),
        cmocka_unit_test(told_then_disabled), cmocka_unit_test(enabled_while_away),
        cmocka_unit_test(least_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
