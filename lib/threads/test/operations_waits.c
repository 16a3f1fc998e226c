// operations_waits.c - operations.h: mutexes, conditions, semaphores; waits that end early.
#include "operations.h"

enum { SOON = 600, LONG = 1000000, WAITERS = 3, SLEEPERS = 12 };

static struct mutex m, n;
static struct condition c, d;
static struct semaphore s;
static uint64_t turns;

static uint64_t soon(void)
{
    return operation_clock() + SOON;
}
static void *status(enum thread_status status_)
{
    return (void *)(uint64_t)status_;
}
static void unlock(struct mutex *mutex)
{
    CHECK(mutex_unlock(mutex) == THREAD_OK);
}

// ---- mutex ----------------------------------------------------------------------------------------------------

static void *locks(void *argument)
{
    mutex_lock(&m);
    turns++;
    thread_yield();
    unlock(&m);
    return argument;
}
static void mutex_others(unsigned waiters, uint32_t step)
{
    struct thread *t[WAITERS];

    turns = 0;
    mutex_lock(&m);
    operation_may_hold(&m.guard);
    for (unsigned i = 0; i < waiters; i++) {
        t[i] = operation_fork(locks, &t[i], MIDDLE - 1 + step * i);
    }
    operation_begin();
    thread_yield();
    CHECK(thread_set_priority(thread_self(), LOW) == THREAD_OK);
    unlock(&m);
    mutex_lock(&m);
    unlock(&m);
    for (unsigned i = 0; i < waiters; i++) {
        CHECK(operation_join(t[i]) == &t[i]);
    }
    operation_end();
    CHECK(thread_set_priority(thread_self(), MIDDLE) == THREAD_OK && turns == waiters && m.word == 0);
}
static void mutex_one(void) { mutex_others(1, 1); }
static void mutex_three(void) { mutex_others(3, 1); }

static void mutex_guarded(void)
{
    struct thread *t = operation_fork(locks, &t, MIDDLE);

    mutex_lock(&m);
    operation_hold(&m.guard);
    operation_begin();
    thread_yield();
    unlock(&m);
    CHECK(operation_join(t) == &t);
    operation_end();
}
static void *locks_until(void *until)
{
    enum thread_status e = mutex_lock_until(&m, (uint64_t)until);

    if (e == THREAD_OK) {
        unlock(&m);
    }
    return status(e);
}
static void mutex_late(void)
{
    struct thread *t, *u;

    mutex_lock(&m);
    operation_may_hold(&m.guard);
    operation_begin();
    t = operation_fork(locks_until, (void *)soon(), HIGH);
    u = operation_fork(locks_until, (void *)(soon() + 10), HIGH + 1);
    CHECK(operation_join(t) == status(THREAD_TIMEOUT) && operation_join(u) == status(THREAD_TIMEOUT));
    unlock(&m);
    operation_end();
    CHECK(m.word == 0);
}
// The moment comes as it begins to wait, or before.
static void mutex_now(void)
{
    mutex_lock(&n);
    operation_may_hold(&n.guard);
    operation_begin();
    CHECK(mutex_lock_until(&n, operation_clock() + 1) == THREAD_TIMEOUT);
    CHECK(mutex_lock_until(&m, soon()) == THREAD_OK && mutex_unlock(&m) == THREAD_OK);
    unlock(&n);
    CHECK(mutex_unlock(&n) == THREAD_INVALID);
    operation_end();
}

// ---- condition ------------------------------------------------------------------------------------------------

