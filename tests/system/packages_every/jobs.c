// jobs.c - operations of lib/steal: owners and thieves, each stopped wherever it may be while the other one goes on.
//
// Roots are begun one after the other: the first one is on the package's first worker.
#include "packages.h"

enum { KIDS = 3, MANY = DEQUE_SIZE + 5 };

struct kid {
    struct steal_job job;
    uint32_t ran;                        // a  times
};
struct root {
    void (*fn)(void *);
    void *argument;
};

struct steal steal_package;
static struct kid kid[KIDS], many[MANY];
static struct visitor visitor, owner;
static struct event asked, gate, all_ran;
static uint64_t kids, runs;              // how many there are; a: have run
static void *owner_local;                // of the worker that spawned

// ---- roots, and what they come to -------------------------------------------------------------------------------

static void runs_once(void *k)
{
    __atomic_add_fetch(&((struct kid *)k)->ran, 1, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&runs, 1, __ATOMIC_ACQ_REL) == kids) {
        event_signal(&all_ran);
    }
}
// A thief looks first where it stole last.  Unless each run begins the same in that, a theft that becomes possible in
// the middle of a sweep makes later runs shorter, and the instructions between looking and taking are passed over.
static void forget_victims(void)
{
    for (uint32_t i = 0; i < package_workers(&steal_package.package); i++) {
        ((struct steal_worker *)steal_package.package.local[i])->victim = 0;
    }
}
static void prepare(uint64_t n)
{
    forget_victims();
    for (unsigned i = 0; i < KIDS; i++) {
        kid[i].ran = 0;
    }
    kids = n;
    runs = 0;
    visitor_init(&visitor);
    visitor_init(&owner);
    event_init(&asked);
    event_init(&gate);
    event_init(&all_ran);
}
static void settle(void)
{
    package_settle(&steal_package.package);
    CHECK(runs == kids);
    for (unsigned i = 0; i < KIDS; i++) {
        CHECK(kid[i].ran == (i < kids && kids <= KIDS));
    }
}
static void *calls(void *root)
{
    const struct root *r = root;

    steal_call(&steal_package, r->fn, r->argument);
    return root;
}
static struct thread *begin_root(struct root *r)
{
    return operation_fork(calls, r, MIDDLE);
}
static void spawn(void)
{
    for (uint64_t i = 0; i < kids; i++) {
        steal_spawn(&kid[i].job, runs_once, &kid[i]);
    }
}
static void sync(void)
{
    for (uint64_t i = kids; i-- > 0;) {
        steal_sync(&kid[i].job);
    }
}
static void spawns(void *none)
{
    (void)none;
    spawn();
    sync();
}
static void visits(void *none)
{
    (void)none;
    visitor_parks(&visitor);
}

// ---- one worker -------------------------------------------------------------------------------------------------

