// tasks.c - workers of the package of stackless tasks: queues, steps, waits (tasks.h).
//
// Each worker has a deque, from which it takes the oldest as thieves do, so tasks run in order; what others begin or
// unblock goes to one list, which a worker takes as a whole.  Nobody holds a lock, so a worker may be stopped anywhere.
#include "tasks.h"

#include "deque.h"

enum task_state { QUEUED, RUNNING, WAITING, WOKEN };

struct task_worker {
    struct deque deque;
    uint32_t victim;                     // o
};

// ---- queues -----------------------------------------------------------------------------------------------------

static void push_list(struct tasks *home, struct task *first, struct task *last)
{
    struct task *behind = __atomic_load_n(&home->queue, __ATOMIC_RELAXED);

    do {
        last->next = behind;
    } while (!__atomic_compare_exchange_n(&home->queue, &behind, first, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}
// A worker's own deque, if the caller is one of the package: then it goes on looking there itself.
static void push(struct task *t)
{
    struct tasks *home = t->home;

    if (package_self() != &home->package || !deque_push(&((struct task_worker *)package_local())->deque, t)) {
        push_list(home, t, t);
    }
    package_more(&home->package);
}
// The list, in order, as far as there is room.
static void take_queue(struct tasks *home, struct task_worker *self)
{
    struct task *list = __atomic_exchange_n(&home->queue, NULL, __ATOMIC_ACQUIRE), *in_order = NULL, *next;

    for (; list != NULL; list = next) {
        next = list->next;
        list->next = in_order;
        in_order = list;
    }
    for (; in_order != NULL; in_order = next) {
        next = in_order->next;
        if (!deque_push(&self->deque, in_order)) {
            push_list(home, in_order, in_order);
        }
    }
    if (deque_count(&self->deque) > 1) {
        package_more(&home->package);    // others may have seen nothing to do meanwhile
    }
}
static struct task *find_task(struct tasks *home, struct task_worker *self)
{
    uint32_t n = package_workers(&home->package);
    struct task *t;

    if (__atomic_load_n(&home->queue, __ATOMIC_RELAXED) != NULL && deque_count(&self->deque) < DEQUE_SIZE / 2) {
        take_queue(home, self);
    }
    do {
        t = deque_steal(&self->deque);
    } while (t == NULL && deque_count(&self->deque) != 0);
    for (uint32_t i = 0, v = self->victim; t == NULL && i < n; i++, v++) {
        struct task_worker *victim = __atomic_load_n(&home->package.local[v % n], __ATOMIC_ACQUIRE);
        t = victim != NULL ? deque_steal(&victim->deque) : NULL;
        self->victim = v % n;
        if (t != NULL && deque_count(&victim->deque) != 0) {
            package_more(&home->package);
        }
    }
    return t;
}

// ---- steps ------------------------------------------------------------------------------------------------------

// Nothing of a task is touched after others may have it: it has ended, is queued, or waits.
static void step(struct task *t)
{
    uint32_t running = RUNNING;

    __atomic_store_n(&t->state, RUNNING, __ATOMIC_RELAXED);
    switch (t->fn(t)) {
    case TASK_DONE:
        event_signal(&t->over);
        return;
    case TASK_WAIT:
        if (__atomic_compare_exchange_n(&t->state, &running, WAITING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            return;
        }
        break;                           // its end came first
    case TASK_AGAIN:
        break;
    }
    __atomic_store_n(&t->state, QUEUED, __ATOMIC_RELAXED);
    push(t);
}
static void unblock_task(struct waitable *other)
{
    struct task *t = (struct task *)other;
    uint32_t state = __atomic_load_n(&t->state, __ATOMIC_ACQUIRE);

    for (;;) {
        uint32_t next = state == WAITING ? QUEUED : WOKEN;
        if (state == QUEUED || state == WOKEN) {
            return;                      // it is going to look
        }
        if (__atomic_compare_exchange_n(&t->state, &state, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            if (next == QUEUED) {
                push(t);
            }
            return;
        }
    }
}
// There is no stack that could wait.
static void block_task(struct waitable *self)
{
    (void)self;
    __builtin_trap();
}
static void work(struct package *package, void *local)
{
    struct tasks *home = (struct tasks *)package;
    struct task *t;

    while ((t = find_task(home, local)) != NULL) {
        step(t);
    }
}
static bool some(struct package *package)
{
    const struct tasks *home = (const struct tasks *)package;
    uint32_t n = package_workers(package);

    for (uint32_t i = 0; i < n; i++) {
        const struct task_worker *w = __atomic_load_n(&package->local[i], __ATOMIC_ACQUIRE);
        if (w != NULL && deque_count(&w->deque) != 0) {
            return true;
        }
    }
    return __atomic_load_n(&home->queue, __ATOMIC_SEQ_CST) != NULL;
}

// ---- begin ------------------------------------------------------------------------------------------------------

enum thread_status tasks_begin(struct tasks *home, uint32_t processors, uint32_t workers)
{
    *home = (struct tasks){.package = {.run = work, .some = some, .processors = processors,
                                       .local_size = sizeof(struct task_worker)}};
    return package_begin(&home->package, workers);
}
static void prepare(struct tasks *home, struct task *t, task_fn *fn, enum task_state state)
{
    t->waitable = (struct waitable){&t->waitable, block_task, unblock_task};
    t->home = home;
    t->fn = fn;
    t->state = state;
    t->at = 0;
    t->waiter.who = &t->waitable;
    t->waits = false;
    event_init(&t->over);
}
void task_begin(struct tasks *home, struct task *t, task_fn *fn)
{
    prepare(home, t, fn, QUEUED);
    push(t);
}
void task_begin_after(struct tasks *home, struct task *t, task_fn *fn, struct event *after)
{
    prepare(home, t, fn, WAITING);
    if (!event_add(after, &t->waiter)) {
        t->state = QUEUED;
        push(t);
    }
}

// ---- waits ------------------------------------------------------------------------------------------------------

bool task_wait_woken(struct task *t)
{
    return !__atomic_load_n(&t->waiter.woken, __ATOMIC_ACQUIRE);     // pairs with wake()
}
// Called again before the unblock has come, it is still on the list.
static bool still_listed(struct task *t)
{
    return t->waits && task_wait_woken(t);
}
bool task_wait(struct task *t, struct event *e)
{
    if (still_listed(t)) {
        return true;
    }
    t->waits = event_add(e, &t->waiter);
    return t->waits;
}
bool task_wait_units(struct task *t, struct units *u)
{
    if (still_listed(t)) {
        return true;
    }
    t->waits = false;
    if (units_try(u)) {
        return false;
    }
    t->waits = true;
    units_watch(u, &t->waiter);
    return true;
}