static bool to_me;
static void *waits(void *until)
{
    enum thread_status e = THREAD_OK;

    mutex_lock(&m);
    turns++;
    while (!to_me && e == THREAD_OK) {
        e = condition_wait_until(&c, &m, (uint64_t)until);
    }
    unlock(&m);
    return status(e);
}
static void signal_with(uint32_t priority, unsigned waiters, bool owner, void (*signal)(struct condition *))
{
    struct thread *t[WAITERS];

    to_me = false;
    condition_init(&c);
    operation_may_hold(&m.guard);
    operation_begin();
    for (unsigned i = 0; i < waiters; i++) {
        t[i] = operation_fork(waits, NULL, priority + i);
    }
    operation_yields(2);
    mutex_lock(&m);
    to_me = true;
    if (owner) {
        signal(&c);
        thread_yield();
        unlock(&m);
    } else {
        unlock(&m);
        signal(&c);
    }
    for (unsigned i = 0; i < waiters; i++) {
        mutex_lock(&m);
        condition_signal(&c);
        unlock(&m);
    }
    for (unsigned i = 0; i < waiters; i++) {
        CHECK(operation_join(t[i]) == status(THREAD_OK));
    }
    operation_end();
}
static void signal_one(void) { signal_with(MIDDLE, 1, true, condition_signal); }
static void signal_free(void) { signal_with(HIGH, 1, false, condition_signal); }
static void signal_three(void) { signal_with(HIGH, 3, false, condition_signal); }
static void signal_all(void) { signal_with(LOW + 10, 3, true, condition_broadcast); }
static void signal_all_free(void) { signal_with(HIGH, 3, false, condition_broadcast); }

static void *pings(void *argument)
{
    mutex_lock(&m);
    for (unsigned i = 0; i < 2; i++) {
        to_me = true;
        condition_signal(&c);
        while (to_me) {
            (void)condition_wait(&d, &m);
        }
    }
    unlock(&m);
    return argument;
}
static void ping_pong(void)
{
    struct thread *t;

    to_me = false;
    operation_may_hold(&m.guard);
    t = operation_fork(pings, &t, MIDDLE);
    operation_begin();
    mutex_lock(&m);
    for (unsigned i = 0; i < 2; i++) {
        while (!to_me) {
            (void)condition_wait(&c, &m);
        }
        to_me = false;
        condition_signal(&d);
    }
    unlock(&m);
    CHECK(operation_join(t) == &t);
    operation_end();
}
static void condition_late(void)
{
    struct thread *t;

    to_me = false;
    operation_may_hold(&m.guard);
    operation_begin();
    t = operation_fork(waits, (void *)soon(), HIGH);
    mutex_lock(&m);                                  // it has to wait for the mutex then
    CHECK(thread_sleep(soon() + SOON) == THREAD_OK);
    unlock(&m);
    CHECK(operation_join(t) == status(THREAD_TIMEOUT));
    t = operation_fork(waits, (void *)soon(), HIGH);
    CHECK(operation_join(t) == status(THREAD_TIMEOUT));
    operation_end();
    CHECK(m.word == 0);
}
static void condition_now(void)
{
    mutex_lock(&m);
    operation_may_hold(&m.guard);
    operation_begin();
    CHECK(condition_wait_until(&c, &m, operation_clock() + 1) == THREAD_TIMEOUT);
    unlock(&m);
    CHECK(condition_wait(&c, &m) == THREAD_INVALID);
    condition_signal(&c);
    operation_end();
}
static void condition_cancel(void)
{
    struct thread *t[2];

    to_me = false;
    t[0] = operation_fork(waits, NULL, HIGH);
    t[1] = operation_fork(waits, NULL, HIGH);
    operation_may_hold(&m.guard);
    operation_begin();
    thread_cancel(t[0]);
    CHECK(operation_join(t[0]) == status(THREAD_CANCELLED));
    mutex_lock(&m);
    thread_cancel(t[1]);
    unlock(&m);
    CHECK(operation_join(t[1]) == status(THREAD_CANCELLED));
    operation_end();
}
// One that has another mutex, and one that nobody has used.
static void condition_wrong(void)
{
    struct condition fresh;
    struct thread *t = operation_fork(waits, NULL, HIGH - 1);

    condition_init(&fresh);
    operation_begin();
    condition_signal(&fresh);
    condition_broadcast(&fresh);
    mutex_lock(&n);
    CHECK(condition_wait(&c, &n) == THREAD_INVALID);
    unlock(&n);
    mutex_lock(&m);
    to_me = true;
    condition_signal(&c);
    unlock(&m);
    CHECK(operation_join(t) == status(THREAD_OK));
    operation_end();
    to_me = false;
}

// ---- semaphore ------------------------------------------------------------------------------------------------

