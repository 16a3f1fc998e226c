// steal.c - workers of the work-stealing package, spawn and sync (steal.h).
#include "steal.h"

// ---- jobs -------------------------------------------------------------------------------------------------------

void steal_spawn(struct steal_job *job, void (*fn)(void *), void *argument)
{
    struct steal_worker *self = package_local();

    job->fn = fn;
    job->argument = argument;
    event_init(&job->over);
    if (__builtin_expect(!deque_push(&self->deque, job), 0)) {
        fn(argument);
        job->over.first = EVENT_OVER;
        return;
    }
    package_more(&self->home->package);
}
// Its record is the parent's again as soon as the event is over.
static void run(struct steal_job *job)
{
    job->fn(job->argument);
    event_signal(&job->over);
}
void steal_sync(struct steal_job *job)
{
    struct steal_worker *self = package_local();
    struct steal_job *last;

    while (!event_over(&job->over)) {
        last = deque_pop(&self->deque);
        if (last == job) {
            job->fn(job->argument);
            return;
        }
        if (last == NULL) {
            event_wait(&job->over);
            return;
        }
        run(last);                       // spawned later and not synced yet
    }
}

// ---- workers ----------------------------------------------------------------------------------------------------

// Roots go to the worker's own deque, where others can steal them; the first one that came is the next to be run.
static bool take_roots(struct steal *s, struct steal_worker *self)
{
    struct steal_job *job = NULL, *next;

    if (__atomic_load_n(&s->roots, __ATOMIC_RELAXED) != NULL) {
        job = __atomic_exchange_n(&s->roots, NULL, __ATOMIC_ACQUIRE);
    }
    if (job == NULL) {
        return false;
    }
    for (; job != NULL; job = next) {
        next = job->next;
        if (!deque_push(&self->deque, job)) {
            run(job);
        }
    }
    package_more(&s->package);
    return true;
}
static struct steal_job *steal_some(struct steal *s, struct steal_worker *self)
{
    uint32_t n = package_workers(&s->package);

    for (uint32_t i = 0, v = self->victim; i < n; i++, v++) {
        struct steal_worker *victim = __atomic_load_n(&s->package.local[v % n], __ATOMIC_ACQUIRE);
        struct steal_job *job = victim != NULL ? deque_steal(&victim->deque) : NULL;
        if (job != NULL) {
            self->victim = v % n;
            __atomic_fetch_add(&s->stolen, 1, __ATOMIC_RELAXED);
            if (deque_count(&victim->deque) != 0) {
                package_more(&s->package);           // who was to take it may have been dropped
            }
            return job;
        }
    }
    return NULL;
}
static void work(struct package *package, void *local)
{
    struct steal *s = (struct steal *)package;
    struct steal_worker *self = local;
    struct steal_job *job;

    self->home = s;
    do {
        while ((job = deque_pop(&self->deque)) != NULL || (job = steal_some(s, self)) != NULL) {
            run(job);
        }
    } while (take_roots(s, self));
}
static bool some(struct package *package)
{
    const struct steal *s = (const struct steal *)package;
    uint32_t n = package_workers(package);

    for (uint32_t i = 0; i < n; i++) {
        const struct steal_worker *w = __atomic_load_n(&package->local[i], __ATOMIC_ACQUIRE);
        if (w != NULL && deque_count(&w->deque) != 0) {
            return true;
        }
    }
    return __atomic_load_n(&s->roots, __ATOMIC_SEQ_CST) != NULL;
}

// ---- for other flows --------------------------------------------------------------------------------------------

enum thread_status steal_begin(struct steal *s, uint32_t processors, uint32_t workers, size_t stack)
{
    *s = (struct steal){.package = {.run = work, .some = some, .processors = processors, .stack = stack,
                                    .local_size = sizeof(struct steal_worker)}};
    return package_begin(&s->package, workers);
}
void steal_call(struct steal *s, void (*fn)(void *), void *argument)
{
    struct steal_job job = {.fn = fn, .argument = argument};
    struct steal_job *first = __atomic_load_n(&s->roots, __ATOMIC_RELAXED);

    do {
        job.next = first;
    } while (!__atomic_compare_exchange_n(&s->roots, &first, &job, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    package_more(&s->package);
    event_wait(&job.over);
}

// ---- parallel for -----------------------------------------------------------------------------------------------

struct range {
    uint64_t from, to, grain;
    void (*fn)(uint64_t, uint64_t, void *);
    void *argument;
};
static void run_range(void *argument)
{
    const struct range *r = argument;

    steal_for(r->from, r->to, r->grain, r->fn, r->argument);
}
void steal_for(uint64_t from, uint64_t to, uint64_t grain, void (*fn)(uint64_t, uint64_t, void *), void *argument)
{
    struct steal_job job;

    if (from >= to) {
        return;
    }
    if (to - from <= (grain != 0 ? grain : 1)) {
        fn(from, to, argument);
        return;
    }
    uint64_t middle = from + (to - from) / 2;
    struct range upper = {middle, to, grain, fn, argument};
    steal_spawn(&job, run_range, &upper);
    steal_for(from, middle, grain, fn, argument);
    steal_sync(&job);
}
