// test_allocator.c - the allocator with as many spaces as there may be: no step is long, and in the end all is right.
#include "activations.h"

#include "instance.h"

enum { PROCESSORS = 8, ACTIVATIONS = 8, MANY = CLAIMANTS_MOST };

static struct party party[MANY];

// What one step did at most: the thing with which its work was reached is still done.
static void bounded(void)
{
    assert_true(host_instance()->work <= STEP_WORK + 2 * ACTIVATIONS + 2 * PROCESSORS + WORK_ASK * MANY);
}

// Steps until nothing is left to do.
static unsigned goes_on(void)
{
    unsigned steps = 0;

    bounded();
    for (; host_instance()->realloc != 0; steps++) {
        assert_true(steps < 64);
        host_advance(host_instance()->slice / 32);            // the timer has been armed for it
        host_deliver_all();
        bounded();
    }
    host_check();
    return steps;
}

static const struct claims *claims_of(unsigned i)
{
    return &space_find(host_instance(), party[i].space)->claims;
}

static void boot_many(uint32_t wanted)
{
    host_boot(PROCESSORS, 256 << 20, "kernels=4 spaces=80 threads=600 mappings=1024");
    activations_begin();
    for (unsigned i = 0; i < MANY; i++) {
        make(&party[i], ACTIVATIONS, 32, wanted);
    }
}

// All want some at the same moment: a claim for each is more than one step.
static void all_at_once(void **state)
{
    uint32_t held = 0;

    (void)state;
    boot_many(0);
    for (unsigned i = 0; i < MANY; i++) {
        user_of(&party[i])->wanted = PROCESSORS;
    }
    assert_int_equal(host_call(0, SYS_wait, (const uint64_t[6]){0}, &value), -1);    // host_check() counts as work
    assert_true(goes_on() > 0);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(claims_of(i)->gets, 1);
        assert_int_equal(claims_of(i)->count, 1);
        assert_int_equal(page_of(&party[i])->helps, 0);
        held += page_of(&party[i])->held;
    }
    assert_int_equal(held, PROCESSORS);
    host_shutdown();
}

// One has all, and then the others come.
static void one_and_many(void **state)
{
    (void)state;
    boot_many(0);
    user_of(&party[MANY - 1])->wanted = PROCESSORS;
    assert_int_equal(host_call(0, SYS_wait, (const uint64_t[6]){0}, &value), -1);
    (void)goes_on();
    assert_int_equal(page_of(&party[MANY - 1])->held, PROCESSORS);
    assert_int_equal(page_of(&party[0])->helps, PROCESSORS / 2);
    for (unsigned i = 0; i < MANY - 1; i++) {
        user_of(&party[i])->wanted = 1 + i % 3;
    }
    first_wakes();
    assert_int_equal(host_call(0, SYS_wait, (const uint64_t[6]){0}, &value), -1);
    (void)goes_on();
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(claims_of(i)->count, 1);
    }
    host_shutdown();
}

enum { SIGTRAP = 5 };
void (*signal(int number, void (*handler)(int)))(int);        // <signal.h> is the supervisor's here
static volatile uint64_t instructions;

static void on_step(int number)
{
    (void)number;
    instructions++;
}
// What it takes to count the claims that a space could have, in single steps of the host.  Its owner and its program
// have done what they can: each activation comes with an event, few slots are left, and the words of its page say that
// these are to be kept.
static uint64_t spare_takes(uint32_t events)
{
    enum { SLOTS = 512, LEFT = 100, SINGLE_STEP = 1 << 8 };
    struct party *p = &party[0];

    host_boot(1, 256 << 20, "kernels=4 spaces=8 threads=600 mappings=1024");
    activations_begin();
    *p = (struct party){.activations = ACTIVATIONS_MOST, .slots = SLOTS};
    p->area = frames((unsigned)(area_size(p->activations, p->slots) / ABI_PAGE));
    for (uint32_t i = 0; i < LEFT; i++) {
        give(p, i);
    }
    assert_int_equal(load_space(p), ERR_OK);
    page_of(p)->told[__builtin_ctz(UPCALL_BLOCKED)] = SLOTS;
    for (uint32_t i = 0; i < events; i++) {
        p->state[i] = frames(2);
        state_of(p, (int)i)->events = UPCALL_OWNER;
        assert_int_equal(load_activation(p, i, RUN_READY), ERR_OK);
    }
    assert_int_equal(page_of(p)->pending, events);
    (void)signal(SIGTRAP, on_step);
    instructions = 0;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | SINGLE_STEP);
    uint32_t spare = activation_spare(claims_of(0), 1);
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(uint64_t)SINGLE_STEP);
    assert_int_equal(spare, 0);
    host_shutdown();
    return instructions;
}

// It is looked at each event a few times, not at each as often as there are others.
static void many_events(void **state)
{
    (void)state;
    uint64_t few = spare_takes(ACTIVATIONS_MOST / 8), many = spare_takes(ACTIVATIONS_MOST);

    printf("%lu instructions for %u events, %lu for %u\n", (unsigned long)few, ACTIVATIONS_MOST / 8,
           (unsigned long)many, ACTIVATIONS_MOST);
    assert_true(many < 9 * few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(one_and_many),
        cmocka_unit_test(many_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
