// operations.c - operations.h: threads that begin, end, and let others run; what belongs to a thread.
#include "operations.h"

const char *volatile operation_failed;
volatile int operation_failed_line;

enum { STACK = 40000, MORE = 60000 };

static struct semaphore gate;            // no units between operations
static struct thread *other;

void operation_check(bool good, const char *file, int line)
{
    if (!good && operation_failed == NULL) {
        operation_failed_line = line;
        operation_failed = file;
    }
}
void *operation_nothing(void *argument)
{
    return argument;
}
struct thread *operation_fork(void *(*fn)(void *), void *argument, uint32_t priority)
{
    struct thread_attributes a = {.has_priority = true, .priority = priority};
    struct thread *t = NULL;

    CHECK(thread_fork(&t, &a, fn, argument) == THREAD_OK);
    return t;
}
void *operation_join(struct thread *t)
{
    void *value = NULL;

    CHECK(thread_join(t, &value) == THREAD_OK);
    return value;
}
void operation_yields(unsigned n)
{
    while (n-- > 0) {
        thread_yield();
    }
}
static void *waits(void *argument)
{
    (void)argument;
    return (void *)(uint64_t)semaphore_wait(&gate);
}
static void *exits(void *argument)
{
    thread_exit((char *)argument + 1);
}
static void *joins_other(void *argument)
{
    (void)argument;
    return (void *)(uint64_t)thread_join(other, NULL);
}

// ---- yield ----------------------------------------------------------------------------------------------------

static void yield_to(uint32_t priority)
{
    struct thread *t = operation_fork(operation_nothing, &gate, priority);

    operation_begin();
    thread_yield();
    operation_end();
    CHECK(operation_join(t) == &gate);
}
static void yield_equal(void) { yield_to(MIDDLE); }
static void yield_lower(void) { yield_to(LOW); }

static void yield_alone(void)
{
    operation_begin();
    thread_yield();
    operation_end();
}
static void yield_locked(void)
{
    struct thread *t = operation_fork(operation_nothing, &gate, MIDDLE);

    operation_hold(&ready_here()->lock);
    operation_begin();
    thread_yield();
    operation_end();
    CHECK(operation_join(t) == &gate);
}
static void priorities(void)
{
    struct thread *t = operation_fork(operation_nothing, &gate, MIDDLE), *self = thread_self();
    struct thread *low = operation_fork(operation_nothing, self, LOW - 1);

    operation_begin();
    CHECK(thread_set_priority(self, LOW) == THREAD_OK && thread_priority(self) == LOW);
    CHECK(thread_set_priority(self, MIDDLE) == THREAD_OK && thread_set_priority(self, 99) == THREAD_INVALID);
    CHECK(thread_set_priority(low, LOW) == THREAD_OK);
    operation_end();
    CHECK(operation_join(t) == &gate && operation_join(low) == self);
}

// ---- fork -----------------------------------------------------------------------------------------------------

static void fork_join(void)
{
    struct thread *t;
    void *value = NULL;

    operation_begin();
    CHECK(thread_fork(&t, NULL, exits, &gate) == THREAD_OK && thread_join(t, &value) == THREAD_OK);
    operation_end();
    CHECK(value == (char *)&gate + 1);
}
static void fork_last_first(void)
{
    struct thread *t, *u;

    threads.lifo = 1;
    operation_begin();
    CHECK(thread_fork(&t, NULL, operation_nothing, &t) == THREAD_OK);
    CHECK(thread_fork(&u, NULL, operation_nothing, &u) == THREAD_OK);
    CHECK(operation_join(t) == &t && operation_join(u) == &u);
    operation_end();
    threads.lifo = 0;
}
static void fork_refused(void)
{
    struct thread_attributes bad = {.has_priority = true, .priority = THREAD_PRIORITIES};
    struct thread_attributes large = {.stack = SIZE_MAX};
    struct thread *t;

    operation_begin();
    CHECK(thread_fork(&t, &bad, operation_nothing, NULL) == THREAD_INVALID);
    CHECK(thread_fork(&t, &large, operation_nothing, NULL) == THREAD_INVALID);
    CHECK(thread_fork(&t, NULL, NULL, NULL) == THREAD_INVALID);
    operation_end();
}
// Records of this processor go to the list of another one, or are nowhere; and back.
static struct thread *take_free(struct ready *from)
{
    struct thread *all = NULL, *t;

