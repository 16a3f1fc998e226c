// main.c - a native program on the threads library; its words say which tests it runs.
//
//   functions   each function of the library      work        a checksum over all kinds of waits
//   many        100,000 threads                   block       calls and pages that block
//   faults      refused accesses                  timers      rotation and alarms
//   inversion   locks of stopped threads          nesting     upcalls inside upcalls
//   burst       wants processors now and then     refused=N   the library's own accesses are refused (refused.c)
//   priorities  of threads that compute
//   pages       handlers wait for pages           accounts    at last: events balance
#include "test.h"

THREADS_NATIVE(32, 128);

static uint32_t failures;
static int failed_at;

bool check(bool good, const char *what, uint64_t value)
{
    native_print("%s %s (%lx)\n", good ? "ok" : "not ok", what, (unsigned long)value);
    __atomic_fetch_add(&failures, !good, __ATOMIC_SEQ_CST);
    return good;
}

void expect(bool good, int line)
{
    int none = 0;

    if (!good) {
        (void)__atomic_compare_exchange_n(&failed_at, &none, line, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
}

void said(const char *what)
{
    (void)check(failed_at == 0, what, (uint64_t)failed_at);
    failed_at = 0;
}

bool on_activations(void)
{
    return native_told()->schedule == NATIVE_ACTIVATIONS;
}

bool one_to_one(void)
{
    return !on_activations() && native_number("virtual", 0) == 0;
}

uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dull >> 33;
}

void test_work(void)
{
    uint64_t rounds = native_number("rounds", 20), result = work_run(rounds);

    said("the program that waits in all ways");
    check(result == work_expected(rounds), "its checksum", result);
}

static bool word_is_there(const char *word)
{
    size_t length = strlen(word);

    for (const char *at = native_told()->args; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) == 0 && (word[length - 1] == '=' || at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

void threads_program_setup(struct threads_setup *setup)
{
    setup->machine.event = test_event;
    setup->machine.now = test_pages_clock;
}

int threads_program(const struct native_info *info)
{
    static const struct { const char *word; void (*run)(void); } tests[] = {
        {"functions", test_functions}, {"work", test_work}, {"many", test_many}, {"block", test_block},
        {"faults", test_faults}, {"timers", test_timers}, {"inversion", test_inversion},
        {"nesting", test_nesting}, {"burst", test_burst}, {"refused=", test_refused},
        {"pages", test_pages}, {"priorities", test_priorities}, {"accounts", test_accounts},
    };

    (void)info;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        if (word_is_there(tests[i].word)) {
            tests[i].run();
        }
    }
    return (int)failures;
}
