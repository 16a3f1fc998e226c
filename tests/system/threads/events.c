// events.c - what blocks, what is refused, timers, locks of stopped threads; and the accounts of events.
#include "test.h"

enum { BLOCKERS = 12, FILE_PAGES = 8 };

static uint32_t heard[UPCALL_KINDS];     // a
static volatile uint32_t stop;           // a
static volatile bool slow;               // the handler of a refused access waits for upcalls inside upcalls

static struct threads_statistics statistics(void)
{
    struct threads_statistics s;

    threads_read_statistics(&s);
    return s;
}

bool test_event(struct thread *thread, const struct upcall_slot *slot)
{
    uint64_t begin = now();

    (void)thread;
    test_refused_event();
    test_pages_event();
    while (slow && statistics().deepest < 3 && now() - begin < 1000 * native_told()->slice) {
    }
    for (unsigned k = 0; k < UPCALL_KINDS; k++) {
        __atomic_fetch_add(&heard[k], slot->kinds >> k & 1, __ATOMIC_SEQ_CST);
    }
    return false;
}

static void join_all(struct thread **t, unsigned n)
{
    while (n-- > 0) {
        CHECK(thread_join(t[n], NULL) == THREAD_OK);
    }
}

// ---- 100,000 threads ----------------------------------------------------------------------------------------

enum { MANY = 100000 };
static struct thread *many[MANY];
static struct semaphore gate;
static uint64_t sleep_begin;
static uint32_t sleepers, too_soon;      // a  too_soon: woke before all had begun to sleep

// Then each sleeps until some moment of a second.
static void *waits(void *argument)
{
    uint64_t random = ((uint64_t)argument + 1) * 0x9e3779b97f4a7c15, until;

    (void)semaphore_wait(&gate);
    until = sleep_begin + random_next(&random) % milliseconds(1000);
    __atomic_fetch_add(&sleepers, 1, __ATOMIC_RELAXED);
    CHECK(thread_sleep(until) == THREAD_OK && now() >= until);
    __atomic_fetch_add(&too_soon, __atomic_load_n(&sleepers, __ATOMIC_RELAXED) != MANY, __ATOMIC_RELAXED);
    return argument;
}

void test_many(void)
{
    uint64_t sum = 0, begin = now();
    void *value = NULL;

    semaphore_init(&gate, 0);
    for (uint64_t i = 0; i < MANY; i++) {
        CHECK(thread_fork(&many[i], NULL, waits, (void *)i) == THREAD_OK);
    }
    said("100,000 threads begin");
    thread_yield();
    sleep_begin = now() + (now() - begin);           // by then about all sleep: that touches each stack again
    for (uint64_t i = 0; i < MANY; i++) {
        semaphore_post(&gate);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        CHECK(thread_join(many[i], &value) == THREAD_OK);
        sum += (uint64_t)value;
    }
    said("sleep, wake not before their moments, and end");
    check(sum == (uint64_t)MANY * (MANY - 1) / 2, "each has run", sum);
    native_print("%u woke before all had begun to sleep\n", too_soon);
}

// ---- blocking in the kernel -----------------------------------------------------------------------------------

static uint32_t opened, asleep;           // a

static void *blocks(void *argument)
{
    CHECK(native_block(milliseconds(1)) == ERR_OK);
    __atomic_fetch_add(&asleep, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&opened, __ATOMIC_SEQ_CST) == 0) {
        (void)native_wait(&opened, 0, 0);
    }
    return argument;
}

static bool all_blocked(void)
{
    struct threads_statistics s = statistics();

    return __atomic_load_n(&asleep, __ATOMIC_SEQ_CST) == BLOCKERS &&
           (!on_activations() || s.told[2] - s.told[3] >= BLOCKERS);
}

static void *computes(void *argument)
{
    uint64_t n = 0;

    while (!stop) {
        n++;
    }
    __atomic_fetch_add((uint64_t *)argument, n, __ATOMIC_SEQ_CST);
    return NULL;
}

// They go on when all of them are blocked: if one of them kept a processor from the others, they never would.
static void block_calls(void)
{
    struct thread *t[BLOCKERS], *c;
    uint64_t counted = 0, woken = 0;

    stop = opened = asleep = 0;
    CHECK(thread_fork(&c, NULL, computes, &counted) == THREAD_OK);
    for (unsigned i = 0; i < BLOCKERS; i++) {
        CHECK(thread_fork(&t[i], NULL, blocks, NULL) == THREAD_OK);
    }
    while (!all_blocked()) {
        thread_yield();
    }
    __atomic_store_n(&opened, 1, __ATOMIC_SEQ_CST);
    CHECK(native_wake(&opened, BLOCKERS, &woken) == ERR_OK);
    join_all(t, BLOCKERS);
    stop = 1;
    join_all(&c, 1);
    said("threads block in the kernel");
    check(woken + 1 >= BLOCKERS, "all at once", woken);      // another one may have been blocked for a page
    check(counted > 0, "others run meanwhile", counted);
}