    while ((t = critical_new(from)) != NULL) {
        t->next = all;
        all = t;
    }
    return all;
}
static void give_free(struct ready *to, struct thread *all)
{
    while (all != NULL) {
        struct thread *next = all->next;
        all->next = to->free;
        to->free = all;
        all = next;
    }
}
static void fork_elsewhere(void)
{
    struct thread *t, *all = take_free(&threads.ready[0]);
    unsigned far = threads.machine.cpus - 1;

    give_free(&threads.ready[far], all);
    operation_begin();
    CHECK(thread_fork(&t, NULL, operation_nothing, &t) == THREAD_OK && operation_join(t) == &t);
    operation_end();
    give_free(&threads.ready[0], take_free(&threads.ready[far]));
}
static void fork_without(void)
{
    struct thread *t, *all = take_free(&threads.ready[0]);

    operation_memory(MEMORY_NONE);
    operation_begin();
    CHECK(thread_fork(&t, NULL, operation_nothing, &t) == THREAD_NO_MEMORY);
    operation_end();
    operation_memory(MEMORY_USUAL);
    give_free(&threads.ready[0], all);
}
// The record is made, and forgotten.
static void fork_new(void)
{
    struct thread *t, *all = take_free(&threads.ready[0]);

    operation_memory(MEMORY_SAME);
    operation_begin();
    CHECK(thread_fork(&t, NULL, operation_nothing, &t) == THREAD_OK && operation_join(t) == &t);
    operation_end();
    operation_memory(MEMORY_USUAL);
    (void)take_free(&threads.ready[0]);
    give_free(&threads.ready[0], all);
}
// One record with a small stack that is passed over, one that fits.
static void fork_large(void)
{
    struct thread_attributes some = {.stack = STACK}, more = {.stack = MORE, .detached = true};
    struct thread *t, *u;

    CHECK(thread_fork(&t, &some, operation_nothing, &t) == THREAD_OK && operation_join(t) == &t);
    operation_may_hold(&threads.large_lock);
    operation_begin();
    CHECK(thread_fork(&u, &more, operation_nothing, &u) == THREAD_OK);
    CHECK(thread_fork(&t, &some, exits, &t) == THREAD_OK && operation_join(t) == (char *)&t + 1);
    operation_yields(3);
    operation_end();
}
static void fork_high(void)
{
    struct thread *t;

    operation_begin();
    t = operation_fork(operation_nothing, &gate, HIGH);
    CHECK(operation_join(t) == &gate);
    operation_end();
}

// ---- the end --------------------------------------------------------------------------------------------------

