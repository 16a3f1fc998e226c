// functions.c - every function of the library once: threads, and what belongs to a thread (shared.h).
#include "shared.h"

// ---- fork, join, detach, exit -------------------------------------------------------------------------------

static void *plus_one(void *argument)
{
    return (char *)argument + 1;
}
static void *exits(void *argument)
{
    thread_exit((char *)argument + 2);
}
static uint64_t ran;
static void *counts(void *argument)
{
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return argument;
}
static void *detaches(void *argument)
{
    CHECK(thread_detach(thread_self()) == THREAD_OK && thread_detach(thread_self()) == THREAD_INVALID);
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return argument;
}
void shared_forks(void)
{
    struct thread_attributes detached = {.detached = true}, large = {.stack = 100000}, bad = {.has_priority = true,
                                                                                            .priority = 32};
    struct threads_statistics before, after;
    struct thread *t, *u;
    void *value = NULL;

    CHECK(thread_fork(&t, NULL, plus_one, (void *)10) == THREAD_OK);
    CHECK(thread_join(t, &value) == THREAD_OK && value == (void *)11);
    CHECK(thread_fork(&t, NULL, exits, (void *)10) == THREAD_OK);
    thread_yield();
    thread_yield();
    CHECK(thread_join(t, &value) == THREAD_OK && value == (void *)12);
    CHECK(thread_fork(&t, &large, plus_one, (void *)20) == THREAD_OK);
    CHECK(thread_join(t, &value) == THREAD_OK && value == (void *)21);
    threads_read_statistics(&before);
    CHECK(thread_fork(&u, &large, plus_one, NULL) == THREAD_OK);
    CHECK(thread_join(u, NULL) == THREAD_OK);
    threads_read_statistics(&after);
    CHECK(after.stacks == before.stacks);                    // the same stack again
    CHECK(thread_fork(&t, &detached, counts, NULL) == THREAD_OK);
    CHECK(thread_fork(&u, NULL, counts, NULL) == THREAD_OK);
    CHECK(thread_detach(u) == THREAD_OK);
    while (*(volatile uint64_t *)&ran < 2) {
        thread_yield();
    }
    CHECK(thread_fork(&u, NULL, counts, NULL) == THREAD_OK);
    while (*(volatile uint64_t *)&ran < 3) {
        thread_yield();
    }
    thread_yield();
    CHECK(thread_detach(u) == THREAD_OK);                                        // it has ended
    CHECK(thread_fork(&t, &bad, counts, NULL) == THREAD_INVALID);
    CHECK(thread_fork(&t, NULL, NULL, NULL) == THREAD_INVALID);
    CHECK(thread_join(thread_self(), NULL) == THREAD_INVALID);
    CHECK(thread_fork(&t, NULL, detaches, NULL) == THREAD_OK);
    while (*(volatile uint64_t *)&ran < 4) {
        thread_yield();
    }
    CHECK(waitable_self() == thread_waitable(thread_self()));
}

// ---- keys ---------------------------------------------------------------------------------------------------

static uint64_t destroyed;
static void destroy(void *value)
{
    destroyed += (uint64_t)value;
}
static unsigned key;
static void *sets(void *argument)
{
    CHECK(thread_get(key) == NULL);
    CHECK(thread_set(key, argument) == THREAD_OK && thread_get(key) == argument);
    return NULL;
}
void shared_keys(void)
{
    struct thread *t;
    unsigned other[THREAD_KEYS];

    CHECK(thread_key_create(&key, destroy) == THREAD_OK);
    CHECK(thread_set(key, (void *)7) == THREAD_OK);
    for (uintptr_t i = 1; i <= 2; i++) {
        CHECK(thread_fork(&t, NULL, sets, (void *)i) == THREAD_OK && thread_join(t, NULL) == THREAD_OK);
    }
    CHECK(destroyed == 3 && thread_get(key) == (void *)7);
    for (int i = 1; i < THREAD_KEYS; i++) {
        CHECK(thread_key_create(&other[i], NULL) == THREAD_OK);
    }
    CHECK(thread_key_create(&other[0], NULL) == THREAD_NO_MEMORY);
    CHECK(thread_key_delete(key) == THREAD_OK && thread_key_delete(key) == THREAD_INVALID);
    CHECK(thread_get(key) == NULL && thread_set(key, NULL) == THREAD_INVALID && thread_get(99) == NULL);
    CHECK(thread_key_create(&other[0], NULL) == THREAD_OK && other[0] == key && thread_get(key) == NULL);
}
