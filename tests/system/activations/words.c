// words.c - what a program asks for by words of its activations: no upcalls, an alarm, a warning.
#include "party.h"

enum { PRIORITY = 5 };

static struct party a, b;

static uint64_t heard(const struct party *p, uint32_t kind)
{
    return __atomic_load_n(&party_shared(p)->heard[__builtin_ctz(kind)], __ATOMIC_RELAXED);
}

static void make(struct party *p, uint32_t priority)
{
    party_make(p, priority, WELL_BEHAVED, machine->cpus);
    party_keep(p);
    CHECK(EVENTUALLY(party_steps(p) > 0), "it runs");
}

static void disable(uint32_t on)
{
    for (uint32_t i = 0; i < a.activations; i++) {
        __atomic_store_n(&activation_words(&a, i)->disabled, on, __ATOMIC_SEQ_CST);
    }
}

// Blocks with upcalls disabled: nobody is told, and it goes on by itself.  A refused access: the activation's end.
static void disabled(void)
{
    make(&a, PRIORITY);
    disable(1);
    sleep_for(machine->slice);
    uint64_t blocked = heard(&a, UPCALL_BLOCKED), blocks = a.blocks;
    for (unsigned i = 0; i < 8; i++) {
        __atomic_store_n(&party_shared(&a)->command, COMMAND_BLOCK, __ATOMIC_RELEASE);
        CHECK(EVENTUALLY(party_shared(&a)->command == COMMAND_NONE), "a call with upcalls disabled");
        sleep_for(machine->slice);
    }
    CHECK(EVENTUALLY(a.blocks >= blocks + 8) && heard(&a, UPCALL_BLOCKED) == blocked, "blocks, and is not told");
    uint64_t steps = party_steps(&a);
    CHECK(EVENTUALLY(party_steps(&a) > steps), "it goes on by itself");
    __atomic_store_n(&party_shared(&a)->command, COMMAND_FAULT, __ATOMIC_RELEASE);
    CHECK(EVENTUALLY((party_keep(&a), a.ended == 1)), "a refused access with upcalls disabled ends the activation");
    disable(0);
    CHECK(heard(&a, UPCALL_FAULT) == 0, "and is no event");
    party_end(&a);
}

// Has a command that was given been done?  Its program may have no processor for a while.
static bool obeys(uint32_t command)
{
    __atomic_store_n(&party_shared(&a)->command, command, __ATOMIC_RELEASE);
    return EVENTUALLY((party_keep(&a), party_shared(&a)->command == COMMAND_NONE));
}

// So many of those that are said to be blocked still are; for some slices, as a handler that is stopped is told, too.
static bool open_for_long(uint64_t n)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!EVENTUALLY(heard(&a, UPCALL_BLOCKED) - heard(&a, UPCALL_UNBLOCKED) == n)) {
            return false;
        }
        sleep_for(machine->slice);
    }
    return heard(&a, UPCALL_BLOCKED) - heard(&a, UPCALL_UNBLOCKED) == n;
}

// The same, but upcalls are enabled again while the handler is blocked: that is told then.
static void enabled_meanwhile(void)
{
    make(&a, PRIORITY);
    disable(1);
    sleep_for(machine->slice);
    uint64_t open = heard(&a, UPCALL_BLOCKED) - heard(&a, UPCALL_UNBLOCKED), blocks = a.blocks;
    a.holds = true;
    CHECK(obeys(COMMAND_BLOCK) && EVENTUALLY(a.blocks > blocks), "a call that blocks for long");
    CHECK(obeys(COMMAND_ASK) && open_for_long(open), "is not told with upcalls disabled");
    disable(0);
    CHECK(obeys(COMMAND_ASK) && open_for_long(open + 1), "but as soon as they are enabled, while it is blocked");
    a.holds = false;
    CHECK(open_for_long(open), "and that it goes on");
    party_end(&a);
}

static void alarm(void)
{
    make(&a, PRIORITY);
    uint64_t when = now() + 20 * machine->slice;
    for (uint32_t i = 0; i < a.activations; i++) {
        activation_words(&a, i)->interval = 0;
        activation_words(&a, i)->alarm = when;
    }
    sleep_for(4 * machine->slice);
    uint64_t early = heard(&a, UPCALL_ALARM);
    check(early == 0 || now() >= when, "no alarm before its time", "%lu", (unsigned long)early);
    CHECK(EVENTUALLY(heard(&a, UPCALL_ALARM) > 0), "an alarm");  // though its owner takes the processor all the time
    sleep_for(20 * machine->slice);
    uint64_t times = heard(&a, UPCALL_ALARM);
    check(times <= a.activations, "each hears it once at most", "%lu", (unsigned long)times);
    party_end(&a);
}

// Only who asks is warned, and only if an equal is to have the processor.
static void warning(void)
{
    make(&a, PRIORITY);
    for (uint32_t i = 0; i < a.activations; i++) {
        activation_words(&a, i)->warn = 1;
    }
    make(&b, PRIORITY + 1);
    sleep_for(20 * machine->slice);
    check(heard(&a, UPCALL_QUANTUM) == 0, "no warning for a higher priority", "%lu",
          (unsigned long)heard(&a, UPCALL_QUANTUM));
    party_end(&b);
    if (machine->cpus == 1) {            // else each has its own, and nobody takes turns
        make(&b, PRIORITY);
        CHECK(EVENTUALLY(heard(&a, UPCALL_QUANTUM) > 4), "warnings before an equal comes");
        CHECK(heard(&b, UPCALL_QUANTUM) == 0, "not for who does not ask");
        party_end(&b);
    }
    party_end(&a);
}

void test_words(void)
{
    disabled();
    enabled_meanwhile();
    alarm();
    warning();
}
