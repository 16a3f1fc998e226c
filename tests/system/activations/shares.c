// shares.c - who gets how many processors, and how soon.
#include "party.h"

enum { SLICES = 100, ATTEMPTS = 7, PRIORITY = 5 };

static struct party party[3];

// Does each get its part of the processors' time while nothing changes?  Parts in percent of one processor.
static bool measure_once(unsigned n, const uint32_t *percent, uint32_t slices, uint32_t got[3])
{
    uint64_t ran[3], begin = now(), elapsed;
    bool good = true;

    for (unsigned i = 0; i < n; i++) {
        ran[i] = party_ran(&party[i]);
    }
    sleep_for(slices * machine->slice);
    elapsed = now() - begin;
    for (unsigned i = 0; i < n; i++) {
        got[i] = (uint32_t)((party_ran(&party[i]) - ran[i]) * 100 / elapsed);
        uint32_t give = percent[i] * (n == 3 ? 30 : 20) / 100;       // more where they take turns
        good = good && got[i] + give >= percent[i] && got[i] <= percent[i] + give + 5;
        (void)party_steps(&party[i]);
    }
    return good;
}

// The host may let a processor of the emulator rest, for a time that does not depend on how long is measured: so there
// are more attempts, each twice as long.
static void measure(unsigned n, const uint32_t *percent, const char *name)
{
    uint32_t got[3] = {0};
    bool good = false;

    for (unsigned i = 0; i < n; i++) {
        party_keep(&party[i]);
    }
    sleep_for(4 * machine->slice);
    for (unsigned i = 0; i < ATTEMPTS && !good; i++) {
        good = measure_once(n, percent, SLICES << i, got);
    }
    check(good, name, "of one processor in percent %u %u %u", got[0], got[1], got[2]);
    for (unsigned i = 0; i < n && !good; i++) {
        const struct space_kernel_page *k = party_page(&party[i]);
        note("holds %lx, helps %u, pending %u, slots %u, upcalls %lu, faults refused %lu, ended %lu",
             (unsigned long)k->holds, k->helps, k->pending, party_user(&party[i])->slots_given - k->slots_taken,
             (unsigned long)k->upcalls, (unsigned long)party[i].refused, (unsigned long)party[i].ended);
    }
}
#define MEASURE(name, ...) measure(sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]){__VA_ARGS__}, name)

// What has not been told yet are processors that it has lost.
static bool account_balances(const struct party *p)
{
    const struct space_kernel_page *k = party_page(p);
    uint64_t added = k->told[__builtin_ctz(UPCALL_ADDED)], taken = k->told[__builtin_ctz(UPCALL_TAKEN)];

    uint64_t known = added - taken - k->released;
    return known >= k->held && known <= k->held + k->pending;
}

static void end(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        CHECK(EVENTUALLY(account_balances(&party[i])), "what was told agrees with what is held");
        CHECK(party_shared(&party[i])->wrong == 0, "each context goes on once");
        party_end(&party[i]);
    }
}

static void begin(unsigned n, uint32_t first_priority, uint32_t first_wants)
{
    for (unsigned i = 0; i < n; i++) {
        party_make(&party[i], i == 0 ? first_priority : PRIORITY, WELL_BEHAVED, i == 0 ? first_wants : machine->cpus);
    }
}

// Done by the program as soon as it sees it.
static void command(struct party *p, uint32_t c)
{
    __atomic_store_n(&party_shared(p)->command, c, __ATOMIC_RELEASE);
    CHECK(EVENTUALLY(party_shared(p)->command == COMMAND_NONE), "the program hears");
}

// It goes idle.  Of its processors the last one may be on its way back already, and hear nothing.
static void idle(struct party *p)
{
    party_user(p)->wanted = 0;
    command(p, COMMAND_RELEASE);         // with which the supervisor looks at the word
    for (sleep_for(machine->slice / 2); party_page(p)->held > 0; sleep_for(machine->slice / 2)) {
        __atomic_store_n(&party_shared(p)->command, COMMAND_RELEASE, __ATOMIC_RELEASE);
        CHECK(EVENTUALLY(party_shared(p)->command == COMMAND_NONE || party_page(p)->held == 0), "the program hears");
        __atomic_store_n(&party_shared(p)->command, COMMAND_NONE, __ATOMIC_RELEASE);
    }
}

// B has its half; it goes idle: A gets it, and nobody asks.  What helps is said, and is so.
static void idle_and_back(void)
{
    uint32_t all = machine->cpus;

    begin(2, PRIORITY, all);
    MEASURE("two spaces share alike", all * 50, all * 50);
    idle(&party[1]);
    MEASURE("one that goes idle leaves all to the other", all * 100, 0);
    if (all > 1) {
        party_user(&party[0])->wanted = 1;
        command(&party[0], COMMAND_ASK);
        party_shared(&party[0])->helps = 0;
        MEASURE("who wants one has one", 100, 0);
        CHECK(party_shared(&party[0])->helps == all - 1, "idle processors are shown");
        party_user(&party[0])->wanted = all;
        command(&party[0], COMMAND_ASK);
        MEASURE("who asks for what is idle gets it", all * 100, 0);
    }
    end(2);
}

// How much of a processor it has had since then, in percent; it is unloaded to see that.
static uint32_t thread_got(const struct test_thread *t, uint64_t ran, uint64_t since)
{
    (void)sys_thread_unload(t->id, 0);
    return (uint32_t)((t->state->ran - ran) * 100 / (now() - since));
}

static void with_threads(void)
{
    uint32_t least = machine->cpus == 1 ? 30 : 75;
    struct test_space s = {0};
    struct test_thread t;

    begin(1, PRIORITY, machine->cpus);
    check_error(space_open(&s, TRAP_FORWARD, 0), ERR_OK, "a space of threads");
    pa_t page = program_put(&s, PROGRAM(spin));
    thread_make(&t, &s);
    t.desc.priority = PRIORITY;
    check_error(thread_start(&t), ERR_OK, "a thread that spins");
    uint64_t ran = t.state->ran, since = now();
    MEASURE("a thread claims one processor", machine->cpus == 1 ? 50 : machine->cpus * 100 - 100);
    uint32_t got = thread_got(&t, ran, since);
    for (unsigned i = 0; i < ATTEMPTS && got < least; i++) {
        check_error(thread_start(&t), ERR_OK, "once more");
        ran = t.state->ran;
        since = now();
        sleep_for((SLICES << i) * machine->slice);
        got = thread_got(&t, ran, since);
    }
    check(got >= least, "and gets it", "%u percent", got);
    thread_free(&t);
    space_close(&s);
    page_give(page);
    end(1);
}

void test_shares(void)
{
    uint32_t all = machine->cpus;

    sleep_for(50 * machine->slice);      // whoever loaded this kernel may still be at work
    begin(1, PRIORITY, all);
    MEASURE("one space gets all", all * 100);
    end(1);
    idle_and_back();
    begin(2, PRIORITY + 2, 1);
    MEASURE("a higher priority does not wait", 100, all * 100 - 100);
    end(2);
    with_threads();
    begin(3, PRIORITY, all);
    MEASURE("three spaces share alike", all * 100 / 3, all * 100 / 3, all * 100 / 3);
    end(3);
}
