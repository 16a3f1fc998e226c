// test_wait.c - waits that end in every way: by a grant, a moment, a cancel; and what the objects refuse.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host.h"

static int failed_at;
#define CHECK(x) do { if (!(x) && failed_at == 0) { failed_at = __LINE__; } } while (0)

static void run(void *(*first)(void *), unsigned processors)
{
    struct threads_setup setup = {.spins = 5};

    host_begin(&setup, processors);
    if (threads_begin(&setup, first, NULL) != THREAD_OK) {
        exit(2);
    }
    host_run(processors, 0);
    if (failed_at != 0) {
        fprintf(stderr, "failed at line %d\n", failed_at);
        exit(3);
    }
    if (!host_balanced()) {
        exit(4);
    }
}
static void *finish(void)
{
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}

static struct mutex m;
static struct condition c;
static struct semaphore s;

// ---- mutex, condition, semaphore ------------------------------------------------------------------------------

static void *tries(void *argument)
{
    CHECK(mutex_try(&m) == THREAD_BUSY);
    CHECK(mutex_unlock(&m) == THREAD_INVALID);
    CHECK(mutex_lock_until(&m, host.now + 10) == THREAD_TIMEOUT);
    CHECK(condition_wait(&c, &m) == THREAD_INVALID);
    CHECK(semaphore_wait_until(&s, host.now + 10) == THREAD_TIMEOUT);
    return argument;
}
static void *locks(void *argument)
{
    struct mutex other;
    struct thread *t;

    mutex_init(&m);
    mutex_init(&other);
    condition_init(&c);
    semaphore_init(&s, 2);
    CHECK(mutex_unlock(&m) == THREAD_INVALID);
    mutex_lock(&m);
    CHECK(semaphore_wait(&s) == THREAD_OK && semaphore_try(&s) == THREAD_OK && semaphore_try(&s) == THREAD_BUSY);
    CHECK(thread_fork(&t, argument, tries, NULL) == THREAD_OK && thread_join(t, NULL) == THREAD_OK);
    CHECK(m.word == (uintptr_t)thread_self());               // nobody waits any more: the fast way is open
    CHECK(condition_wait_until(&c, &m, host.now + 10) == THREAD_TIMEOUT);
    CHECK(mutex_try(&m) == THREAD_BUSY && mutex_unlock(&m) == THREAD_OK);
    CHECK(mutex_lock_until(&m, host.now + 10) == THREAD_OK && mutex_unlock(&m) == THREAD_OK);
    condition_signal(&c);
    condition_broadcast(&c);
    CHECK(thread_sleep(host.now + 5) == THREAD_OK);
    CHECK(thread_block(host.now + 5) == THREAD_TIMEOUT);
    thread_unblock(thread_self());
    thread_unblock(thread_self());                           // one is kept
    CHECK(thread_block(0) == THREAD_OK && thread_block(host.now + 5) == THREAD_TIMEOUT);
    return finish();
}

// ---- cancel -------------------------------------------------------------------------------------------------

static void *waits_condition(void *argument)
{
    mutex_lock(&m);
    CHECK(condition_wait(&c, &m) == THREAD_CANCELLED);
    CHECK(mutex_unlock(&m) == THREAD_OK);                    // it owns it nevertheless
    return argument;
}
static void *waits_semaphore(void *argument)
{
    CHECK(semaphore_wait(&s) == THREAD_CANCELLED);
    thread_test_cancel();
    CHECK(false);
    return argument;
}
static void *waits_join(void *argument)
{
    CHECK(thread_join(argument, NULL) == THREAD_CANCELLED);
    return NULL;
}
static void *does_not_hear(void *argument)
{
    CHECK(thread_set_cancel(false) == true);
    thread_yield();
    CHECK(thread_block(0) == THREAD_OK);
    thread_test_cancel();
    CHECK(thread_set_cancel(true) == false);
    thread_test_cancel();
    CHECK(false);
    return argument;
}
static void *cancels(void *argument)
{
    struct thread *t[3], *u;
    void *value = argument;

    semaphore_init(&s, 0);
    mutex_init(&m);
    condition_init(&c);
    CHECK(thread_fork(&t[0], NULL, waits_condition, (void *)1) == THREAD_OK);
    CHECK(thread_fork(&t[1], NULL, waits_semaphore, (void *)1) == THREAD_OK);
    CHECK(thread_fork(&t[2], NULL, does_not_hear, (void *)1) == THREAD_OK);
    CHECK(thread_fork(&u, NULL, waits_join, thread_self()) == THREAD_OK);
    for (int i = 0; i < 4; i++) {
        thread_yield();
    }
    for (int i = 0; i < 3; i++) {
        thread_cancel(t[i]);
    }
    thread_cancel(u);
    thread_unblock(t[2]);
    CHECK(thread_join(t[0], &value) == THREAD_OK && value == (void *)1);
    CHECK(thread_join(t[1], &value) == THREAD_OK && value == NULL);
    CHECK(thread_join(t[2], &value) == THREAD_OK && value == NULL);
    CHECK(thread_join(u, &value) == THREAD_OK);
    CHECK(s.word == 0 && m.word == 0);
    return finish();
}

