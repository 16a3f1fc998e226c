// packages.c - a preemption at every instruction of lib/steal, lib/tasks and lib/cthreads: threads_every with other
// operations.
//
// There is one processor, so what a thief on another one would do between two instructions of an owner is done by a
// worker that has parked, and is unblocked whenever somebody is stopped (moments_between): it is the package's first
// one, which goes on before the one that was stopped.  Of threads the others run before who was stopped anyway.
#include "packages.h"

enum { TRIES = 1000, SHORT = 300, LONG = 20000 };

// ---- visitors ---------------------------------------------------------------------------------------------------

void visitor_init(struct visitor *v)
{
    event_init(&v->here);
    v->who = NULL;
    v->go = false;
}
void visitor_parks(struct visitor *v)
{
    v->who = waitable_self();
    event_signal(&v->here);
    while (!v->go) {
        waitable_block();
    }
}
void visitor_between(struct visitor *v)
{
    moments_between(v->who, &v->go);
}
void visitor_let(struct visitor *v)
{
    v->go = true;
    waitable_unblock(v->who);
}

// ---- after an operation -----------------------------------------------------------------------------------------

static bool is_settled(struct package *p)
{
    for (uint32_t i = 0; i < package_workers(p); i++) {
        if (__atomic_load_n(&p->flow[i]->phase, __ATOMIC_SEQ_CST) != PHASE_LEFT) {
            return false;
        }
    }
    return __atomic_load_n(&p->running, __ATOMIC_SEQ_CST) == 0 && !p->some(p);
}
void package_settle(struct package *p)
{
    for (unsigned i = 0; i < TRIES && !is_settled(p); i++) {
        (void)thread_sleep(operation_clock() + SHORT);
    }
    CHECK(is_settled(p));
}
void kernel_sleep(void)
{
    static const uint32_t never;

    (void)native_wait(&never, 0, operation_clock() + LONG);
}
struct thread *records_take(void)
{
    struct thread *all = NULL, *t;

    while ((t = critical_new(ready_here())) != NULL) {
        t->next = all;
        all = t;
    }
    return all;
}
void records_give(struct thread *all)
{
    struct ready *r = ready_here();

    for (struct thread *next; all != NULL; all = next) {
        next = all->next;
        all->next = r->free;
        r->free = all;
    }
}

// ---- the program ------------------------------------------------------------------------------------------------

static const struct unused unused[] = {
    {"cthreads:threads_program", "the beginning of the program"}, {NULL, NULL},
};
static const struct operation *const operations[] = {operations_steal, operations_tasks, operations_cthreads, NULL};
static const struct operation *const large[] = {large_steal, large_tasks, NULL};
static const struct operation *const races[] = {races_steal, races_tasks, NULL};

// Nearly all: what is missing cannot come (a job that is NULL), and the first thread's part of cthread_exit(), which
// is after the report.
const struct every every = {
    .table = "bin/packages_every.table", .operations = operations, .large = large, .races = races,
    .unused = unused,
    .least = {[PLACE_STEAL] = 98, [PLACE_TASKS] = 98, [PLACE_CTHREADS] = 81},
};

static any_t last(any_t none)
{
    operation_yields(3);
    return none;
}
// At the end the first thread waits for the other one, with breakpoints wherever nobody was stopped before.
int main(int count, char **words)
{
    (void)count;
    (void)words;
    int failures = every_run();
    bool thieves = steal_package.stolen != 0;
    native_print("%s %lu jobs were stolen, by %u workers; there are %u workers for tasks\n", thieves ? "ok" : "not ok",
                 (unsigned long)steal_package.stolen, steal_package.package.flows, tasks_package.package.flows);
    cthread_detach(cthread_fork(last, NULL));
    return failures + !thieves;
}