static void *takes(void *until)
{
    return status(semaphore_wait_until(&s, (uint64_t)until));
}
static void semaphore_others(unsigned waiters)
{
    struct thread *t[WAITERS];

    operation_may_hold(&s.guard);
    for (unsigned i = 0; i < waiters; i++) {
        t[i] = operation_fork(takes, NULL, MIDDLE + i * 2);
    }
    operation_begin();
    thread_yield();
    for (unsigned i = 0; i < waiters; i++) {
        semaphore_post(&s);
    }
    for (unsigned i = 0; i < waiters; i++) {
        CHECK(operation_join(t[i]) == status(THREAD_OK));
    }
    CHECK(semaphore_try(&s) == THREAD_BUSY);
    semaphore_post(&s);
    CHECK(semaphore_wait(&s) == THREAD_OK);
    operation_end();
}
static void semaphore_one(void) { semaphore_others(1); }
static void semaphore_three(void) { semaphore_others(3); }

static void semaphore_guarded(void)
{
    struct thread *t = operation_fork(takes, NULL, MIDDLE);

    operation_hold(&s.guard);
    operation_begin();
    thread_yield();
    semaphore_post(&s);
    CHECK(operation_join(t) == status(THREAD_OK));
    operation_end();
}
// Somebody gives the unit between the look at the word and the wait, if it is stopped there.
static void *gives(void *argument)
{
    semaphore_post(&s);
    return argument;
}
static void semaphore_race(void)
{
    struct thread *t = operation_fork(gives, &t, MIDDLE);

    operation_may_hold(&s.guard);
    operation_begin();
    CHECK(semaphore_wait(&s) == THREAD_OK);
    operation_end();
    CHECK(operation_join(t) == &t);
}
static void semaphore_late(void)
{
    struct thread *t[2];

    operation_may_hold(&s.guard);
    operation_begin();
    t[0] = operation_fork(takes, (void *)(soon() + 50), HIGH);
    t[1] = operation_fork(takes, (void *)soon(), HIGH + 1);
    CHECK(thread_sleep(soon()) == THREAD_OK);
    CHECK(operation_join(t[0]) == status(THREAD_TIMEOUT) && operation_join(t[1]) == status(THREAD_TIMEOUT));
    operation_end();
}
static void semaphore_now(void)
{
    operation_may_hold(&s.guard);
    operation_begin();
    CHECK(semaphore_wait_until(&s, operation_clock() + 1) == THREAD_TIMEOUT);
    operation_end();
}
static void *sleeps(void *until)
{
    return status(thread_sleep((uint64_t)until));
}
static void timers_three(void)
{
    struct thread *t[WAITERS];
    uint64_t at = operation_clock() + LONG;

    operation_may_hold(&threads.timer_lock);
    operation_begin();
    t[0] = operation_fork(sleeps, (void *)at, HIGH);
    t[1] = operation_fork(sleeps, (void *)(at - 1), HIGH);
    t[2] = operation_fork(takes, (void *)(at + 1), HIGH);
    semaphore_post(&s);
    CHECK(operation_join(t[2]) == status(THREAD_OK));
    thread_cancel(t[1]);
    CHECK(operation_join(t[1]) == status(THREAD_CANCELLED) && operation_join(t[0]) == status(THREAD_OK));
    operation_end();
}
// In all places of the heap: some end early, and then the others in the order of their moments.  Little of it is
// disturbed at each instruction by an interval, since that takes as long as the operation is, squared.
static void timers_many(void)
{
    static const uint32_t moment[SLEEPERS] = {0, 0, 9, 2, 1, 8, 7, 9, 4, 2, 1, 8};
    struct thread *t[SLEEPERS];
    uint64_t at = operation_clock() + LONG;

    for (unsigned i = 0; i < SLEEPERS - 1; i++) {
        t[i] = operation_fork(sleeps, (void *)(at + moment[i]), HIGH);
    }
    for (unsigned i = 0; i < SLEEPERS - 1; i += 2) {
        thread_cancel(t[i]);
        CHECK(operation_join(t[i]) == status(THREAD_CANCELLED));
    }
    operation_may_hold(&threads.timer_lock);
    operation_begin();
    t[SLEEPERS - 1] = operation_fork(sleeps, (void *)(at + moment[SLEEPERS - 1]), HIGH);
    for (unsigned i = 1; i < SLEEPERS; i += 2) {
        CHECK(operation_join(t[i]) == status(THREAD_OK));
    }
    operation_end();
}

// ---- blocking by hand, cancellation ---------------------------------------------------------------------------

