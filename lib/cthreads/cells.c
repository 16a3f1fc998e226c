// cells.c - see cells.h.
#include "cells.h"

#include <base.h>
#include <threads_native.h>

enum { BUCKETS = 64, PAGES = 7 };            // PAGES: with their guard page a power of two

union cell {
    union cell *next;                        // of a free one
    struct name {
        struct name *next;
        const void *object;
        const char *name;
    } name;
    char bytes[CELL];
};
_Static_assert(sizeof(union cell) == CELL, "cells");

static struct mutex lock;                    // zeros: initialised
static union cell *unused;
static struct name *names[BUCKETS];

static bool more(void)
{
    union cell *c = (union cell *)threads_native_memory(PAGES * ABI_PAGE);

    for (unsigned i = 0; c != NULL && i < PAGES * ABI_PAGE / CELL; i++) {
        c[i].next = unused;
        unused = &c[i];
    }
    return c != NULL;
}
static void *make(void)
{
    union cell *c = unused;

    if (c == NULL && !more()) {
        return NULL;
    }
    c = unused;
    unused = c->next;
    memset(c, 0, CELL);
    return c;
}
static void let_go(union cell *c)
{
    c->next = unused;
    unused = c;
}

void *cell_make(void)
{
    mutex_lock(&lock);
    void *c = make();
    (void)mutex_unlock(&lock);
    return c;
}
void cell_free(void *cell)
{
    mutex_lock(&lock);
    let_go((union cell *)cell);
    (void)mutex_unlock(&lock);
}

// The link to it, or the last one.
static struct name **find(const void *object)
{
    struct name **at = &names[(uintptr_t)object / 16 % BUCKETS];

    while (*at != NULL && (*at)->object != object) {
        at = &(*at)->next;
    }
    return at;
}
void name_set(const void *object, const char *name)
{
    mutex_lock(&lock);
    struct name **at = find(object), *n = *at;
    if (name == NULL && n != NULL) {
        *at = n->next;
        let_go((union cell *)n);
    } else if (name != NULL && n == NULL) {
        n = (struct name *)make();
        *at = n;
    }
    if (name != NULL && n != NULL) {
        n->object = object;
        n->name = name;
    }
    (void)mutex_unlock(&lock);
}
const char *name_of(const void *object)
{
    mutex_lock(&lock);
    const struct name *n = *find(object);
    const char *name = n != NULL ? n->name : "?";
    (void)mutex_unlock(&lock);
    return name;
}
