// test_delegate.c - a server that decides about processors: what it says holds, if it is right and in time.
//
// The first kernel's thread on processor 0 is the server.  While it sleeps all processors are the spaces'.
#include "activations.h"

#include <abi/allocation.h>

enum { ANSWER_VA = 0x30000000, QUESTION_VA = ANSWER_VA + ABI_PAGE };

static struct party a, b, c;

static pa_t page_pa(void)
{
    return allocation_page(host_instance()->info->devices);
}
static struct allocation_answer *answer(void)
{
    return host_at(page_pa());
}
static const struct allocation_question *question(void)
{
    return host_at(page_pa() + ABI_PAGE);
}

static bool holds(void)
{
    return host_instance()->delegate.holds && host_instance()->delegate.on;
}

static int64_t map(va_t va, pa_t pa, uint64_t flags)
{
    const uint64_t args[6] = {host_instance()->info->space, va, pa, flags, host_instance()->info->thread, 0};
    int64_t e = host_call(0, SYS_mapping_load, args, &value);

    host_check();
    return e;
}

static int64_t say(uint64_t number)
{
    answer()->number = number;
    int64_t e = call(0, SYS_signal_at, ANSWER_VA, 0, 0);
    settle();
    return e;
}

// The server takes over.
static void take_over(void)
{
    assert_int_equal(map(ANSWER_VA, page_pa(), MAP_WRITE | MAP_MESSAGE), ERR_OK);
    assert_int_equal(map(QUESTION_VA, page_pa() + ABI_PAGE, MAP_READ | MAP_MESSAGE | MAP_SIGNAL), ERR_OK);
    assert_int_equal(say(ALLOCATION_BEGIN), ERR_OK);
}

// Fill in an answer; gives the number of the question.
static uint64_t fill(uint32_t first, uint32_t second, uint32_t third)
{
    const struct allocation_question *q = question();
    const uint32_t processors[] = {first, second, third};

    assert_true(q->number % 2 == 0 && q->number > 0);
    answer()->count = q->count;
    for (uint32_t i = 0; i < q->count; i++) {
        answer()->claimant[i].space = q->claimant[i].space;
        answer()->claimant[i].processors = processors[i];
    }
    return q->number;
}

static bool server_runs(void)
{
    const struct thread *t = host_instance()->cpu[0].thread;
    return t != NULL && t->o.id == host_instance()->info->thread;
}

// The server has slept, was asked, and reads the signal.
static void asked(void)
{
    assert_true(server_runs());
    assert_int_equal(frame_on(0)->rdx, QUESTION_VA);
}

// It sleeps until it is asked, and no longer than so many eighths of a slice.  Gives whether it was.
static bool sleeps(unsigned eighths)
{
    while (server_runs() && call(0, SYS_wait, 0, 0, 0) == ERR_OK) {        // signals that came meanwhile
    }
    settle();
    for (unsigned i = 0; i < eighths; i++) {
        if (server_runs()) {
            return true;
        }
        host_advance(host_instance()->slice / 8);
        settle();
    }
    return false;
}

static void held(uint32_t first, uint32_t second)
{
    assert_int_equal(page_of(&a)->held, first);
    assert_int_equal(page_of(&b)->held, second);
}

static void two(uint32_t cpus)
{
    boot(cpus);
    make(&a, 8, 64, cpus);
    make(&b, 8, 64, cpus);
    take_over();
}

