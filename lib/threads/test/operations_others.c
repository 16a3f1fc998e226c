// operations_others.c - operations.h: barriers, readers and writers, events, other packages, and lists of processors
// that are not held.
#include "../event.h"
#include "../package.h"
#include "operations.h"

// ---- barriers, readers and writers ----------------------------------------------------------------------------

static struct barrier all;
static struct rwlock shared;

static void *meets(void *argument)
{
    (void)argument;
    return (void *)(uint64_t)barrier_wait(&all);
}
static void barrier(void)
{
    struct thread *t[2];
    uint64_t last = 0;

    CHECK(barrier_init(&all, 3) == THREAD_OK);
    t[0] = operation_fork(meets, NULL, MIDDLE);
    t[1] = operation_fork(meets, NULL, MIDDLE);
    operation_begin();
    last += barrier_wait(&all);
    last += (uint64_t)operation_join(t[0]);
    last += (uint64_t)operation_join(t[1]);
    operation_end();
    CHECK(last == 1);
}
static void *reads(void *argument)
{
    rwlock_read(&shared);
    thread_yield();
    CHECK(rwlock_release(&shared) == THREAD_OK);
    return argument;
}
static void *writes(void *argument)
{
    rwlock_write(&shared);
    thread_yield();
    CHECK(rwlock_release(&shared) == THREAD_OK);
    return argument;
}
static void readers(void)
{
    struct thread *t, *u;

    rwlock_init(&shared);
    t = operation_fork(reads, &t, MIDDLE);
    u = operation_fork(writes, &u, MIDDLE);
    operation_begin();
    rwlock_write(&shared);
    CHECK(rwlock_try_read(&shared) == THREAD_BUSY && rwlock_try_write(&shared) == THREAD_BUSY);
    operation_yields(2);
    CHECK(rwlock_release(&shared) == THREAD_OK);
    CHECK(operation_join(t) == &t && operation_join(u) == &u);
    CHECK(rwlock_try_read(&shared) == THREAD_OK && rwlock_release(&shared) == THREAD_OK);
    CHECK(rwlock_try_write(&shared) == THREAD_OK && rwlock_release(&shared) == THREAD_OK);
    CHECK(rwlock_release(&shared) == THREAD_INVALID);
    operation_end();
}
// ---- events and units -------------------------------------------------------------------------------------------

static struct event happens;
static struct units units;

static void *waits_for_event(void *argument)
{
    event_wait(&happens);
    return argument;
}
static void *takes_unit(void *argument)
{
    units_take(&units);
    return argument;
}
static void events(void)
{
    struct thread *t, *u;

    event_init(&happens);
    t = operation_fork(waits_for_event, &t, MIDDLE);
    u = operation_fork(waits_for_event, &u, HIGH);
    operation_begin();
    thread_yield();
    CHECK(!event_over(&happens));
    event_signal(&happens);
    CHECK(operation_join(t) == &t && operation_join(u) == &u);
    event_wait(&happens);
    operation_end();
}
static void units_two(void)
{
    struct thread *t, *u;

    units_init(&units, 1);
    operation_begin();
    CHECK(units_try(&units) && !units_try(&units));
    t = operation_fork(takes_unit, &t, MIDDLE);
    u = operation_fork(takes_unit, &u, MIDDLE);
    operation_yields(2);
    units_post(&units);
    operation_yields(2);
    units_post(&units);
    CHECK(operation_join(t) == &t && operation_join(u) == &u);
    operation_end();
}

// ---- workers ----------------------------------------------------------------------------------------------------

// A package whose workers give a number of units each, and wait for an event in between.
static struct package package;
static int32_t jobs;                     // a
static struct event done;
static struct waitable *volatile parked;

static bool some(struct package *p)
{
    (void)p;
    return __atomic_load_n(&jobs, __ATOMIC_RELAXED) > 0;
}
static void work(struct package *p, void *local)
{
    CHECK(p == &package && package_self() == p && package_local() == local);
    while (__atomic_fetch_sub(&jobs, 1, __ATOMIC_SEQ_CST) > 0) {
        parked = waitable_self();
        waitable_block();
        event_signal(&done);
    }
    __atomic_fetch_add(&jobs, 1, __ATOMIC_SEQ_CST);
}
static void worker(void)
{
    if (package.flows == 0) {
        package = (struct package){.run = work, .some = some, .processors = 1, .local_size = 64};
        CHECK(package_begin(&package, 0) == THREAD_INVALID && package_begin(&package, 2) == THREAD_OK);
    }
    event_init(&done);
    parked = NULL;
    operation_begin();
    CHECK(package_self() == NULL);
    __atomic_fetch_add(&jobs, 1, __ATOMIC_SEQ_CST);
    package_more(&package);
    while (parked == NULL) {
        CHECK(thread_sleep(operation_clock() + 100) == THREAD_OK);
    }
    waitable_unblock(parked);
    event_wait(&done);
    operation_end();
    CHECK(thread_sleep(operation_clock() + 2000) == THREAD_OK);
}

// ---- processors that are not held -------------------------------------------------------------------------------

// A thread on the list of one, as if that had been taken away: adopted by an upcall, or found by who is idle.
static void elsewhere(void)
{
    struct thread *t = operation_fork(operation_nothing, &t, MIDDLE), *u;
    struct ready *far = &threads.ready[threads.machine.cpus - 1];

    u = critical_take(ready_here());
    if (u != NULL) {
        far->first[MIDDLE] = far->last[MIDDLE] = u;
        far->bits = 1u << MIDDLE;
    }
    operation_may_hold(&far->lock);
    operation_begin();
    CHECK(operation_join(t) == &t);
    operation_end();
}
static void statistics(void)
{
    struct threads_statistics a;

    operation_begin();
    threads_read_statistics(&a);
    operation_end();
    CHECK(a.upcalls > 0 && a.forks > 0);
}

const struct operation operations_others[] = {
    {"barrier", barrier}, {"readers and a writer", readers}, {"events", events},
    {"units", units_two}, {"another package", worker}, {"a list of no processor", elsewhere},
    {"statistics", statistics}, {NULL, NULL},
};
