// test_kept.c - slots that are kept for those that were told to have blocked, and upcalls that are not begun as they
// would fault: see claim.c, unit.kernel.told.
#include "activations.h"

enum { MARK = 0x80 };

static struct party a;

// The program at `mark` faults, and its handler waits.
static void waits(uint64_t mark, uint64_t until)
{
    works(0, mark);
    trap(0);
    (void)call(0, SYS_wait, until, 0, 0);
    settle();
}

static void until(uint64_t when)
{
    host_advance(when + 1 - host.clock);
    settle();
    if (host_instance()->cpu[0].thread != NULL && host_instance()->cpu[0].thread->depth > 0) {
        (void)call(0, SYS_resume, a.space, 0, 0);
    }
}

// The first waits for the fifth and all for the first, so no slot comes back.  That the fifth has blocked is not told,
// as those slots are kept for the first: it has lost its processor instead, goes on by itself, and leaves them.
static void not_told(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    boot(1);
    make(&a, 8, 10, 1);
    first_sleeps();
    uint64_t now = host.clock;
    works(0, MARK + 1);
    assert_int_equal(call(0, SYS_wait, now + 40000, 0, 0), -1);
    for (unsigned i = 2; i < 4; i++) {
        works(0, MARK + i);
        first_wakes();
        first_sleeps();
    }
    assert_int_equal(a.given - page_of(&a)->slots_taken, 4);
    waits(MARK + 4, now + 90000);                          // not told either: nobody would have the processor
    waits(MARK + 5, now + 20000);
    waits(MARK + 6, now + 90000);
    assert_int_equal(running(&a, 0), -1);
    until(now + 20000);
    assert_int_not_equal(running(&a, 0), -1);
    waits(MARK + 5, now + 90000);
    until(now + 40000);
    assert_int_not_equal(running(&a, 0), -1);
    assert_true(begun(&a, 0, s) & UPCALL_UNBLOCKED);
    assert_int_equal(s[1]->context.rbx, MARK + 1);
    assert_int_equal(page_of(&a)->told[__builtin_ctz(UPCALL_BLOCKED)], 1);
    host_shutdown();
}

// The program, where it is, touches a page that is not there, and its handler waits.
static void touches(uint64_t at, uint64_t when)
{
    pa_t pa;

    assert_false(host_touch(0, at, MAP_WRITE, &pa));
    (void)call(0, SYS_wait, when, 0, 0);
    settle();
}

// An upcall faults on the page for which the one has blocked that it tells of: telling of that would fault again, so
// there is no upcall until the page has come (Scheduler Activations, 3.1).  On another page, or later, there is.
static void same_page(void **state)
{
    const uint64_t page = 0x900000, other = 0xa00000;
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    boot(1);
    make(&a, 8, 32, 1);
    first_sleeps();
    uint64_t now = host.clock, blocked = times_told(&a, UPCALL_BLOCKED);
    works(0, MARK + 1);
    touches(page + 8, now + 10000);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    touches(other, now + 10000);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    touches(other + 16, now + 10000);
    assert_int_equal(running(&a, 0), -1);
    assert_int_equal(page_of(&a)->held, 0);
    assert_int_equal(times_told(&a, UPCALL_BLOCKED), blocked + 2);
    host_advance(20000);
    settle();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(running(&a, 0), -1);              // nobody is told before all of them can go on
        assert_int_equal(call(0, SYS_resume, a.space, 0, 0), -1);
        settle();
    }
    assert_int_equal(begun(&a, 0, s) & (UPCALL_UNBLOCKED | UPCALL_ADDED), UPCALL_UNBLOCKED | UPCALL_ADDED);
    held_right(&a);
    accounts_balance(&a);
    touches(other, host.clock + 10000);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    works(0, MARK + 2);                                    // the program itself: that can be told
    touches(other, host.clock + 10000);
    assert_int_equal(begun(&a, 0, s), UPCALL_BLOCKED);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_told), cmocka_unit_test(same_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
