// kernel.c - each thread of the library is a kernel thread of the program, and waits at a word just above its stack.
//
// The word, which is also the handle: 0, 1 a wake that has not been seen, 2 it waits.
#include "threads_native.h"

enum { NOTHING, WOKEN, WAITING };
enum { PAUSES = 32 };                    // in a slice

static uint32_t first;                   // the word of the first thread

// The middle one is the program's own; below and above it as far as the program may go.
static uint32_t level(uint32_t priority)
{
    uint32_t own = native_told()->priority, highest = native_told()->highest, middle = THREAD_PRIORITIES / 2;

    if (priority <= middle) {
        return own * priority / middle;
    }
    return own + (highest - own) * (priority - middle) / (THREAD_PRIORITIES - 1 - middle);
}

static bool create(va_t fs_base, va_t stack, void (*entry)(void *), void *argument, uint32_t priority, uint64_t *handle)
{
    *handle = stack;
    *(uint32_t *)stack = NOTHING;
    return native_thread_begin((va_t)entry, stack, (uint64_t)argument, fs_base, level(priority)) == ERR_OK;
}

static void leave(uint32_t *over)
{
    native_thread_exit_with(over, 1);
}

static void block(uint64_t handle, uint64_t until)
{
    uint32_t *word = (uint32_t *)handle, nothing = NOTHING;

    if (__atomic_compare_exchange_n(word, &nothing, WAITING, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        (void)native_wait(word, WAITING, until);
    }
    __atomic_store_n(word, NOTHING, __ATOMIC_SEQ_CST);
}

static void wake(uint64_t handle)
{
    uint32_t *word = (uint32_t *)handle;
    uint64_t woken;

    if (__atomic_exchange_n(word, WOKEN, __ATOMIC_SEQ_CST) == WAITING) {
        (void)native_wake(word, 1, &woken);
    }
}

static void yield(void)
{
    (void)sys_yield();
}

static void pause(void)
{
    (void)sys_wait(threads_native_clock() + native_told()->slice / PAUSES);
}

static void set_priority(uint64_t handle, uint32_t priority)
{
    (void)native_thread_priority(handle != (uint64_t)&first ? handle : 0, level(priority));      // or it has ended
}

void threads_native_kernel(struct threads_setup *setup)
{
    static struct kernel_backend backend = {.create = create, .exit = leave, .block = block, .wake = wake,
                                            .yield = yield, .pause = pause, .set_priority = set_priority,
                                            .first = (uint64_t)&first};

    setup->kernel = &backend;
    threads_native_failed(threads_begin(setup, threads_native_first, (void *)native_told()));
}
