// test_lock.c - the mutex and the spin lock between threads that are stopped and written back anywhere.
//
// Nobody is inside with another one; whoever asks comes in in the end.  A wake-up that gets lost shows as a
// run in which nobody can run any more, a lock that is handed on to no effect as one that takes too many
// turns.  Priorities change at random; a sleeper's is lent to the holder, and at the end nothing is lent any more and
// the supervisor knows the priority that each thread shall have.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "appkernel_impl.h"
#include "fake.h"

enum { MOST = 9, LOCKS = 2, SEEDS = 250 };
enum use { MUTEXES = 1, SPINS = 2 };

static struct ak_thread threads[MOST];
static unsigned count, rounds, finished;
static enum use uses;
static struct ak_mutex mutexes[LOCKS];
static uint32_t spins[LOCKS];
static unsigned inside[2 * LOCKS];
static unsigned long sum[2 * LOCKS], entered, lent;

static void stay(unsigned n)
{
    FAKE_CHECK(inside[n]++ == 0);
    unsigned long before = sum[n];
    for (uint32_t i = fake_draw(8); i > 0; i--) {
        fake_point();
    }
    if (fake_draw(10) == 0) {
        ak_pause();                                      // a holder who does not run
    }
    for (unsigned i = 0; i < count; i++) {
        lent += threads[i].lent != 0;
    }
    sum[n] = before + 1;
    FAKE_CHECK(--inside[n] == 0);
    entered++;
}

static void use_mutex(struct ak_thread *t, unsigned n)
{
    ak_mutex_lock(&mutexes[n], t);
    FAKE_CHECK(mutexes[n].state != 0);
    stay(n);
    if (n == 0 && fake_draw(4) == 0) {                   // one inside the other, always in this order
        use_mutex(t, 1);
    }
    ak_mutex_unlock(&mutexes[n]);
}

static void use_spin(unsigned n)
{
    ak_spin_lock(&spins[n]);
    stay(LOCKS + n);
    ak_spin_unlock(&spins[n]);
}

static void life(void *arg)
{
    struct ak_thread *t = arg;

    for (unsigned i = 0; i < rounds; i++) {
        if (uses == MUTEXES || (uses != SPINS && fake_draw(2) == 0)) {
            use_mutex(t, fake_draw(LOCKS));
        } else {
            use_spin(fake_draw(LOCKS));
        }
        if (fake_draw(6) == 0) {
            ak_wake(&threads[fake_draw(count)]);         // whoever sleeps there sees that it was not for him
        }
        if (fake_draw(8) == 0) {
            ak_thread_set_priority(&threads[fake_draw(count)], fake_draw(FAKE_PRIORITY + 3));
        }
        if (fake_draw(12) == 0) {
            (void)ak_block(t, ak_now() + fake_draw(400));
        }
    }
    if (++finished == count) {
        ak_stop(42);
    }
    for (;;) {
        (void)ak_block(t, 0);
    }
}

static bool quiet(uint64_t next)
{
    return next != 0;
}

int ak_main(const struct kernel_info *kernel)
{
    (void)kernel;
    for (unsigned i = 0; i < count; i++) {
        FAKE_CHECK(ak_thread_create(&threads[i], 4, 0) == ERR_OK);
        ak_thread_run(&threads[i], life, &threads[i]);
    }
    return ak_service(NULL);
}

static void check_end(void)
{
    unsigned long all = 0;

    for (unsigned i = 0; i < LOCKS; i++) {
        const struct ak_mutex *m = &mutexes[i];
        FAKE_CHECK(m->state == 0 && m->guard == 0 && m->waking == NULL && m->first == NULL);
        FAKE_CHECK(spins[i] == 0);
        all += sum[i] + sum[LOCKS + i];
    }
    FAKE_CHECK(all == entered);
    for (unsigned i = 0; i < count; i++) {
        uint32_t known = fake_priority(threads[i].id);
        FAKE_CHECK(threads[i].lent == 0 && (known == UINT32_MAX || known == ak_thread_level(&threads[i])));
    }
}

static bool run(uint64_t seed)
{
    struct fake_setup s = {.seed = seed, .entries = CHANNEL_ENTRIES, .turns = 600000, .quiet = quiet};

    s.slots = 3 + (unsigned)seed % 9;
    s.chop = (unsigned[]){1, 2, 3, 5, 12}[seed % 5];
    s.evict = (unsigned[]){0, 10, 40, 200}[seed / 2 % 4];
    s.again = (unsigned[]){0, 10, 40}[seed / 3 % 3];
    s.cpus = 1 + seed % 2 * 3;
    uses = (enum use[]){MUTEXES, SPINS, MUTEXES | SPINS}[seed / 5 % 3];
    count = 2 + (unsigned)seed % (MOST - 1);
    rounds = 40;
    int value = fake_run(&s);
    if (value == 42) {
        check_end();
    }
    printf("seed %lu: %u threads, %lu turns, %lu times inside, %lu lent, %u writebacks\n", (unsigned long)seed, count,
           (unsigned long)fake_counts.turns, entered, lent, fake_counts.writebacks);
    return value == 42 && fake_failure[0] == 0;
}

static void test_random(void **state)
{
    (void)state;
    assert_int_equal(fake_seeds(SEEDS, run), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests_name("appkernel_lock", tests, NULL, NULL);
}
