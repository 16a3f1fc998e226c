// par_native.c - the thread package of the simulation on kernel threads of appkernels/native, one to one.
//
// Stacks are given again: a thread's is free when its word `running` has become 0, which the kernel does when the
// thread does not use it any more.  A mutex is 0 free, 1 held, 2 held and perhaps somebody waits; a condition counts
// its wakes.
#include <native.h>

#include "par.h"
#include "program.h"

enum { STACK = 32 * 1024, STACKS = 32 }; // STACKS: of one map

struct native_thread {
    uint32_t running;
    uint32_t reserved;
    va_t     stack;                      // its top
    void   (*run)(void *arg);
    void    *arg;
};
_Static_assert(sizeof(struct native_thread) <= sizeof(struct par_thread), "par_thread");

static struct par_mutex stacks_lock;
static va_t free_stacks;                 // stacks_lock  top of the first one; the next is in its highest word

int native_main(const struct native_info *info)
{
    return nbody_main(info);
}

static uint64_t *link_of(va_t stack)
{
    return (uint64_t *)(stack - sizeof(uint64_t));
}

static uint32_t *word_of(uint64_t word[8])
{
    return (uint32_t *)word;
}

void *par_memory(size_t size)
{
    va_t va = 0;
    size_t pages = (size + ABI_PAGE - 1) & ~(size_t)(ABI_PAGE - 1);

    return native_map(pages, MAP_READ | MAP_WRITE, 0, &va) == ERR_OK ? (void *)va : NULL;
}

static va_t stack_take(void)
{
    va_t base = 0;

    par_lock(&stacks_lock);
    if (free_stacks == 0 && native_map(STACKS * STACK, MAP_READ | MAP_WRITE, STACK, &base) == ERR_OK) {
        for (unsigned i = 1; i <= STACKS; i++) {
            *link_of(base + i * STACK) = free_stacks;
            free_stacks = base + i * STACK;
        }
    }
    va_t stack = free_stacks;
    if (stack != 0) {
        free_stacks = *link_of(stack);
    }
    par_unlock(&stacks_lock);
    return stack;
}

static void stack_give(va_t stack)
{
    par_lock(&stacks_lock);
    *link_of(stack) = free_stacks;
    free_stacks = stack;
    par_unlock(&stacks_lock);
}

static void begin(struct native_thread *t)
{
    t->run(t->arg);
    native_thread_exit(&t->running);
}

bool par_fork(struct par_thread *thread, void (*run)(void *arg), void *arg)
{
    struct native_thread *t = (struct native_thread *)thread;

    *t = (struct native_thread){.running = 1, .stack = stack_take(), .run = run, .arg = arg};
    if (t->stack == 0) {
        return false;
    }
    if (native_thread_create((va_t)begin, t->stack, (uint64_t)t, 0) != ERR_OK) {
        stack_give(t->stack);
        return false;
    }
    return true;
}

void par_join(struct par_thread *thread)
{
    struct native_thread *t = (struct native_thread *)thread;

    while (__atomic_load_n(&t->running, __ATOMIC_ACQUIRE) != 0) {
        (void)native_wait(&t->running, 1, 0);
    }
    stack_give(t->stack);
}

void par_lock(struct par_mutex *m)
{
    uint32_t *word = word_of(m->word), found = 0;

    if (__atomic_compare_exchange_n(word, &found, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return;
    }
    while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0) {
        (void)native_wait(word, 2, 0);
    }
}

void par_unlock(struct par_mutex *m)
{
    uint64_t woken;

    if (__atomic_exchange_n(word_of(m->word), 0, __ATOMIC_RELEASE) == 2) {
        (void)native_wake(word_of(m->word), 1, &woken);
    }
}

// The second word: somebody has begun to wait since the last wake.  Both are changed with the mutex held.
void par_wait(struct par_cond *c, struct par_mutex *m)
{
    uint32_t *word = word_of(c->word), seen = __atomic_load_n(word, __ATOMIC_RELAXED);

    word[1] = 1;
    par_unlock(m);
    (void)native_wait(word, seen, 0);
    par_lock(m);
}

void par_wake_all(struct par_cond *c)
{
    uint32_t *word = word_of(c->word);
    uint64_t woken;

    if (word[1] != 0) {
        word[1] = 0;
        __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
        (void)native_wake(word, UINT64_MAX, &woken);
    }
}

void par_block(uint64_t ticks)
{
    (void)native_block(ticks);
}

uint64_t par_clock(void)
{
    return native_parallel_clock();
}
