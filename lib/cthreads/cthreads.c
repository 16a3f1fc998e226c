// cthreads.c - see cthreads.h.
//
// A thread's record has it, and is found by a key of the library's.  It is freed by whoever is last: the joiner, or of
// the end of the thread and its detaching the later one.
#include "cthreads.h"

#include <base.h>
#include <threads_native.h>

#include "cells.h"

THREADS_NATIVE(32, 128);

enum { DETACHED = 1, ENDED = 2 };

struct cthread {
    struct thread *thread;
    cthread_fn_t fn;
    any_t argument, data;
    string_t name;
    uint32_t state;                          // a  DETACHED, ENDED
};
_Static_assert(sizeof(struct cthread) <= CELL && sizeof(struct mutex) <= CELL && sizeof(struct condition) <= CELL,
               "cells");

static unsigned self_key;
static struct cthread *first;
static struct mutex lock;                    // of count
static struct condition alone;               // count has become 1
static int count = 1;

static void leave(cthread_t t, uint32_t state)
{
    if (__atomic_fetch_or(&t->state, state, __ATOMIC_ACQ_REL) != 0) {
        cell_free(t);
    }
}
static void change_count(int by)
{
    mutex_lock(&lock);
    count += by;
    if (count == 1) {
        condition_signal(&alone);
    }
    (void)mutex_unlock(&lock);
}
// The last thing that a thread does: the library calls it for the key.
static void ended(void *record)
{
    leave((cthread_t)record, ENDED);
    change_count(-1);
}
static void *begin(void *record)
{
    cthread_t t = (cthread_t)record;

    (void)thread_set(self_key, t);
    return t->fn(t->argument);
}

cthread_t cthread_fork(cthread_fn_t fn, any_t argument)
{
    cthread_t t = (cthread_t)cell_make();

    if (t == NULL) {
        return NO_CTHREAD;
    }
    t->fn = fn;
    t->argument = argument;
    change_count(1);
    if (thread_fork(&t->thread, NULL, begin, t) != THREAD_OK) {      // written before it begins
        change_count(-1);
        cell_free(t);
        return NO_CTHREAD;
    }
    return t;
}
void cthread_detach(cthread_t t)
{
    (void)thread_detach(t->thread);
    leave(t, DETACHED);
}
any_t cthread_join(cthread_t t)
{
    any_t result = NULL;

    (void)thread_join(t->thread, &result);
    cell_free(t);
    return result;
}
void cthread_exit(any_t result)
{
    if (cthread_self() != first) {
        thread_exit(result);
    }
    mutex_lock(&lock);
    while (count > 1) {
        (void)condition_wait(&alone, &lock);
    }
    native_exit((uint64_t)result);
}
cthread_t cthread_self(void)
{
    return (cthread_t)thread_get(self_key);
}
int cthread_count(void)
{
    return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

void cthread_set_data(cthread_t t, any_t data)
{
    t->data = data;
}
any_t cthread_data(cthread_t t)
{
    return t->data;
}
void cthread_set_name(cthread_t t, string_t name)
{
    t->name = name;
}
string_t cthread_name(cthread_t t)
{
    return t->name != NULL ? t->name : "?";
}

// ---- objects --------------------------------------------------------------------------------------------------

mutex_t mutex_alloc(void)
{
    mutex_t m = (mutex_t)cell_make();

    if (m != NULL) {
        mutex_init(m);
    }
    return m;
}
condition_t condition_alloc(void)
{
    condition_t c = (condition_t)cell_make();

    if (c != NULL) {
        condition_init(c);
    }
    return c;
}
void mutex_clear(mutex_t m)
{
    name_set(m, NULL);
}
void condition_clear(condition_t c)
{
    name_set(c, NULL);
}
void mutex_free(mutex_t m)
{
    mutex_clear(m);
    cell_free(m);
}
void condition_free(condition_t c)
{
    condition_clear(c);
    cell_free(c);
}
void mutex_set_name(mutex_t m, string_t name)
{
    name_set(m, name);
}
string_t mutex_name(mutex_t m)
{
    return name_of(m);
}
void condition_set_name(condition_t c, string_t name)
{
    name_set(c, name);
}
string_t condition_name(condition_t c)
{
    return name_of(c);
}

// ---- the program ----------------------------------------------------------------------------------------------

enum { WORDS = NATIVE_ARGS / 2 };

int threads_program(const struct native_info *info)
{
    static char text[NATIVE_ARGS], *words[WORDS + 2] = {""};
    int n = 1;

    memcpy(text, info->args, sizeof(text));
    for (char *at = text; n <= WORDS && *at != '\0'; n++) {
        words[n] = at;
        at = strchr(at, ' ');
        if (at == NULL) {
            n++;
            break;
        }
        *at++ = '\0';
    }
    first = (cthread_t)cell_make();
    if (first == NULL || thread_key_create(&self_key, ended) != THREAD_OK) {
        return 1;
    }
    first->thread = thread_self();
    (void)thread_set(self_key, first);
    cthread_exit((any_t)(intptr_t)main(n, words));
}