// It is asked who is there, and gets what it says; then somebody goes, and somebody comes.
static void says(void **state)
{
    const struct allocation_question *q;

    (void)state;
    two(4);
    q = question();
    assert_int_equal(q->count, 2);
    assert_false(holds());
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(q->claimant[i].space, i == 0 ? a.space : b.space);
        assert_int_equal(q->claimant[i].wants, 4);
        assert_int_equal(q->claimant[i].level, ABI_PRIORITIES + PRIORITY);
    }
    assert_int_equal(say(fill(3, 1, 0)), ERR_OK);
    assert_true(holds() && q->answers == 1);
    assert_false(sleeps(0));
    held(3, 1);
    first_wakes();
    assert_int_equal(say(fill(1, 3, 0)), ERR_OK);          // it changes its mind
    assert_false(sleeps(0));
    held(1, 3);
    first_wakes();
    uint64_t last = q->number;
    make(&c, 8, 64, 4);
    assert_int_equal(q->number, last);                     // not so soon
    host_advance(host_instance()->slice / 4);
    settle();
    assert_true(q->number > last);
    assert_int_equal(q->count, 3);
    assert_int_equal(say(fill(1, 1, 2)), ERR_OK);
    assert_false(sleeps(0));
    held(1, 1);
    assert_int_equal(page_of(&c)->held, 2);
    first_wakes();
    while (call(0, SYS_space_unload, a.space, 0, 0) == ERR_AGAIN) {
        settle();
    }
    host_advance(host_instance()->slice / 4);
    settle();
    assert_int_equal(q->count, 2);
    assert_int_equal(q->claimant[0].space, b.space);
    assert_int_equal(say(fill(1, 3, 0)), ERR_OK);
    assert_false(sleeps(0));
    assert_int_equal(page_of(&b)->held, 1);
    assert_int_equal(page_of(&c)->held, 3);
    first_wakes();                                         // one goes and another one comes before it is asked
    while (call(0, SYS_space_unload, b.space, 0, 0) == ERR_AGAIN) {
        settle();
    }
    make(&b, 8, 64, 4);
    host_advance(host_instance()->slice / 4);
    settle();
    assert_int_equal(q->claimant[0].space, c.space);
    assert_int_equal(q->claimant[1].space, b.space);
    host_shutdown();
}

// An answer is about spaces, wherever they are on the allocator's list, which it turns when it runs out of work.
static void list_turns(void **state)
{
    struct list *all, *next;

    (void)state;
    two(4);
    assert_int_equal(say(fill(2, 2, 0)), ERR_OK);
    make(&c, 8, 64, 4);
    host_advance(host_instance()->slice / 4);
    settle();
    assert_int_equal(question()->count, 3);
    assert_int_equal(say(fill(1, 3, 0)), ERR_OK);
    uint64_t last = question()->number;
    for (unsigned i = 0; i < 4; i++) {
        assert_false(sleeps(0));
        held(1, 3);
        assert_int_equal(page_of(&c)->held, 0);
        first_wakes();
        all = &host_instance()->claimants;
        next = all->next;
        list_remove(all);
        list_insert_before(next->next, all);
    }
    host_advance(host_instance()->slice);
    settle();
    assert_int_equal(question()->number, last);            // nothing to ask
    host_shutdown();
}

// Whoever wants less makes the answer useless until there is another one.
static void wants_less(void **state)
{
    (void)state;
    two(4);
    assert_int_equal(say(fill(3, 1, 0)), ERR_OK);
    assert_false(sleeps(0));
    held(3, 1);
    uint64_t last = question()->number;
    uint32_t n = (uint32_t)__builtin_ctzll(page_of(&a)->holds & ~1ull);
    user_of(&a)->wanted = 1;
    for (unsigned i = 0; page_of(&a)->held > 1 && i < 8; i++) {
        for (n = 0; n < 4; n++) {
            if (running(&a, n) >= 0 && page_of(&a)->held > 1) {
                (void)call(n, SYS_processor_release, 0, 0, 0);
            }
        }
        assert_true(sleeps(8));
        asked();
    }
    assert_int_not_equal(question()->number, last);
    assert_false(sleeps(0));
    held(1, 3);
    host_shutdown();
}

// Without an answer in time, the supervisor decides; with one, it does not any more.
static void too_late(void **state)
{
    (void)state;
    two(4);
    assert_int_equal(say(fill(3, 1, 0)), ERR_OK);
    assert_false(sleeps(8 * ALLOCATION_AGAIN - 8));
    held(3, 1);
    assert_true(sleeps(16));
    asked();
    assert_false(sleeps(8 * ALLOCATION_PATIENCE - 8));
    held(3, 1);
    assert_int_equal(question()->late, 0);
    assert_false(sleeps(16));
    held(2, 2);
    assert_int_equal(question()->late, 1);
    assert_false(holds());
    first_wakes();
    assert_int_equal(say(fill(3, 1, 0)), ERR_OK);          // late, but there
    assert_false(sleeps(0));
    held(3, 1);
    for (unsigned i = 2; i < 5; i++) {
        while (question()->late < i) {
            (void)sleeps(8);
        }
        assert_false(sleeps(0));
        held(2, 2);
    }
    assert_true(sleeps(8 * ALLOCATION_AGAIN));
    assert_int_equal(say(fill(1, 3, 0)), ERR_OK);
    assert_false(sleeps(0));
    held(1, 3);
    host_shutdown();
}

