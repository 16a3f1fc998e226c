// cthreads.c - operations of lib/cthreads.
#include <base.h>

#include "cells.h"
#include "packages.h"

enum { OTHERS = 2, TRIES = 100, APART = 1024 };      // APART: bytes between objects whose names are in one list

static void all_ended(void)
{
    for (unsigned i = 0; i < TRIES && cthread_count() != 1; i++) {
        cthread_yield();
    }
    CHECK(cthread_count() == 1);
}

// ---- threads ----------------------------------------------------------------------------------------------------

static any_t exits(any_t argument)
{
    cthread_t self = cthread_self();

    CHECK(cthread_data(self) == NULL && cthread_name(self)[0] == '?');
    cthread_set_data(self, argument);
    cthread_set_name(self, "a");
    cthread_yield();
    CHECK(cthread_self() == self && cthread_name(self)[0] == 'a');
    cthread_exit(cthread_data(self));
}
static any_t returns(any_t argument)
{
    return argument;
}
static void fork_join(void)
{
    cthread_t t, u;

    operation_begin();
    t = cthread_fork(exits, &t);
    u = cthread_fork(returns, &u);
    CHECK(cthread_join(t) == &t && cthread_join(u) == &u);
    operation_end();
    all_ended();
}
static any_t detaches(any_t argument)
{
    cthread_detach(cthread_self());
    return argument;
}
// By itself, before it has run, and after it has ended.
static void detach(void)
{
    cthread_t t;

    t = cthread_fork(returns, NULL);
    all_ended();
    operation_begin();
    cthread_detach(t);
    CHECK(cthread_fork(detaches, NULL) != NO_CTHREAD);
    cthread_detach(cthread_fork(returns, NULL));
    all_ended();
    operation_end();
}

// ---- mutexes, conditions, names ---------------------------------------------------------------------------------

static mutex_t lock;
static condition_t changed;
static uint64_t turn;

static any_t takes_turns(any_t number)
{
    for (uint64_t i = 0; i < 2; i++) {
        mutex_lock(lock);
        while (turn % OTHERS != (uint64_t)number) {
            (void)condition_wait(changed, lock);
        }
        turn++;
        condition_broadcast(changed);
        (void)mutex_unlock(lock);
    }
    return number;
}
static void objects(void)
{
    cthread_t t[OTHERS];

    turn = 0;
    operation_begin();
    lock = mutex_alloc();
    changed = condition_alloc();
    mutex_set_name(lock, "m");
    condition_set_name(changed, "c");
    for (uint64_t i = 0; i < OTHERS; i++) {
        t[i] = cthread_fork(takes_turns, (any_t)(OTHERS - 1 - i));
    }
    for (uint64_t i = 0; i < OTHERS; i++) {
        CHECK(cthread_join(t[i]) == (any_t)(OTHERS - 1 - i));
    }
    CHECK(turn == OTHERS * 2 && mutex_name(lock)[0] == 'm' && condition_name(changed)[0] == 'c');
    CHECK(mutex_try_lock(lock) && !mutex_try_lock(lock) && mutex_unlock(lock) == THREAD_OK);
    mutex_free(lock);
    condition_free(changed);
    operation_end();
    CHECK(mutex_name(lock)[0] == '?' && condition_name(changed)[0] == '?');
    all_ended();
}
static union {
    struct mutex mutex;
    struct condition condition;
    char bytes[APART];
} object[OTHERS];

static any_t names(any_t number)
{
    mutex_t m = &object[(uint64_t)number].mutex;
    string_t name = (uint64_t)number == 0 ? "a" : "b";

    mutex_set_name(m, name);
    cthread_yield();
    CHECK(mutex_name(m) == name);
    mutex_set_name(m, name + 1);
    CHECK(mutex_name(m) == name + 1);
    mutex_clear(m);
    cthread_yield();
    CHECK(mutex_name(m)[0] == '?');
    condition_clear(&object[(uint64_t)number].condition);
    m = mutex_alloc();
    CHECK(m->word == 0 && mutex_name(m)[0] == '?');
    mutex_free(m);
    return number;
}
static void names_of_one_list(void)
{
    cthread_t t[OTHERS];

    operation_begin();
    for (uint64_t i = 0; i < OTHERS; i++) {
        t[i] = cthread_fork(names, (any_t)i);
    }
    for (uint64_t i = 0; i < OTHERS; i++) {
        CHECK(cthread_join(t[i]) == (any_t)i);
    }
    operation_end();
    all_ended();
}

// ---- memory -----------------------------------------------------------------------------------------------------

struct cell {
    struct cell *next;
};
// All that there are, and no more.
static struct cell *drain(void)
{
    struct cell *all = NULL, *c;

    operation_memory(MEMORY_NONE);
    while ((c = (struct cell *)cell_make()) != NULL) {
        c->next = all;
        all = c;
    }
    return all;
}
static void refill(struct cell *all)
{
    for (struct cell *next; all != NULL; all = next) {
        next = all->next;
        cell_free(all);
    }
    operation_memory(MEMORY_USUAL);
}
static void no_cells(void)
{
    struct cell *all = drain();

    operation_begin();
    CHECK(cthread_fork(returns, NULL) == NO_CTHREAD && mutex_alloc() == MUTEX_NULL);
    CHECK(condition_alloc() == CONDITION_NULL);
    mutex_set_name(&object[0].mutex, "a");
    CHECK(mutex_name(&object[0].mutex)[0] == '?' && cthread_count() == 1);
    operation_end();
    refill(all);
}
// The piece of memory is cut into cells, and forgotten.
static void new_cells(void)
{
    struct cell *all = drain();
    mutex_t m;

    operation_memory(MEMORY_SAME);
    operation_begin();
    m = mutex_alloc();
    operation_end();
    CHECK(m != NULL && m->word == 0);
    (void)drain();
    refill(all);
}
static void no_thread(void)
{
    struct thread *all = records_take();

    operation_memory(MEMORY_NONE);
    operation_begin();
    CHECK(cthread_fork(returns, NULL) == NO_CTHREAD && cthread_count() == 1);
    operation_end();
    operation_memory(MEMORY_USUAL);
    records_give(all);
}

const struct operation operations_cthreads[] = {
    {"cthreads: fork and join", fork_join}, {"cthreads: detach", detach}, {"cthreads: objects", objects},
    {"cthreads: names", names_of_one_list}, {"cthreads: no cells", no_cells}, {"cthreads: new cells", new_cells},
    {"cthreads: no thread", no_thread}, {NULL, NULL},
};
