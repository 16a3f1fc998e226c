// sleep.c - sleeping on queues and waking up.
//
// A waiter is on the sleeper's stack, or several in memory of its own for poll.  ux_wake takes all waiters off their
// queue, says so in `fired`, and wakes their tasks; both sides hold the giant, so nothing is lost in between.
// A signal wakes a task that sleeps (task_kick) without firing: the sleeper finds `interrupted`.
#include "task.h"

#include <base.h>

struct waiter {
    struct waiter *next;
    struct waitq  *q;                    // NULL: taken off
    struct task   *task;
    bool           fired;
};

enum { WAITERS_HERE = 4 };

static void waiter_add(struct waiter *w, struct waitq *q, struct task *t)
{
    w->task = t;
    w->q = q;
    w->fired = false;
    w->next = q->first;
    q->first = w;
}

static void waiter_remove(struct waiter *w)
{
    if (w->q == NULL) {
        return;
    }
    struct waiter **at = &w->q->first;
    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
    w->q = NULL;
}

void ux_wake(struct waitq *q)
{
    while (q->first != NULL) {
        struct waiter *w = q->first;
        struct task *t = w->task;
        q->first = w->next;
        w->q = NULL;
        w->fired = true;
        sharing_wake(&t->sharing);
    }
}

static bool any_fired(const struct waiter *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (w[i].fired) {
            return true;
        }
    }
    return false;
}

static int sleep_on(struct task *t, struct waiter *w, unsigned count, uint64_t deadline, bool quietly)
{
    uint64_t began = ak_now();
    int e = 0;

    do {                                 // nobody can have fired yet
        if (!quietly && t->interrupted) {
            e = -EINTR;
            break;
        }
        if (deadline != 0 && ak_now() >= deadline) {
            e = -ETIMEDOUT;
            break;
        }
        t->sharing.blocked = true;
        giant_unlock();
        (void)sharing_block(&t->sharing, deadline);
        giant_lock(t);
        t->sharing.blocked = false;
    } while (!any_fired(w, count));
    t->slept += ak_now() - began;
    for (unsigned i = 0; i < count; i++) {
        waiter_remove(&w[i]);
    }
    return e;
}

int ux_sleep(struct task *t, struct waitq *q, uint64_t deadline)
{
    struct waiter w;

    waiter_add(&w, q, t);
    return sleep_on(t, &w, 1, deadline, false);
}

int sleep_quietly(struct task *t, struct waitq *q, uint64_t deadline)
{
    struct waiter w;

    waiter_add(&w, q, t);
    return sleep_on(t, &w, 1, deadline, true);
}

int ux_sleep_many(struct task *t, struct waitq **q, unsigned count, uint64_t deadline)
{
    struct waiter here[WAITERS_HERE], *w = here;

    if (count > WAITERS_HERE) {
        w = ak_alloc(count * sizeof(*w));
        if (w == NULL) {
            return -ENOMEM;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        waiter_add(&w[i], q[i], t);
    }
    int e = sleep_on(t, w, count, deadline, false);
    if (w != here) {
        ak_free(w, count * sizeof(*w));
    }
    return e;
}