static void begin(void)
{
    static struct steal refused;

    operation_begin();
    CHECK(steal_begin(&refused, 0, 1, 0) == THREAD_INVALID);
    if (steal_package.package.flows == 0) {
        CHECK(steal_begin(&steal_package, 2, 2, 0) == THREAD_OK);
    }
    operation_end();
}
static void alone(void)
{
    prepare(KIDS);
    operation_begin();
    steal_call(&steal_package, spawns, NULL);
    operation_end();
    settle();
}
static void syncs_first(void *none)
{
    (void)none;
    spawn();
    for (uint64_t i = 0; i < kids; i++) {
        steal_sync(&kid[i].job);
    }
}
static void first_first(void)
{
    prepare(KIDS);
    operation_begin();
    steal_call(&steal_package, syncs_first, NULL);
    operation_end();
    settle();
}
// At once, by so many threads.
static void call_all(void)
{
    struct root r[KIDS];
    struct thread *t[KIDS];

    for (unsigned i = 0; i < kids; i++) {
        r[i] = (struct root){runs_once, &kid[i]};
        t[i] = begin_root(&r[i]);
    }
    for (unsigned i = 0; i < kids; i++) {
        CHECK(operation_join(t[i]) == &r[i]);
    }
}
static void roots(void)
{
    prepare(KIDS);
    operation_begin();
    call_all();
    operation_end();
    settle();
}
// By a job, whose worker waits, and which is the only one that may run.
static void calls_another(void *none)
{
    (void)none;
    steal_call(&steal_package, runs_once, &kid[0]);
}
static void root_of_a_job(void)
{
    prepare(1);
    steal_package.package.processors = 1;
    operation_begin();
    steal_call(&steal_package, calls_another, NULL);
    operation_end();
    steal_package.package.processors = 2;
    settle();
}
static uint64_t sum, parts;              // a
static void adds(uint64_t from, uint64_t to, void *argument)
{
    for (uint64_t i = from; i < to; i++) {
        __atomic_add_fetch(&sum, i * (uint64_t)argument, __ATOMIC_RELAXED);
    }
    __atomic_add_fetch(&parts, 1, __ATOMIC_RELAXED);
}
static void for_all(void *none)
{
    (void)none;
    steal_for(1, 10, 3, adds, (void *)1);            // 1 2, 3 4 5, 6 7, 8 9
    steal_for(5, 5, 3, adds, (void *)1);
    steal_for(0, 3, 0, adds, (void *)1000);
}
static void parallel_for(void)
{
    prepare(0);
    sum = parts = 0;
    operation_begin();
    steal_call(&steal_package, for_all, NULL);
    operation_end();
    settle();
    CHECK(sum == 3045 && parts == 4 + 3);
}
static void sleeps(void *k)
{
    kernel_sleep();
    runs_once(k);
}
static void spawns_sleeper(void *none)
{
    (void)none;
    steal_spawn(&kid[0].job, sleeps, &kid[0]);
    steal_spawn(&kid[1].job, runs_once, &kid[1]);
    steal_spawn(&kid[2].job, sleeps, &kid[2]);
    sync();
}
static void blocked(void)
{
    prepare(KIDS);
    operation_begin();
    steal_call(&steal_package, spawns_sleeper, NULL);
    operation_end();
    settle();
}

// ---- an owner is stopped, a thief comes in between ----------------------------------------------------------------

static void robbed(uint64_t n, void (*fn)(void *))
{
    struct root r = {visits, NULL};
    struct thread *t;

    prepare(n);
    t = begin_root(&r);
    event_wait(&visitor.here);
    visitor_between(&visitor);
    operation_begin();
    if (fn != NULL) {
        steal_call(&steal_package, fn, NULL);
    } else {
        call_all();
    }
    operation_end();
    visitor_let(&visitor);
    CHECK(operation_join(t) == &r);
    settle();
}
static void robbed_one(void) { robbed(1, spawns); }
static void robbed_three(void) { robbed(KIDS, spawns); }
static void robbed_first(void) { robbed(2, syncs_first); }
static void robbed_root(void) { robbed(1, NULL); }
static void robbed_roots(void) { robbed(KIDS, NULL); }

// What was stolen waits, so the owner does.
static void asks(void *k)
{
    event_signal(&asked);
    if (package_local() != owner_local) {
        event_wait(&gate);
    }
    runs_once(k);
}
static void spawns_asker(void *none)
{
    (void)none;
    owner_local = package_local();
    steal_spawn(&kid[0].job, asks, &kid[0]);
    steal_sync(&kid[0].job);
}
static void robbed_waits(void)
{
    struct root first = {visits, NULL}, second = {spawns_asker, NULL};
    struct thread *t, *u;

    prepare(1);
    t = begin_root(&first);
    event_wait(&visitor.here);
    visitor_between(&visitor);
    operation_begin();
    u = begin_root(&second);
    event_wait(&asked);
    event_signal(&gate);
    CHECK(operation_join(u) == &second);
    operation_end();
    visitor_let(&visitor);
    CHECK(operation_join(t) == &first);
    settle();
}
// It is stolen in any case, before the sync.
static void spawns_stolen(void *none)
{
    (void)none;
    owner_local = package_local();
    steal_spawn(&kid[0].job, asks, &kid[0]);
    event_wait(&asked);
    steal_sync(&kid[0].job);
}
static void stolen_waits(void)
{
    struct root r = {spawns_stolen, NULL};
    struct thread *t;

    prepare(1);
    t = begin_root(&r);
    event_wait(&asked);
    operation_begin();
    event_signal(&gate);
    CHECK(operation_join(t) == &r);
    operation_end();
    settle();
}

// ---- a thief is stopped, the owner goes on in between -------------------------------------------------------------