static void join_ended(void)
{
    struct thread *t = operation_fork(operation_nothing, &gate, HIGH);

    operation_may_hold(&t->done.guard);
    operation_begin();
    CHECK(operation_join(t) == &gate);
    operation_end();
}
static void exit_first(void)
{
    struct thread *t = operation_fork(exits, &gate, MIDDLE);

    operation_may_hold(&t->done.guard);
    operation_begin();
    thread_yield();
    CHECK(operation_join(t) == (char *)&gate + 1);
    operation_end();
}
// Nobody is ready when the last one waits.
static void *sleeps(void *argument)
{
    CHECK(thread_sleep(operation_clock() + 500) == THREAD_OK);
    return argument;
}
static void join_idle(void)
{
    struct thread *t = operation_fork(sleeps, &gate, MIDDLE);

    operation_yields(2);
    operation_may_hold(&threads.timer_lock);
    operation_begin();
    CHECK(operation_join(t) == &gate);
    operation_end();
}
static void join_twice(void)
{
    struct thread *first;

    other = operation_fork(waits, NULL, MIDDLE);
    first = operation_fork(joins_other, NULL, HIGH);
    operation_begin();
    CHECK(thread_join(other, NULL) == THREAD_INVALID && thread_join(thread_self(), NULL) == THREAD_INVALID);
    semaphore_post(&gate);
    operation_end();
    CHECK(operation_join(first) == (void *)THREAD_OK);
}
static void join_cancelled(void)
{
    struct thread *first;

    other = operation_fork(waits, NULL, HIGH);
    first = operation_fork(joins_other, NULL, MIDDLE);
    operation_may_hold(&other->done.guard);
    operation_begin();
    thread_yield();
    thread_cancel(first);
    CHECK(operation_join(first) == (void *)THREAD_CANCELLED);
    operation_end();
    semaphore_post(&gate);
    CHECK(operation_join(other) == (void *)THREAD_OK);
}
// Cancelled before it waits: `hears` is looked at in the join itself.
static void *joins_late(void *argument)
{
    bool was = thread_set_cancel(false);

    operation_yields(2);
    CHECK(was && !thread_set_cancel(true));
    return joins_other(argument);
}
static void join_cancelled_before(void)
{
    struct thread *first;

    other = operation_fork(waits, NULL, HIGH);
    first = operation_fork(joins_late, NULL, MIDDLE);
    thread_yield();
    operation_begin();
    thread_cancel(first);
    CHECK(operation_join(first) == (void *)THREAD_CANCELLED);
    operation_end();
    semaphore_post(&gate);
    CHECK(operation_join(other) == (void *)THREAD_OK);
}
static void detach(void)
{
    struct thread *runs = operation_fork(waits, NULL, HIGH), *ended = operation_fork(operation_nothing, NULL, HIGH);

    operation_may_hold(&ended->done.guard);
    operation_begin();
    CHECK(thread_detach(runs) == THREAD_OK && thread_detach(runs) == THREAD_INVALID);
    CHECK(thread_join(runs, NULL) == THREAD_INVALID && thread_detach(ended) == THREAD_OK);
    semaphore_post(&gate);
    operation_yields(3);
    operation_end();
}
static void exit_detached(void)
{
    struct thread_attributes a = {.detached = true};
    struct thread *t;

    operation_begin();
    CHECK(thread_fork(&t, &a, exits, NULL) == THREAD_OK);
    operation_yields(2);
    operation_end();
}

// ---- keys -----------------------------------------------------------------------------------------------------

static unsigned key, ended;
static void key_ends(void *value)
{
    ended += value == &key;
    if (ended == 1) {
        CHECK(thread_set(key, &key) == THREAD_OK);       // and once more
    }
}
static void *has_key(void *argument)
{
    CHECK(thread_get(key) == NULL && thread_set(key, &key) == THREAD_OK && thread_get(key) == &key);
    return argument;
}
static void keys(void)
{
    struct thread *t;
    unsigned more[THREAD_KEYS];

    ended = 0;
    operation_begin();
    CHECK(thread_key_create(&key, key_ends) == THREAD_OK);
    CHECK(thread_fork(&t, NULL, has_key, &t) == THREAD_OK && operation_join(t) == &t && ended == 2);
    operation_end();
    for (int i = 1; i < THREAD_KEYS; i++) {
        CHECK(thread_key_create(&more[i], NULL) == THREAD_OK);
    }
    operation_begin();
    CHECK(thread_key_create(&more[0], NULL) == THREAD_NO_MEMORY && thread_set(99, NULL) == THREAD_INVALID);
    CHECK(thread_key_delete(key) == THREAD_OK && thread_key_delete(key) == THREAD_INVALID && thread_get(key) == NULL);
    operation_end();
    for (int i = 1; i < THREAD_KEYS; i++) {
        CHECK(thread_key_delete(more[i]) == THREAD_OK);
    }
}

const struct operation operations_threads[] = {
    {"yield, an equal", yield_equal}, {"yield, nobody", yield_alone}, {"yield, a lower one", yield_lower},
    {"yield, a lock is held", yield_locked}, {"priorities", priorities}, {"fork and join", fork_join},
    {"fork, the last first", fork_last_first}, {"fork, refused", fork_refused},
    {"fork, a record of another list", fork_elsewhere}, {"fork, no memory", fork_without},
    {"fork, a new record", fork_new}, {"fork, large", fork_large}, {"fork, higher", fork_high},
    {"join, ended", join_ended}, {"exit before join", exit_first}, {"join, nobody is ready", join_idle},
    {"join, two of them", join_twice}, {"join, cancelled", join_cancelled},
    {"join, cancelled before", join_cancelled_before}, {"detach", detach}, {"exit, detached", exit_detached},
    {"keys", keys}, {NULL, NULL},
};