static void refused(uint64_t number)
{
    uint64_t before = question()->refused;

    assert_int_equal(say(number), ERR_INVAL);
    assert_int_equal(question()->refused, before + 1);
}

static void lies(void **state)
{
    const uint32_t wrong[][2] = {{4, 4}, {3, 2}, {5, 0}, {0, 0}, {1, 2}, {UINT32_MAX, 5}, {1u << 31, 1u << 31}};

    (void)state;
    two(4);
    assert_true(sleeps(8 * ALLOCATION_AGAIN + 8 * ALLOCATION_PATIENCE));
    assert_true(question()->number > 2);
    refused(question()->number + 2);
    refused(question()->number + 1);
    assert_int_equal(say(fill(3, 1, 0)), ERR_OK);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        refused(fill(wrong[i][0], wrong[i][1], 0));
    }
    uint64_t number = fill(2, 2, 0);
    refused(number - 2);
    refused(UINT64_MAX);
    const uint32_t counts[] = {0, 1, 3, ALLOCATION_CLAIMANTS + 1, UINT32_MAX};
    for (unsigned i = 0; i < 5; i++) {
        answer()->count = counts[i];
        refused(number);
    }
    (void)fill(2, 2, 0);
    answer()->claimant[1].space = a.space;                 // one twice
    refused(number);
    answer()->claimant[0].space = b.space;                 // the other way round
    refused(number);
    answer()->claimant[0].space = a.space + (1ull << 40);
    refused(number);
    assert_int_equal(call(0, SYS_signal_at, ANSWER_VA + 64, 0, 0), ERR_INVAL);
    assert_false(sleeps(0));
    held(3, 1);
    host_shutdown();
}

static int64_t levels_say(uint32_t first, uint32_t second)
{
    return say(fill(first, second, 0));
}

// A higher level never waits for a lower one.
static void levels(void **state)
{
    (void)state;
    boot(4);
    make(&a, 8, 64, 2);
    make(&b, 8, 64, 4);
    space_find(host_instance(), b.space)->claims.priority = PRIORITY - 1;
    take_over();
    assert_int_equal(levels_say(2, 2), ERR_OK);
    assert_int_equal(levels_say(1, 3), ERR_INVAL);
    assert_int_equal(levels_say(0, 4), ERR_INVAL);
    assert_int_equal(levels_say(2, 1), ERR_INVAL);
    assert_int_equal(levels_say(2, 3), ERR_INVAL);
    assert_false(sleeps(0));
    held(2, 2);
    host_shutdown();
}

// A thread of the spaces' priority that never stops.
static void spinner(void)
{
    pa_t page = frames(4);
    struct space_desc s = {.place = page};

    memcpy(host_at(page + ABI_PAGE), &s, sizeof(s));
    assert_int_equal(call(0, SYS_space_load, ABI_WINDOW + page + ABI_PAGE, 0, 0), ERR_OK);
    struct thread_desc t = {.space = value, .priority = PRIORITY, .state = page + 2 * ABI_PAGE, .affinity = 2,
                            .state_va = ABI_WINDOW + page + 2 * ABI_PAGE, .xstack = ABI_WINDOW + page + 4 * ABI_PAGE};
    ((struct thread_state *)host_at(t.state))->frame[0].rip = HOST_TEXT;
    memcpy(host_at(page + ABI_PAGE), &t, sizeof(t));
    assert_int_equal(call(0, SYS_thread_load, ABI_WINDOW + page + ABI_PAGE, 0, 0), ERR_OK);
    settle();
}

static bool spins(uint32_t n)
{
    const struct thread *t = host_instance()->cpu[n].thread;
    return t != NULL && t->home == NULL;
}

// A thread counts as one claimant: it has a processor before any space has its second.
static void threads_count(void **state)
{
    (void)state;
    two(4);
    assert_int_equal(say(fill(4, 0, 0)), ERR_OK);
    spinner();
    assert_false(sleeps(8));
    held(3, 0);
    assert_true(spins(1));
    first_wakes();
    assert_int_equal(say(fill(3, 1, 0)), ERR_OK);
    assert_false(sleeps(8));
    held(2, 1);
    assert_true(spins(1));
    host_shutdown();
}