static const volatile uint8_t *late;
static uint64_t most_blocked;            // at once

static void *watches(void *argument)
{
    while (!stop) {
        struct threads_statistics s = statistics();
        uint64_t blocked = s.told[2] > s.told[3] ? s.told[2] - s.told[3] : 0;
        most_blocked = blocked > most_blocked ? blocked : most_blocked;
        ++*(uint64_t *)argument;
    }
    return NULL;
}

static void *touches(void *argument)
{
    return (void *)(uint64_t)late[(uint64_t)argument * ABI_PAGE];
}

static void block_pages(void)
{
    static const char name[] = "bin/threads_test";
    struct thread *t[FILE_PAGES], *c;
    uint64_t counted = 0, begin = now();
    va_t va = 0;
    void *value = NULL;

    err_t e = native_map_file(name, sizeof(name) - 1, FILE_PAGES * ABI_PAGE, milliseconds(200), &va);
    if (!check(e == ERR_OK, "a file whose pages come late", e)) {
        return;
    }
    late = (const volatile uint8_t *)va;
    stop = 0;
    CHECK(thread_fork(&c, NULL, watches, &counted) == THREAD_OK);
    for (uintptr_t i = 0; i < FILE_PAGES; i++) {
        CHECK(thread_fork(&t[i], NULL, touches, (void *)i) == THREAD_OK);
    }
    for (unsigned i = FILE_PAGES; i-- > 0;) {
        CHECK(thread_join(t[i], &value) == THREAD_OK);
    }
    uint64_t took = now() - begin;
    CHECK((uint64_t)value == 0x7f);                  // the first byte of an ELF file
    stop = 1;
    join_all(&c, 1);
    said("threads wait for pages");
    check(took >= milliseconds(200), "each as long as it takes", took);
    check(!on_activations() || most_blocked >= 2, "several at once", most_blocked);
    check(counted > 0, "and others run", counted);
}

void test_block(void)
{
    struct threads_statistics before = statistics(), after;

    block_calls();
    block_pages();
    after = statistics();
    uint64_t blocked = after.told[3] - before.told[3];
    check(!on_activations() || blocked >= BLOCKERS + FILE_PAGES, "upcalls of what had blocked", blocked);
}

// ---- refused accesses -----------------------------------------------------------------------------------------

static void *touches_nothing(void *argument)
{
    *(volatile int *)0x123000 = 1;
    CHECK(false);
    return argument;
}

static unsigned deeper(unsigned n)
{
    volatile uint8_t room[512];

    room[n % 512] = (uint8_t)n;
    return n == 0 ? 0 : deeper(n + 1) + room[n % 512];
}

static void *overflows(void *argument)
{
    return (char *)argument + deeper(1);
}

void test_faults(void)
{
    struct thread *t;
    void *value = (void *)1;
    uint32_t before = heard[7];

    if (!on_activations()) {
        return;
    }
    CHECK(thread_fork(&t, NULL, touches_nothing, NULL) == THREAD_OK && thread_join(t, &value) == THREAD_OK);
    CHECK(value == NULL);
    CHECK(thread_fork(&t, NULL, overflows, NULL) == THREAD_OK && thread_join(t, &value) == THREAD_OK);
    CHECK(value == NULL);
    said("a thread whose access is refused ends, and only that one");
    check(heard[7] - before == 2, "the program has heard of it", heard[7] - before);
}

// With interval=TICKS much shorter than what the handler takes: it is stopped, again and again.
void test_nesting(void)
{
    struct thread *t;

    if (!on_activations()) {
        return;
    }
    slow = true;
    CHECK(thread_fork(&t, NULL, touches_nothing, NULL) == THREAD_OK && thread_join(t, NULL) == THREAD_OK);
    slow = false;
    said("an upcall handler is stopped by upcalls");
    check(statistics().deepest >= 3, "three deep at least", statistics().deepest);
}

// ---- timers ---------------------------------------------------------------------------------------------------

static volatile uint64_t turn;

