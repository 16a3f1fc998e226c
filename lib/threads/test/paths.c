// paths.c - a program that goes the ways through the library which work.c does not: priorities, ends of waits before
// their time, records of other sizes, what is refused.  One step after another, so each result is known.
#include "paths.h"

int paths_failed;                        // line of the first check that failed
#define CHECK(x) do { if (!(x) && paths_failed == 0) { paths_failed = __LINE__; } } while (0)

enum { WAITERS = 3, SOON = 3 };

static struct mutex m, other;
static struct condition c;
static struct semaphore s, end;
static struct rwlock shared;
static volatile uint32_t ran, key_ended;

static struct thread *begin(void *(*fn)(void *), void *argument, uint32_t priority)
{
    struct thread_attributes a = {.has_priority = true, .priority = priority};
    struct thread *t = NULL;

    CHECK(thread_fork(&t, &a, fn, argument) == THREAD_OK);
    return t;
}
static void *counts(void *argument)
{
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return argument;
}
static uint64_t soon(void)
{
    return host.machine.now() + SOON;
}

// ---- begin and end --------------------------------------------------------------------------------------------

static void *waits_for_end(void *argument)
{
    (void)semaphore_wait(&end);
    return argument;
}
static void *joins(void *t)
{
    return (void *)(uint64_t)thread_join(t, NULL);
}
static void *exits(void *argument)
{
    thread_exit(argument);
}
static void sizes(void)
{
    static const size_t stack[] = {20000, 40000, 20000};
    struct thread *t;
    void *value = NULL;

    for (unsigned i = 0; i < 3; i++) {
        struct thread_attributes a = {.stack = stack[i]}, gone = {.stack = stack[i], .detached = true};
        CHECK(thread_fork(&t, &a, exits, &s) == THREAD_OK && thread_join(t, &value) == THREAD_OK && value == &s);
        CHECK(thread_fork(&t, &gone, counts, NULL) == THREAD_OK);
        CHECK(thread_fork(&t, &a, counts, &m) == THREAD_OK);
        thread_yield();
        CHECK(thread_join(t, &value) == THREAD_OK && value == &m);
    }
    CHECK(thread_fork(&t, &(struct thread_attributes){.has_priority = true, .priority = 99}, counts, NULL) ==
          THREAD_INVALID);
}
static void ends(void)
{
    struct thread *t, *j;
    void *value = NULL;

    t = begin(waits_for_end, &s, 16);
    j = begin(joins, t, 16);
    for (unsigned i = 0; i < 4; i++) {
        thread_yield();
    }
    thread_cancel(j);                                // it waits for t, as a rule
    CHECK(thread_join(j, &value) == THREAD_OK);
    semaphore_post(&end);
    if (value == (void *)THREAD_CANCELLED) {
        CHECK(thread_join(t, &value) == THREAD_OK && value == &s);
    }
    CHECK(thread_join(thread_self(), NULL) == THREAD_INVALID);
    t = begin(counts, NULL, 16);
    CHECK(thread_detach(t) == THREAD_OK);
    t = begin(counts, NULL, 20);                     // higher: it has ended, on one processor
    CHECK(thread_detach(t) == THREAD_OK);
    t = begin(waits_for_end, NULL, 16);
    CHECK(thread_detach(t) == THREAD_OK && thread_detach(t) == THREAD_INVALID);
    semaphore_post(&end);
}

// ---- priorities -------------------------------------------------------------------------------------------------

static void *yields(void *argument)
{
    CHECK(thread_set_priority(thread_self(), (uint32_t)(uint64_t)argument) == THREAD_OK);
    for (unsigned i = 0; i < 3; i++) {
        mutex_lock(&m);
        thread_yield();
        (void)mutex_unlock(&m);
        thread_yield();
    }
    return (void *)(uint64_t)thread_priority(thread_self());
}
static void priorities(void)
{
    struct thread *t[5];
    void *value;

    for (uint64_t i = 0; i < 5; i++) {
        t[i] = begin(yields, (void *)(10 + 3 * i), 16);
    }
    for (uint64_t i = 0; i < 5; i++) {
        CHECK(thread_join(t[i], &value) == THREAD_OK && value == (void *)(10 + 3 * i));
    }
    CHECK(thread_set_priority(thread_self(), 32) == THREAD_INVALID);
}

// ---- waits that end early ---------------------------------------------------------------------------------------

enum way { SEMAPHORE, CONDITION, BLOCK, MUTEX, WAYS };

static enum thread_status wait(enum way way, uint64_t until)
{
    enum thread_status status;