static void *blocks(void *until)
{
    return status(thread_block((uint64_t)until));
}
static void block(void)
{
    struct thread *t = operation_fork(blocks, NULL, MIDDLE);

    operation_may_hold(&t->token.guard);
    operation_begin();
    thread_yield();
    thread_unblock(t);
    CHECK(operation_join(t) == status(THREAD_OK));
    thread_unblock(thread_self());
    thread_unblock(thread_self());
    CHECK(thread_block(0) == THREAD_OK && thread_block(operation_clock() + 1) == THREAD_TIMEOUT);
    operation_end();
}
static void *waits_plainly(void *argument)
{
    waitable_block();
    thread_test_cancel();
    CHECK(false);
    return argument;
}
static void cancel(void)
{
    struct thread *t = operation_fork(waits_plainly, NULL, HIGH), *u = operation_fork(takes, NULL, HIGH);

    operation_may_hold(&s.guard);
    operation_begin();
    thread_cancel(t);                                // not heard as it waits
    waitable_unblock(thread_waitable(t));
    CHECK(operation_join(t) == NULL);
    thread_cancel(u);
    CHECK(operation_join(u) == status(THREAD_CANCELLED));
    thread_test_cancel();
    CHECK(thread_set_cancel(false) && !thread_set_cancel(true));
    operation_end();
}
// It has been asked before it waits.
static void *waits_late(void *argument)
{
    CHECK(thread_set_cancel(false));
    operation_yields(2);
    (void)thread_set_cancel(true);
    if (argument == &s) {
        return takes(NULL);
    }
    mutex_lock(&m);
    enum thread_status e = condition_wait(&c, &m);
    unlock(&m);
    return status(e);
}
static void cancel_before(void)
{
    struct thread *t = operation_fork(waits_late, &s, MIDDLE), *u = operation_fork(waits_late, &c, MIDDLE);

    thread_yield();
    operation_begin();
    thread_cancel(t);
    thread_cancel(u);
    CHECK(operation_join(t) == status(THREAD_CANCELLED) && operation_join(u) == status(THREAD_CANCELLED));
    operation_end();
}
// Two look at the wait of one.
static void *cancels(void *t)
{
    thread_cancel(t);
    return t;
}
static void cancel_both(void)
{
    struct thread *t = operation_fork(takes, (void *)soon(), HIGH), *u = operation_fork(cancels, t, MIDDLE);
    void *value;

    operation_begin();
    thread_cancel(t);
    CHECK(operation_join(u) == t);
    value = operation_join(t);
    operation_end();
    CHECK(value == status(THREAD_CANCELLED) || value == status(THREAD_TIMEOUT));
}

// ---- all of them ----------------------------------------------------------------------------------------------

static void make(void)
{
    struct barrier alone;

    operation_begin();
    mutex_init(&m);
    condition_init(&c);
    semaphore_init(&s, 0);
    CHECK(barrier_init(&alone, 0) == THREAD_INVALID && barrier_init(&alone, 1) == THREAD_OK && barrier_wait(&alone));
    operation_end();
}

const struct operation operations_waits[] = {
    {"objects are made", make}, {"mutex, one waits", mutex_one}, {"mutex, three wait", mutex_three},
    {"mutex, its guard is held", mutex_guarded}, {"mutex, too late", mutex_late}, {"mutex, at once", mutex_now},
    {"signal to one", signal_one}, {"signal by nobody", signal_free}, {"signal, three wait", signal_three},
    {"broadcast", signal_all}, {"broadcast by nobody", signal_all_free}, {"ping-pong", ping_pong},
    {"condition, too late", condition_late}, {"condition, at once", condition_now},
    {"condition, cancelled", condition_cancel}, {"condition, another mutex", condition_wrong},
    {"semaphore, one waits", semaphore_one}, {"semaphore, three wait", semaphore_three},
    {"semaphore, its guard is held", semaphore_guarded}, {"semaphore, a race", semaphore_race},
    {"semaphore, too late", semaphore_late}, {"semaphore, at once", semaphore_now}, {"timers", timers_three},
    {"timers, many", timers_many},
    {"block and unblock", block}, {"cancel", cancel}, {"cancelled before", cancel_before},
    {"cancelled and too late", cancel_both}, {NULL, NULL},
};