// ---- priority of waiters ------------------------------------------------------------------------------------

static unsigned order[4], ordered;
static void *owns(void *argument)
{
    mutex_lock(&m);
    order[ordered++] = (unsigned)(uintptr_t)argument;
    (void)mutex_unlock(&m);
    return NULL;
}
static void *by_priority(void *argument)
{
    static const uint32_t priority[] = {17, 19, 18, 19};
    struct thread *t[4];

    mutex_init(&m);
    mutex_lock(&m);
    for (uintptr_t i = 0; i < 4; i++) {
        struct thread_attributes a = {.has_priority = true, .priority = priority[i]};
        CHECK(thread_fork(&t[i], &a, owns, (void *)i) == THREAD_OK);
    }
    (void)mutex_unlock(&m);
    for (int i = 0; i < 4; i++) {
        CHECK(thread_join(t[i], argument) == THREAD_OK);
    }
    CHECK(order[0] == 1 && order[1] == 3 && order[2] == 2 && order[3] == 0);
    return finish();
}

// ---- barrier, reader-writer lock ----------------------------------------------------------------------------

static struct barrier b;
static struct rwlock l;
static unsigned lasts, written;
static void *meets(void *argument)
{
    __atomic_fetch_add(&lasts, barrier_wait(&b), __ATOMIC_RELAXED);
    return argument;
}
static void *writes(void *argument)
{
    CHECK(rwlock_try_write(&l) == THREAD_BUSY && rwlock_try_read(&l) == THREAD_OK);
    CHECK(rwlock_release(&l) == THREAD_OK);
    rwlock_write(&l);
    written++;
    CHECK(rwlock_release(&l) == THREAD_OK);
    return argument;
}
static void *meetings(void *argument)
{
    struct thread *t[3];

    CHECK(barrier_init(&b, 0) == THREAD_INVALID && barrier_init(&b, 4) == THREAD_OK);
    for (int i = 0; i < 3; i++) {
        CHECK(thread_fork(&t[i], argument, meets, NULL) == THREAD_OK);
    }
    (void)meets(NULL);
    for (int i = 0; i < 3; i++) {
        CHECK(thread_join(t[i], NULL) == THREAD_OK);
    }
    CHECK(lasts == 1);
    rwlock_init(&l);
    CHECK(rwlock_release(&l) == THREAD_INVALID);
    rwlock_read(&l);
    CHECK(thread_fork(&t[0], argument, writes, NULL) == THREAD_OK);
    while (*(volatile uint32_t *)&l.want_write == 0) {
        thread_yield();
    }
    CHECK(rwlock_try_read(&l) == THREAD_BUSY && written == 0);
    CHECK(rwlock_release(&l) == THREAD_OK && thread_join(t[0], NULL) == THREAD_OK && written == 1);
    return finish();
}

// ---- threads of other packages --------------------------------------------------------------------------------

// A package of a kind of its own: a record that counts, and its thread, which runs on one of the library's.
static struct foreign { struct waitable waitable; uint32_t unblocked; struct thread *worker; } foreign;
static void foreign_unblock(struct waitable *other)
{
    ((struct foreign *)other)->unblocked++;
    thread_unblock(((struct foreign *)other)->worker);
}
static void *serves(void *argument)
{
    waitable_unblock(argument);
    waitable_block();
    return NULL;
}
static void *packages(void *argument)
{
    struct thread *t;

    foreign = (struct foreign){{&foreign.waitable, NULL, foreign_unblock}, 0, thread_self()};
    CHECK(thread_fork(&t, argument, serves, &foreign.waitable) == THREAD_OK);
    waitable_block();
    CHECK(foreign.unblocked == 1);
    waitable_unblock(thread_waitable(t));
    CHECK(thread_join(t, NULL) == THREAD_OK);
    return finish();
}

static void child_locks(void) { run(locks, 1); }
static void child_locks_2(void) { run(locks, 2); }
static void child_cancels(void) { run(cancels, 1); }
static void child_by_priority(void) { run(by_priority, 1); }
static void child_meetings(void) { run(meetings, 1); }
static void child_meetings_3(void) { run(meetings, 3); }
static void child_packages(void) { run(packages, 1); }

#define TEST(name) static void test_##name(void **state) { (void)state; host_child(child_##name); }
TEST(locks) TEST(locks_2) TEST(cancels) TEST(by_priority) TEST(meetings) TEST(meetings_3) TEST(packages)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locks), cmocka_unit_test(test_locks_2), cmocka_unit_test(test_cancels),
        cmocka_unit_test(test_by_priority), cmocka_unit_test(test_meetings), cmocka_unit_test(test_meetings_3),
        cmocka_unit_test(test_packages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
