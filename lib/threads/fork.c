// fork.c - threads begin and end.
//
// The record of a thread is at the top of its stack; below the stack is a guard page.  Records with stacks of the usual
// size are kept in free lists, one for each processor; others in one list.  Memory is never given back.
#include <base.h>

#include "wait.h"

static void block_this(struct waitable *self)
{
    (void)self;
    bool was = thread_set_cancel(false);
    (void)thread_block(0);
    (void)thread_set_cancel(was);
}
static void unblock_that(struct waitable *other)
{
    thread_unblock((struct thread *)other);
}
void thread_record(struct thread *t, enum thread_kind kind)
{
    memset(t, 0, sizeof *t);
    t->waitable = (struct waitable){&t->waitable, block_this, unblock_that};
    t->kind = kind;
    t->priority = THREAD_PRIORITIES - 1;
    t->over = 1;
    t->after = threads.on_kernel ? AFTER_KERNEL : 0;
}
struct thread *thread_make(size_t stack)
{
    size_t bytes = area_pages_of(stack + sizeof(struct thread));
    char *memory = threads.setup.memory.allocate(bytes);

    if (memory == NULL) {
        return NULL;
    }
    struct thread *t = (struct thread *)((uintptr_t)(memory + bytes - sizeof(struct thread)) & ~(uintptr_t)63);
    thread_record(t, FLOW_THREAD);
    t->stack = stack;
    t->large = stack != threads.setup.stack;
    t->bottom = memory;
    count(&threads.count.stacks, 1);
    return t;
}
static struct thread *find_record(size_t stack)
{
    struct ready *here = threads.on_kernel ? &threads.ready[0] : ready_here();
    struct thread *t;

    if (stack != threads.setup.stack) {
        t = *(struct thread *volatile *)&threads.large != NULL ? critical_large(stack) : NULL;
        return t != NULL ? t : thread_make(stack);
    }
    if (here->free != NULL && (t = critical_new(here)) != NULL) {
        return t;
    }
    for (uint32_t p = 0; p < threads.machine.cpus; p++) {
        struct ready *r = &threads.ready[p];
        if (*(struct thread *volatile *)&r->free != NULL && (t = critical_new(r)) != NULL) {
            return t;
        }
    }
    return thread_make(stack);
}
static void kernel_main(void *argument)
{
    const struct thread *self = argument;

    thread_exit(self->fn(self->argument));
}
static bool begin(struct thread *self, struct thread *t)
{
    if (threads.on_kernel) {
        t->over = 0;
        return threads.setup.kernel->create((va_t)t, (va_t)t - 16, kernel_main, t, t->priority, &t->handle);
    }
    critical_ready(self, t);
    after_wake(self);
    return true;
}
static __attribute__((noinline)) enum thread_status fork_any(struct thread **thread, const struct thread_attributes *a,
                                                             void *(*fn)(void *), void *argument)
{
    struct thread *self = thread_self(), *t;
    uint32_t priority = a->has_priority ? a->priority : self->priority;

    if (priority >= THREAD_PRIORITIES || fn == NULL || a->stack > SIZE_MAX / 4) {
        return THREAD_INVALID;
    }
    t = find_record(a->stack != 0 ? a->stack : threads.setup.stack);
    if (t == NULL) {
        return THREAD_NO_MEMORY;
    }
    thread_prepare(t, priority, fn, argument);
    t->detached = a->detached;
    *thread = t;
    count(&threads.count.forks, 1);
    if (!begin(self, t)) {
        t->over = 1;
        critical_free(t);
        return THREAD_NO_MEMORY;
    }
    return THREAD_OK;
}
enum thread_status thread_fork(struct thread **thread, const struct thread_attributes *attributes,
                               void *(*fn)(void *), void *argument)
{
    static const struct thread_attributes usual;
    struct thread *self = thread_self();

    if (__builtin_expect(attributes != NULL || fn == NULL, 0) || unusual(&self->after)) {
        return fork_any(thread, attributes != NULL ? attributes : &usual, fn, argument);
    }
    *thread = NULL;                                  // a page that is missing is not to be found out under a lock
    thread = critical_fork(self, thread, fn, argument);
    if (__builtin_expect(thread != NULL, 0)) {
        self = thread_self_now();
        return fork_any(thread, &usual, self->forks.fn, self->forks.argument);
    }
    more_to_run();
    return THREAD_OK;
}
static _Noreturn __attribute__((noinline)) void exit_kernel(struct thread *self)
{
    critical_exit_kernel(self);
    if (self->woken != NULL) {
        woken(self);
    }
    if (self->detached) {
        critical_free(self);
    }
    threads.setup.kernel->exit(&self->over);
    __builtin_unreachable();
}
static _Noreturn __attribute__((noinline)) void exit_any(struct thread *self, void *value)
{
    if (self->keys != 0) {
        keys_destroy(self);
    }
    if (self->after != 0) {
        self->value = value;
        exit_kernel(self);
    }
    critical_exit(value, self);
}
void thread_exit(void *value)
{
    struct thread *self = thread_self();

    if (unusual_pair(&self->keys)) {
        exit_any(self, value);
    }
    critical_exit(value, self);
}
static void reap(struct thread *thread)
{
    while (!__atomic_load_n(&thread->over, __ATOMIC_ACQUIRE)) {      // pairs with kernel_backend.exit
        wait_moment();
    }
    critical_free(thread);
}
static __attribute__((noinline)) enum thread_status join_ended(struct thread *thread, void **value)
{
    if (value != NULL) {
        *value = thread->value;
    }
    reap(thread);
    return THREAD_OK;
}
enum thread_status thread_join(struct thread *thread, void **value)
{
    struct thread *self = thread_self();

    if (__builtin_expect(thread == self, 0) || unusual(&thread->detached)) {
        return THREAD_INVALID;
    }
    if (unusual_pair((const uint32_t *)&thread->done.word)) {        // pairs with critical_exit_any()
        return join_ended(thread, value);
    }
    wait_begin(self, 0, true);
    critical_join(self, thread);
    self = wait_end_of(thread_self_now());
    if (unusual(&self->result)) {
        return self->result == THREAD_BUSY ? join_ended(self->got, value) : (enum thread_status)self->result;
    }
    if (value != NULL) {
        *value = self->got;
    }
    return THREAD_OK;
}
enum thread_status thread_detach(struct thread *thread)
{
    bool exited;

    if (!critical_detach(thread, &exited)) {
        return THREAD_INVALID;
    }
    if (exited) {
        reap(thread);
    }
    return THREAD_OK;
}
uint32_t thread_priority(const struct thread *thread)
{
    return __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
}
enum thread_status thread_set_priority(struct thread *thread, uint32_t priority)
{
    if (priority >= THREAD_PRIORITIES) {
        return THREAD_INVALID;
    }
    __atomic_store_n(&thread->priority, priority, __ATOMIC_RELAXED);
    if (threads.on_kernel) {
        threads.setup.kernel->set_priority(thread->handle, priority);
    } else if (thread == thread_self()) {
        thread_yield();
    }
    return THREAD_OK;
}
