// held.c - held.h.
//
// The other processor takes a lock that is free, one of those which the operation that runs has named, and gives it
// free some time later: whoever wants it meanwhile waits.  Between operations it has none.
#include "held.h"

#include <pthread.h>
#include <unistd.h>

#include "operations.h"

enum { LOCKS = 8, SHORT = 20 };          // SHORT: microseconds

static uint32_t *lock[LOCKS];            // a  NULL: none
static uint32_t busy;                    // a  it has one, or looks for one
static enum operation_memory memory;
volatile uint32_t held_quiet;
static void *(*allocate)(size_t bytes);

static bool take(uint32_t *which)
{
    uint32_t free = 0;

    return which != NULL && __atomic_compare_exchange_n(which, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static void *other_processor(void *argument)
{
    for (unsigned i = 0;; i = (i + 1) % LOCKS) {
        __atomic_store_n(&busy, 1, __ATOMIC_SEQ_CST);
        uint32_t *which = __atomic_load_n(&lock[i], __ATOMIC_SEQ_CST);
        if (take(which)) {
            usleep(SHORT);
            __atomic_store_n(which, 0, __ATOMIC_RELEASE);
        }
        __atomic_store_n(&busy, 0, __ATOMIC_SEQ_CST);
        if (i == LOCKS - 1 && which == NULL) {
            usleep(SHORT);
        }
    }
    return argument;
}
static void *get(size_t bytes)
{
    return memory == MEMORY_NONE ? NULL : allocate(bytes);
}
void held_begin(struct threads_setup *setup)
{
    pthread_t thread;

    allocate = setup->memory.allocate;
    setup->memory.allocate = get;
    if (pthread_create(&thread, NULL, other_processor, NULL) != 0) {
        _exit(12);
    }
}

// ---- operations.h ---------------------------------------------------------------------------------------------

void operation_may_hold(uint32_t *which)
{
    for (unsigned i = 0; i < LOCKS; i++) {
        if (lock[i] == NULL) {
            __atomic_store_n(&lock[i], which, __ATOMIC_SEQ_CST);
            return;
        }
    }
}
void operation_hold(uint32_t *which)
{
    operation_may_hold(which);
}
void operation_begin(void)
{
    operation_may_hold(&ready_here()->lock);
    operation_may_hold(&threads.timer_lock);
    held_quiet = 0;
}
// Its locks may be gone then.
void operation_end(void)
{
    held_quiet = 1;
    for (unsigned i = 0; i < LOCKS; i++) {
        __atomic_store_n(&lock[i], NULL, __ATOMIC_SEQ_CST);
    }
    while (__atomic_load_n(&busy, __ATOMIC_SEQ_CST)) {
        __builtin_ia32_pause();
    }
}
void operation_memory(enum operation_memory how)
{
    memory = how;
}
uint64_t operation_clock(void)
{
    return host.machine.now();
}
static void run_all(const struct operation *o)
{
    for (; o->name != NULL && operation_failed == NULL; o++) {
        o->run();
    }
}
void *held_first(void *rounds)
{
    held_quiet = 1;
    for (uint64_t i = 0; i < (uint64_t)rounds; i++) {
        run_all(operations_threads);
        run_all(operations_waits);
        run_all(operations_others);
    }
    held_quiet = 0;
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return NULL;
}