    switch (way) {
    case SEMAPHORE:
        return semaphore_wait_until(&s, until);
    case CONDITION:
        mutex_lock(&m);
        status = condition_wait_until(&c, &m, until);
        CHECK(mutex_unlock(&m) == THREAD_OK);
        return status;
    case BLOCK:
        return thread_block(until);
    default:
        return mutex_lock_until(&other, until);
    }
}
static void *waits_long(void *way)
{
    return (void *)(uint64_t)wait((enum way)(uint64_t)way, 0);
}
static void *waits_short(void *way)
{
    return (void *)(uint64_t)wait((enum way)(uint64_t)way, soon());
}
static void *looks_first(void *way)
{
    bool was = thread_set_cancel(false);

    (void)semaphore_wait(&end);                      // cancelled meanwhile
    (void)thread_set_cancel(was);
    return waits_long(way);
}
static void timeouts(void)
{
    struct thread *t[WAITERS];
    void *value;

    mutex_lock(&other);
    for (uint64_t way = 0; way < WAYS; way++) {
        for (unsigned i = 0; i < WAITERS; i++) {
            t[i] = begin(waits_short, (void *)way, 14 + 2 * i);
        }
        if (way == CONDITION) {                      // they have to wait for the mutex as well
            mutex_lock(&m);
            (void)thread_sleep(soon() + 2 * SOON);
            (void)mutex_unlock(&m);
        }
        for (unsigned i = 0; i < WAITERS; i++) {
            CHECK(thread_join(t[i], &value) == THREAD_OK && value == (void *)THREAD_TIMEOUT);
        }
    }
    CHECK(mutex_unlock(&other) == THREAD_OK);
    CHECK(mutex_lock_until(&other, soon()) == THREAD_OK && mutex_unlock(&other) == THREAD_OK);
}
static void cancels(void)
{
    struct thread *t[WAITERS];
    void *value;

    for (uint64_t way = 0; way < MUTEX; way++) {
        for (unsigned i = 0; i < WAITERS; i++) {
            t[i] = begin(waits_long, (void *)way, 14 + 2 * i);
        }
        thread_yield();
        for (unsigned i = 0; i < WAITERS; i++) {
            thread_cancel(t[WAITERS - 1 - i]);
            CHECK(thread_join(t[WAITERS - 1 - i], &value) == THREAD_OK && value == (void *)THREAD_CANCELLED);
        }
        t[0] = begin(looks_first, (void *)way, 16);
        thread_yield();
        thread_cancel(t[0]);
        semaphore_post(&end);
        CHECK(thread_join(t[0], &value) == THREAD_OK && value == (void *)THREAD_CANCELLED);
    }
}

// ---- the rest ---------------------------------------------------------------------------------------------------

static void *broadcast_to(void *way)
{
    mutex_lock(&m);
    ran++;
    condition_signal(&c);                            // to `meets`, who looks for the number
    (void)condition_wait(&c, &m);
    (void)mutex_unlock(&m);
    return way;
}
static void meets(void)
{
    struct thread *t[WAITERS];

    ran = 0;
    for (unsigned i = 0; i < WAITERS; i++) {
        t[i] = begin(broadcast_to, NULL, 14 + 2 * i);
    }
    for (bool all = false; !all;) {
        mutex_lock(&m);
        all = ran == WAITERS;
        (void)mutex_unlock(&m);
        thread_yield();
    }
    for (unsigned i = 0; i < WAITERS; i++) {
        mutex_lock(&m);
        if (i % 2 == 0) {
            condition_broadcast(&c);
        }
        (void)mutex_unlock(&m);
        condition_signal(&c);                        // not the owner
        CHECK(thread_join(t[i], NULL) == THREAD_OK);
    }
}
static void key_end(void *value)
{
    key_ended += value == &m;
}
static void *has_keys(void *key)
{
    CHECK(thread_set(*(unsigned *)key, &m) == THREAD_OK && thread_get(*(unsigned *)key) == &m);
    waitable_block();
    thread_test_cancel();
    return NULL;
}
static void *nothing_left(void *argument)
{
    rwlock_write(&shared);
    CHECK(rwlock_try_read(&shared) == THREAD_BUSY && rwlock_try_write(&shared) == THREAD_BUSY);
    thread_yield();
    CHECK(rwlock_release(&shared) == THREAD_OK);
    return argument;
}
static void refused(void)
{
    struct thread *t = begin(nothing_left, NULL, 16);
    unsigned key = 99;

    rwlock_write(&shared);
    thread_yield();
    CHECK(rwlock_release(&shared) == THREAD_OK && thread_join(t, NULL) == THREAD_OK);
    CHECK(rwlock_try_read(&shared) == THREAD_OK && rwlock_release(&shared) == THREAD_OK);
    CHECK(rwlock_try_write(&shared) == THREAD_OK && rwlock_release(&shared) == THREAD_OK);
    CHECK(rwlock_release(&shared) == THREAD_INVALID);
    CHECK(mutex_unlock(&other) == THREAD_INVALID && condition_wait(&c, &other) == THREAD_INVALID);
    CHECK(semaphore_try(&s) == THREAD_BUSY);
    semaphore_post(&s);
    CHECK(semaphore_try(&s) == THREAD_OK && thread_set(key, NULL) == THREAD_INVALID);
    CHECK(thread_key_create(&key, key_end) == THREAD_OK);
    key_ended = 0;
    t = begin(has_keys, &key, 16);
    thread_yield();
    thread_cancel(t);                                // not heard as it waits
    waitable_unblock(thread_waitable(t));
    CHECK(thread_join(t, NULL) == THREAD_OK && key_ended == 1);
    CHECK(thread_get(key) == NULL && thread_key_delete(key) == THREAD_OK && thread_key_delete(key) == THREAD_INVALID);
}

void *paths_first(void *rounds)
{
    rwlock_init(&shared);
    condition_init(&c);
    for (uint64_t i = 0; i < (uint64_t)rounds; i++) {
        sizes();
        ends();
        priorities();
        timeouts();
        cancels();
        meets();
        refused();
    }
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}
