// test_deque.c - the deque with real threads: each element is taken exactly once, by its owner or by one thief.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../deque.h"

enum { ELEMENTS = 400000, THIEVES = 3, MEETINGS = 256, PATIENCE = 10000 };
static struct deque d;
static uint8_t taken[ELEMENTS];
static uint32_t over;
static uint64_t thefts;

static void take(void *element)
{
    __atomic_fetch_add(&taken[(uintptr_t)element - 1], 1, __ATOMIC_RELAXED);
}
static void *thief(void *argument)
{
    unsigned vain = 0;

    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE) || deque_count(&d) != 0) {
        void *element = deque_steal(&d);
        if (element != NULL) {
            take(element);
            __atomic_fetch_add(&thefts, 1, __ATOMIC_RELEASE);
        } else if (++vain % PATIENCE == 0) {
            (void)sched_yield();
        }
    }
    return argument;
}
// The owner has just pushed, and does not go on before somebody has stolen: however late the thieves get a processor.
static void meet_a_thief(void)
{
    uint64_t before = __atomic_load_n(&thefts, __ATOMIC_ACQUIRE);

    while (__atomic_load_n(&thefts, __ATOMIC_ACQUIRE) == before && deque_count(&d) != 0) {
        (void)sched_yield();
    }
}
static void test_order(void **state)
{
    (void)state;
    memset(&d, 0, sizeof d);
    assert_null(deque_pop(&d));
    assert_null(deque_steal(&d));
    for (uintptr_t i = 1; i <= DEQUE_SIZE; i++) {
        assert_true(deque_push(&d, (void *)i));
    }
    assert_false(deque_push(&d, (void *)1));
    assert_int_equal(deque_count(&d), DEQUE_SIZE);
    assert_ptr_equal(deque_steal(&d), (void *)1);
    assert_ptr_equal(deque_pop(&d), (void *)DEQUE_SIZE);
    for (uintptr_t i = 2; i < DEQUE_SIZE; i++) {
        assert_ptr_equal(deque_steal(&d), (void *)i);
    }
    assert_null(deque_pop(&d));
    assert_null(deque_steal(&d));
    assert_int_equal(deque_count(&d), 0);
}
static void test_race(void **state)
{
    unsigned seed = 7;
    pthread_t t[THIEVES];
    void *element;

    (void)state;
    memset(&d, 0, sizeof d);
    for (int i = 0; i < THIEVES; i++) {
        pthread_create(&t[i], NULL, thief, NULL);
    }
    for (uintptr_t i = 1; i <= ELEMENTS;) {
        bool pushed = deque_push(&d, (void *)i);
        if (pushed && i % (ELEMENTS / MEETINGS) == 0) {
            meet_a_thief();
        }
        i += pushed;
        if (rand_r(&seed) % 3 != 0 && (element = deque_pop(&d)) != NULL) {
            take(element);
        }
    }
    while ((element = deque_pop(&d)) != NULL) {
        take(element);
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < THIEVES; i++) {
        pthread_join(t[i], NULL);
    }
    for (int i = 0; i < ELEMENTS; i++) {
        assert_int_equal(taken[i], 1);
    }
    assert_true(thefts > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_race)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
