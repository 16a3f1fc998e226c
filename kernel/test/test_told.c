// test_told.c - what is told if several things happen to an activation at once (kernel/model/activation.pml).
#include "activations.h"

static struct party a;

// An interval ends in a handler, which then waits: the context is told when it can go on, not before.
static void timer_in_handler(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    boot(1);
    make(&a, 4, 8, 1);
    user_of(&a)->tick = 1;
    first_sleeps();
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
    boot(1);
    make(&a, 4, 8, 1);
    user_of(&a)->tick = 1;
    first_sleeps();
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
    boot(1);
    make(&a, 4, 8, 1);
    first_sleeps();
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
    struct space_kernel_page *k = page_of(&a);
    uint64_t added = k->told[__builtin_ctz(UPCALL_ADDED)], taken = k->told[__builtin_ctz(UPCALL_TAKEN)];
    assert_int_equal(k->held, 1);
    assert_int_equal(k->pending, 0);
    assert_int_equal(added - taken - k->released, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_in_handler),
        cmocka_unit_test(timer_disabled),
        cmocka_unit_test(overtaken),
        cmocka_unit_test(lowered),
        cmocka_unit_test(left_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