// Each kind of wait, with others that compute on all processors, and nobody who yields.
static void timed_waits(void)
{
    static struct semaphore never;
    static struct mutex taken;
    static struct condition silent;
    uint64_t begin = now(), step = milliseconds(5);

    CHECK(thread_sleep(begin + step) == THREAD_OK && now() >= begin + step);
    CHECK(semaphore_wait_until(&never, begin + 2 * step) == THREAD_TIMEOUT && now() >= begin + 2 * step);
    CHECK(mutex_try(&taken) == THREAD_OK);
    CHECK(condition_wait_until(&silent, &taken, begin + 3 * step) == THREAD_TIMEOUT && now() >= begin + 3 * step);
    CHECK(mutex_unlock(&taken) == THREAD_OK);
    CHECK(thread_block(begin + 4 * step) == THREAD_TIMEOUT && now() >= begin + 4 * step);
}

static uint32_t awaited;                 // a

static void *waits_outside(void *argument)
{
    err_t e = native_wait(&awaited, 0, now() + milliseconds(20000));
    CHECK(e == ERR_OK || e == ERR_AGAIN);            // on a slow host that moment may have come already
    return argument;
}

// The alarm was set where the waiter ran: that activation blocks, and those that compute run in the next one.
static void timed_wait_moves(void)
{
    struct thread_attributes between = {.has_priority = true, .priority = 20};
    struct thread *t;
    uint64_t woken;

    awaited = 0;
    CHECK(thread_fork(&t, &between, waits_outside, NULL) == THREAD_OK);
    CHECK(thread_sleep(now() + milliseconds(5)) == THREAD_OK);
    __atomic_store_n(&awaited, 1, __ATOMIC_SEQ_CST);
    (void)native_wake(&awaited, 1, &woken);
    CHECK(thread_join(t, NULL) == THREAD_OK);
}

static void *insists(void *argument)
{
    uint64_t me = (uint64_t)argument, all = native_number("virtual", native_told()->cpus) + 2;

    while (turn < 10 * all) {                        // never waits, never yields
        if (turn % all == me) {
            turn++;
        }
    }
    return NULL;
}

// With interval=TICKS among the words equals take turns.  Without it a higher one runs, whose moment has come.
void test_timers(void)
{
    enum { MORE = 2 };
    struct thread *t[THREADS_PROCESSORS + MORE];
    uint64_t counted = 0, most = native_number("virtual", native_told()->cpus) + MORE;
    bool turns = native_number("interval", 0) != 0;

    if (turns) {
        turn = 0;
        for (uintptr_t i = 0; i < most; i++) {
            CHECK(thread_fork(&t[i], NULL, insists, (void *)i) == THREAD_OK);
        }
        join_all(t, (unsigned)most);
        said("threads that never wait take turns");
    } else {
        CHECK(thread_set_priority(thread_self(), 24) == THREAD_OK);
    }
    struct thread_attributes usual = {.has_priority = true, .priority = 16};
    stop = 0;
    for (unsigned i = 0; i < most; i++) {
        CHECK(thread_fork(&t[i], &usual, computes, &counted) == THREAD_OK);
    }
    timed_waits();
    if (on_activations() && !turns) {
        timed_wait_moves();
    }
    stop = 1;
    join_all(t, (unsigned)most);
    CHECK(thread_set_priority(thread_self(), 16) == THREAD_OK);
    said("one whose moment has come runs although others compute");
}

// ---- locks of stopped threads -----------------------------------------------------------------------------------

static struct semaphore busy;
static uint64_t highs, longest;

// Low ones that are in the library's locks nearly all the time.
static void *churns(void *argument)
{
    while (!stop) {
        semaphore_post(&busy);
        (void)semaphore_wait(&busy);
        thread_yield();
    }
    return argument;
}

// Everybody posts before he waits: so nothing but the library's locks keeps it.
static void *high(void *argument)
{
    for (unsigned i = 0; i < 200; i++) {
        uint64_t begin = now();
        semaphore_post(&busy);
        (void)semaphore_wait(&busy);
        longest = now() - begin > longest ? now() - begin : longest;
        (void)thread_sleep(now() + milliseconds(1) / 20);
        highs++;
    }
    return argument;
}

