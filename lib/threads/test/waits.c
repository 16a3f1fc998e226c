// waits.c - waits that end in every way: by a grant, a moment, a cancel; and what the objects refuse (shared.h).
#include "shared.h"

static struct mutex m;
static struct condition c;
static struct semaphore s;

// ---- mutex, condition, semaphore ------------------------------------------------------------------------------

static void *tries(void *argument)
{
    CHECK(mutex_try(&m) == THREAD_BUSY);
    CHECK(mutex_unlock(&m) == THREAD_INVALID);
    CHECK(mutex_lock_until(&m, soon()) == THREAD_TIMEOUT);
    CHECK(condition_wait(&c, &m) == THREAD_INVALID);
    CHECK(semaphore_wait_until(&s, soon()) == THREAD_TIMEOUT);
    return argument;
}
void shared_locks(void)
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
    CHECK(thread_fork(&t, NULL, tries, NULL) == THREAD_OK && thread_join(t, NULL) == THREAD_OK);
    CHECK(m.word == (uintptr_t)thread_self());               // nobody waits any more: the fast way is open
    CHECK(condition_wait_until(&c, &m, soon()) == THREAD_TIMEOUT);
    CHECK(mutex_try(&m) == THREAD_BUSY && mutex_unlock(&m) == THREAD_OK);
    CHECK(mutex_lock_until(&m, soon()) == THREAD_OK && mutex_unlock(&m) == THREAD_OK);
    condition_signal(&c);
    condition_broadcast(&c);
    CHECK(thread_sleep(soon()) == THREAD_OK);
    CHECK(thread_block(soon()) == THREAD_TIMEOUT);
    thread_unblock(thread_self());
    thread_unblock(thread_self());                           // one is kept
    CHECK(thread_block(0) == THREAD_OK && thread_block(soon()) == THREAD_TIMEOUT);
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
void shared_cancels(void)
{
    struct thread *t[3], *u;
    void *value = NULL;

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
void shared_meetings(void)
{
    struct thread *t[3];

    CHECK(barrier_init(&b, 0) == THREAD_INVALID && barrier_init(&b, 4) == THREAD_OK);
    for (int i = 0; i < 3; i++) {
        CHECK(thread_fork(&t[i], NULL, meets, NULL) == THREAD_OK);
    }
    (void)meets(NULL);
    for (int i = 0; i < 3; i++) {
        CHECK(thread_join(t[i], NULL) == THREAD_OK);
    }
    CHECK(lasts == 1);
    rwlock_init(&l);
    CHECK(rwlock_release(&l) == THREAD_INVALID);
    rwlock_read(&l);
    CHECK(thread_fork(&t[0], NULL, writes, NULL) == THREAD_OK);
    while (*(volatile uint32_t *)&l.want_write == 0) {
        thread_yield();
    }
    CHECK(rwlock_try_read(&l) == THREAD_BUSY && written == 0);
    CHECK(rwlock_release(&l) == THREAD_OK && thread_join(t[0], NULL) == THREAD_OK && written == 1);
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
void shared_packages(void)
{
    struct thread *t;

    foreign = (struct foreign){{&foreign.waitable, NULL, foreign_unblock}, 0, thread_self()};
    CHECK(thread_fork(&t, NULL, serves, &foreign.waitable) == THREAD_OK);
    waitable_block();
    CHECK(foreign.unblocked == 1);
    waitable_unblock(thread_waitable(t));
    CHECK(thread_join(t, NULL) == THREAD_OK);
}