static void gone(void **state)
{
    (void)state;
    two(4);
    assert_int_equal(say(fill(3, 1, 0)), ERR_OK);
    assert_int_equal(say(ALLOCATION_END), ERR_OK);
    assert_false(holds());
    uint64_t number = fill(3, 1, 0);
    refused(number);                                       // nobody asked
    answer()->count = 0;
    refused(number);
    assert_false(sleeps(8 * ALLOCATION_AGAIN * 2));        // nor asks
    held(2, 2);
    first_wakes();
    assert_int_equal(say(ALLOCATION_BEGIN), ERR_OK);
    assert_int_equal(say(fill(3, 1, 0)), ERR_OK);
    const uint64_t args[6] = {host_instance()->info->space, QUESTION_VA, ABI_PAGE, 0, 0, 0};
    assert_int_equal(host_call(0, SYS_mapping_unload, args, &value), ERR_OK);
    assert_false(sleeps(8 * ALLOCATION_AGAIN + 16));       // nobody hears the next question
    held(2, 2);
    assert_false(holds());
    assert_false(host_instance()->delegate.on);
    host_shutdown();
}

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % n;
}

static void random_answer(void)
{
    const struct allocation_question *q = question();
    uint32_t processors[3] = {below(6), below(6), below(6)}, left = host_instance()->cpus;
    bool right = below(2) == 0;

    for (uint32_t i = 0, at = below(3); right && i < q->count; i++, at++) {       // all are on one level
        uint32_t wants = q->claimant[at % q->count].wants;
        processors[at % q->count] = wants < left ? wants : left;
        left -= processors[at % q->count];
    }
    uint64_t number = fill(processors[0], processors[1], processors[2]);

    if (below(8) == 0) {
        answer()->claimant[below(3)].space = below(2) ? below(9) : a.space;
    }
    if (below(16) == 0) {
        answer()->count = below(70);
    }
    (void)say(below(16) == 0 ? below(5) : number);
}

static void asks(struct party *p)
{
    user_of(p)->wanted = below(6);
    for (uint32_t n = 0; n < host_instance()->cpus; n++) {
        if (running(p, n) >= 0) {
            (void)call(n, SYS_processors, 0, 0, 0);
            return;
        }
    }
}

// Whatever it says, no processor idles that somebody wants, and nobody has more than he wants.
static void sound(void)
{
    struct party *p[] = {&a, &b, &c};
    uint32_t cpus = host_instance()->cpus, sum = 0, wanted = 0;

    for (unsigned i = 0; i < 3; i++) {
        sum += page_of(p[i])->held;
        wanted += user_of(p[i])->wanted < cpus ? user_of(p[i])->wanted : cpus;
    }
    assert_true(sum <= cpus);
    assert_true(sum == cpus || sum >= wanted);
}

static void anything(void **state)
{
    unsigned answers = 0, wrong = 0, late = 0;

    (void)state;
    for (random_state = 1; random_state <= 20; random_state++) {
        uint64_t seed = random_state;
        two(1 + (uint32_t)seed % 4);
        make(&c, 8, 64, 2);
        for (unsigned i = 0; i < 200; i++) {
            asks(below(3) == 0 ? &a : below(2) == 0 ? &b : &c);
            if (server_runs() && below(4) != 0) {
                random_answer();
            }
            (void)sleeps(below(50));
            host_advance(host_instance()->slice / 4);
            settle();
            for (uint32_t n = 0; n < host_instance()->cpus; n++) {
                if (running(&a, n) >= 0 || running(&b, n) >= 0 || running(&c, n) >= 0) {
                    works(n, 1);
                }
            }
            a.given = b.given = c.given = 64 + i * 32;
            user_of(&a)->slots_given = user_of(&b)->slots_given = user_of(&c)->slots_given = a.given;
            if (!server_runs()) {
                sound();
            }
        }
        answers += (unsigned)question()->answers;
        wrong += (unsigned)question()->refused;
        late += (unsigned)question()->late;
        host_shutdown();
        random_state = seed;
    }
    print_message("%u answers, %u refused, %u late\n", answers, wrong, late);
    assert_true(answers > 100 && wrong > 100 && late > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says), cmocka_unit_test(list_turns), cmocka_unit_test(wants_less), cmocka_unit_test(too_late),
        cmocka_unit_test(lies),
        cmocka_unit_test(levels), cmocka_unit_test(threads_count), cmocka_unit_test(gone), cmocka_unit_test(anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