static void spawns_and_parks(void *none)
{
    (void)none;
    owner.who = waitable_self();
    visitor_parks(&visitor);
    spawn();
    visitor_between(&owner);
    visitor_parks(&owner);
    sync();
}
static void thief(uint64_t n)
{
    struct root r = {spawns_and_parks, NULL};
    struct thread *t;

    prepare(n);
    t = begin_root(&r);
    event_wait(&visitor.here);
    operation_begin();
    visitor_let(&visitor);
    event_wait(&all_ran);
    visitor_let(&owner);
    CHECK(operation_join(t) == &r);
    operation_end();
    settle();
}
static void thief_one(void) { thief(1); }
static void thief_two(void) { thief(2); }
static void thief_three(void) { thief(KIDS); }

// ---- a deque is full ----------------------------------------------------------------------------------------------

static void check_many(uint32_t n)
{
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK(many[i].ran == (i < n));
        many[i].ran = 0;
    }
}
static void fills(void *none)
{
    (void)none;
    for (unsigned i = 0; i < DEQUE_SIZE; i++) {
        steal_spawn(&many[i].job, runs_once, &many[i]);
    }
    operation_begin();
    steal_spawn(&many[DEQUE_SIZE].job, runs_once, &many[DEQUE_SIZE]);
    steal_spawn(&many[DEQUE_SIZE + 1].job, runs_once, &many[DEQUE_SIZE + 1]);
    steal_sync(&many[DEQUE_SIZE + 1].job);
    operation_end();
    steal_sync(&many[DEQUE_SIZE].job);
    for (unsigned i = DEQUE_SIZE; i-- > 0;) {
        steal_sync(&many[i].job);
    }
}
static void full(void)
{
    prepare(DEQUE_SIZE + 2);
    steal_call(&steal_package, fills, NULL);
    package_settle(&steal_package.package);
    check_many(DEQUE_SIZE + 2);
}
static void full_robbed(void)
{
    struct root r = {visits, NULL};
    struct thread *t;

    prepare(DEQUE_SIZE + 2);
    t = begin_root(&r);
    event_wait(&visitor.here);
    visitor_between(&visitor);
    steal_call(&steal_package, fills, NULL);
    visitor_let(&visitor);
    CHECK(operation_join(t) == &r);
    package_settle(&steal_package.package);
    check_many(DEQUE_SIZE + 2);
}
// More at once than a deque holds, as by so many threads.
static void roots_many(void)
{
    prepare(MANY);
    for (unsigned i = 0; i < MANY; i++) {
        many[i].job = (struct steal_job){.fn = runs_once, .argument = &many[i],
                                         .next = i + 1 < MANY ? &many[i + 1].job : NULL};
    }
    operation_begin();
    __atomic_store_n(&steal_package.roots, &many[0].job, __ATOMIC_SEQ_CST);
    package_more(&steal_package.package);
    event_wait(&all_ran);
    operation_end();
    package_settle(&steal_package.package);
    check_many(MANY);
    for (unsigned i = 0; i < MANY; i++) {
        CHECK(event_over(&many[i].job.over));
    }
}

const struct operation operations_steal[] = {
    {"steal: begin", begin}, {"steal: nobody steals", alone}, {"steal: the first is synced first", first_first},
    {"steal: roots", roots}, {"steal: a root of a job", root_of_a_job}, {"steal: for", parallel_for},
    {"steal: jobs block in the kernel", blocked},
    {"steal: an owner of one, a thief between", robbed_one}, {"steal: an owner of three", robbed_three},
    {"steal: an owner that syncs the first", robbed_first}, {"steal: an owner of a root", robbed_root},
    {"steal: an owner of roots", robbed_roots}, {"steal: an owner waits", robbed_waits},
    {"steal: the end of what was stolen", stolen_waits}, {"steal: a thief of one, the owner between", thief_one},
    {"steal: a thief of two", thief_two}, {"steal: a thief of three", thief_three}, {"steal: a full deque", full},
    {NULL, NULL},
};
const struct operation large_steal[] = {
    {"steal: a full deque, a thief between", full_robbed}, {"steal: more roots than a deque holds", roots_many},
    {NULL, NULL},
};
const struct operation races_steal[] = {
    {"steal: an owner of one", robbed_one}, {"steal: a thief of one", thief_one}, {NULL, NULL},
};