// bound=TICKS, for the instruction clock.
void test_inversion(void)
{
    struct thread_attributes up = {.has_priority = true, .priority = 30}, down = {.has_priority = true, .priority = 2};
    struct thread *t[9];

    stop = 0;
    semaphore_init(&busy, 0);
    for (unsigned i = 0; i < 8; i++) {
        CHECK(thread_fork(&t[i], &down, churns, NULL) == THREAD_OK);
    }
    CHECK(thread_fork(&t[8], &up, high, NULL) == THREAD_OK);
    join_all(&t[8], 1);
    stop = 1;
    join_all(t, 8);
    said("a high thread gets on although low ones are stopped in the library's locks");
    check(highs == 200, "to its end", highs);
    native_print("inversion: %lu ticks at most in the library\n", (unsigned long)longest);
    if (native_number("bound", 0) != 0) {
        check(longest <= native_number("bound", 0), "and never waits for one that is stopped", longest);
    }
}

// ---- a rival --------------------------------------------------------------------------------------------------

static void *spends(void *until)
{
    while (now() < (uint64_t)until) {
    }
    return NULL;
}

// Bursts of threads that compute, with pauses, at random (seed=N).
void test_burst(void)
{
    uint64_t seed = native_number("seed", 1), state = seed * 2 + 1;
    struct thread *t[8];

    native_print("burst: seed %lu\n", (unsigned long)seed);
    for (unsigned i = 0; i < native_number("bursts", 200); i++) {
        unsigned n = 1 + (unsigned)(random_next(&state) % 8);
        for (unsigned j = 0; j < n; j++) {
            uint64_t until = now() + random_next(&state) % milliseconds(3);
            CHECK(thread_fork(&t[j], NULL, spends, (void *)until) == THREAD_OK);
        }
        join_all(t, n);
        CHECK(thread_sleep(now() + random_next(&state) % milliseconds(3)) == THREAD_OK);
    }
    said("bursts");
}

// ---- accounts -------------------------------------------------------------------------------------------------

// On kernel threads as processors there are no other events.
static void balance_alarms(void)
{
    struct threads_statistics s = statistics();
    uint64_t begin = now();

    // Until no upcall is on its way.
    while ((s.told[5] != s.upcalls || s.contexts != s.ready + s.dropped + s.continued + s.nested) &&
           now() - begin < milliseconds(60000)) {
        (void)thread_sleep(now() + milliseconds(5));
        s = statistics();
    }
    check(s.contexts == s.ready + s.dropped + s.continued + s.nested, "contexts balance", s.contexts);
    check(s.told[5] == s.upcalls, "all upcalls are alarms", s.upcalls);
    if (native_number("interval", 0) != 0) {         // else a processor that idles may see to all waits
        check(one_to_one() == (s.upcalls == 0), "and there are some", s.upcalls);
    }
    native_print("alarms %lu contexts %lu recovered %lu nested %lu dropped %lu\n", (unsigned long)s.upcalls,
                 (unsigned long)s.contexts, (unsigned long)s.recovered, (unsigned long)s.nested,
                 (unsigned long)s.dropped);
}

void test_accounts(void)
{
    enum { LOOKS_MOST = 2000 };
    const struct space_kernel_page *k = threads_native_area();
    struct threads_statistics s = {0};

    if (k == NULL) {
        balance_alarms();
        return;
    }
    // Until nothing is on its way: as many events told by the supervisor as taken by the library.  With very small
    // caches something nearly always is, as the look itself needs pages: so it is looked often, not long.
    bool equal = false, held = false;
    for (unsigned i = 0; i < LOOKS_MOST && !(equal && held); i++) {
        (void)thread_sleep(now() + milliseconds(5));
        s = statistics();
        equal = s.contexts == s.ready + s.dropped + s.continued + s.nested;
        for (unsigned kind = 0; kind < UPCALL_KINDS; kind++) {
            equal = equal && *(volatile const uint64_t *)&k->told[kind] == s.told[kind];
        }
        held = s.told[0] - s.told[9] - *(volatile const uint64_t *)&k->released == *(volatile const uint32_t *)&k->held;
    }
    check(equal, "events told are events taken", k->told[3]);
    check(s.contexts == s.ready + s.dropped + s.continued + s.nested, "contexts balance", s.contexts);
    check(held, "processors added, taken and given back", k->held);
    check(s.told[2] >= s.told[3], "no more unblocked than blocked", s.told[2] - s.told[3]);
    native_print("upcalls %lu contexts %lu recovered %lu nested %lu continued %lu dropped %lu\n",
                 (unsigned long)s.upcalls, (unsigned long)s.contexts, (unsigned long)s.recovered,
                 (unsigned long)s.nested, (unsigned long)s.continued, (unsigned long)s.dropped);
}
