// package.c - workers of other packages: made, parked, found by schedulers (package.h).
#include "package.h"

#include <base.h>

#include "threads_impl.h"

uint32_t packages;
static struct package *package[PACKAGES_MOST];
static uint32_t turn;

_Noreturn void package_main(void);

_Static_assert(offsetof(struct thread, argument) == T_ARGUMENT, "record");

// ---- workers --------------------------------------------------------------------------------------------------

static void block_worker(struct waitable *self);
static void unblock_worker(struct waitable *other);

static bool add_worker(struct package *p)
{
    struct thread *t;
    void *local;
    uint32_t i;

    if (package_workers(p) == PACKAGE_FLOWS) {
        return false;
    }
    t = thread_make(p->stack);
    local = t != NULL ? threads.setup.memory.allocate(area_pages_of(p->local_size)) : NULL;
    i = local != NULL ? __atomic_fetch_add(&p->flows, 1, __ATOMIC_RELAXED) : PACKAGE_FLOWS;
    if (i >= PACKAGE_FLOWS) {
        return false;                    // many at once: memory of some is not used
    }
    t->kind = FLOW_WORKER;
    t->waitable.block = block_worker;
    t->waitable.unblock = unblock_worker;
    t->priority = THREAD_PRIORITIES / 2;         // of threads that it forks
    t->argument = local;
    t->package = p;
    p->flow[i] = t;
    __atomic_store_n(&p->local[i], local, __ATOMIC_RELEASE);     // pairs with find() and whoever steals
    return true;
}
enum thread_status package_begin(struct package *p, uint32_t workers)
{
    uint32_t i;

    if (threads.on_kernel || p->processors == 0 || workers == 0 || workers > PACKAGE_FLOWS) {
        return THREAD_INVALID;
    }
    if (p->processors > THREADS_PROCESSORS) {
        p->processors = THREADS_PROCESSORS;
    }
    p->running = 0;
    p->flows = 0;
    if (p->stack == 0) {
        p->stack = THREAD_STACK;
    }
    for (i = 0; i < workers; i++) {
        if (!add_worker(p)) {
            return THREAD_NO_MEMORY;
        }
    }
    i = __atomic_load_n(&packages, __ATOMIC_RELAXED);
    do {
        if (i == PACKAGES_MOST) {
            return THREAD_NO_MEMORY;
        }
    } while (!__atomic_compare_exchange_n(&packages, &i, i + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    __atomic_store_n(&package[i], p, __ATOMIC_RELEASE);      // pairs with packages_run()
    return THREAD_OK;
}
struct package *package_self(void)
{
    const struct thread *self = thread_self();

    return self->kind == FLOW_WORKER ? self->package : NULL;
}
void package_main(void)
{
    struct thread *self = thread_self();

    self->package->run(self->package, self->argument);
    critical_retire(self, self->package);
}
// The first worker in that phase; others may be faster.
static struct thread *find(struct package *p, uint32_t phase)
{
    uint32_t n = package_workers(p);

    for (uint32_t i = 0; i < n; i++) {
        if (__atomic_load_n(&p->local[i], __ATOMIC_ACQUIRE) != NULL &&
            __atomic_load_n(&p->flow[i]->phase, __ATOMIC_SEQ_CST) == phase) {
            return p->flow[i];
        }
    }
    return NULL;
}

// ---- the waitable convention (waitable.h) -----------------------------------------------------------------------

// Who takes the processor now needs a worker: made here, since a scheduler owns nothing, not even memory.  Without
// memory it waits until one is left.
static void block_worker(struct waitable *waitable)
{
    struct thread *self = (struct thread *)waitable;

    if (find(self->package, PHASE_LEFT) == NULL) {
        (void)add_worker(self->package);
    }
    critical_park(self, self->package);
}
static void unblock_worker(struct waitable *other)
{
    struct thread *t = (struct thread *)other;

    if (critical_unpark(t)) {
        package_more(t->package);
    }
}
void package_end(void *none)
{
    (void)none;
    for (;;) {
        waitable_block();
    }
}

// ---- upcalls ----------------------------------------------------------------------------------------------------

void package_stopped(struct thread *t)
{
    __atomic_fetch_sub(&t->package->running, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&t->phase, WORKER_READY, __ATOMIC_SEQ_CST);
}
void package_blocked(const struct thread *t, int32_t more)
{
    __atomic_fetch_add(&t->package->running, more, __ATOMIC_SEQ_CST);
}

// ---- schedulers -------------------------------------------------------------------------------------------------

static struct package *at(uint32_t i)
{
    return __atomic_load_n(&package[i], __ATOMIC_ACQUIRE);       // pairs with package_begin()
}
static void run_one(struct thread *self, struct package *p)
{
    struct thread *t;

    if (p == NULL || __atomic_load_n(&p->running, __ATOMIC_SEQ_CST) >= (int32_t)p->processors) {
        return;
    }
    t = find(p, WORKER_READY);
    if (t != NULL) {
        look_behind();
        critical_run(self, t, WORKER_READY, p);
    }
    if (p->some(p) && (t = find(p, PHASE_LEFT)) != NULL) {
        look_behind();
        critical_run(self, t, PHASE_LEFT, p);
    }
}
// Each time another package is asked first; the turn after the last is that of FastThreads.
void packages_run(struct thread *self)
{
    uint32_t n = __atomic_load_n(&packages, __ATOMIC_RELAXED);
    uint32_t first = __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % (n + 1);

    for (uint32_t i = 0; i < n && first != n; i++) {
        run_one(self, at((first + i) % n));
    }
}
// Of workers that are left one begins; it asks for others if there is work for them.
static uint32_t ready(struct package *p)
{
    int32_t room = p != NULL ? (int32_t)p->processors - __atomic_load_n(&p->running, __ATOMIC_SEQ_CST) : 0;
    uint32_t n = 0;

    for (uint32_t i = 0; room > 0 && i < package_workers(p) && n < 2; i++) {
        n += __atomic_load_n(&p->local[i], __ATOMIC_ACQUIRE) != NULL &&
             __atomic_load_n(&p->flow[i]->phase, __ATOMIC_SEQ_CST) == WORKER_READY;
    }
    if ((int32_t)n < room && n < 2 && find(p, PHASE_LEFT) != NULL && p->some(p)) {
        n++;
    }
    return (int32_t)n < room ? n : (uint32_t)room;
}
uint32_t packages_ready(void)
{
    uint32_t n = __atomic_load_n(&packages, __ATOMIC_SEQ_CST), all = 0;

    for (uint32_t i = 0; i < n && all < 2; i++) {
        all += ready(at(i));
    }
    return all;
}
void package_ask(void)
{
    more_to_run();
}
