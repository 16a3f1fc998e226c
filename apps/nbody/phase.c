// phase.c - the tasks of a phase, each in a thread of its own, so many at once.
#include "nbody.h"
#include "par.h"

struct phase {
    struct world    *world;
    void           (*task)(struct world *w, uint32_t i);
    struct par_mutex lock;
    struct par_cond  ended;
    uint32_t         free;               // lock  of slots, which nobody uses
    uint32_t         slot[THREADS_MOST]; // lock
};

struct runner {                          // a slot
    struct par_thread thread;
    struct phase     *phase;
    uint32_t          task, slot;
    bool              begun;             // its thread has not been joined
};

static void run(void *arg)
{
    struct runner *r = arg;
    struct phase *p = r->phase;

    p->task(p->world, r->task);
    par_lock(&p->lock);
    p->slot[p->free++] = r->slot;
    par_wake_all(&p->ended);
    par_unlock(&p->lock);
}

// A slot whose thread has ended, or nearly.
static struct runner *take_runner(struct phase *p, struct runner *runners)
{
    par_lock(&p->lock);
    while (p->free == 0) {
        par_wait(&p->ended, &p->lock);
    }
    struct runner *r = &runners[p->slot[--p->free]];
    par_unlock(&p->lock);
    if (r->begun) {
        par_join(&r->thread);
        r->begun = false;
    }
    return r;
}

void phase_run(struct world *w, void (*task)(struct world *w, uint32_t i), uint32_t count)
{
    static struct runner runners[THREADS_MOST];
    static struct phase phase;
    struct phase *p = &phase;
    uint32_t threads = w->setup.threads;

    p->world = w;
    p->task = task;
    for (p->free = 0; p->free < threads; p->free++) {
        p->slot[p->free] = p->free;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (threads == 0) {
            task(w, i);
            continue;
        }
        struct runner *r = take_runner(p, runners);
        r->phase = p;
        r->task = i;
        r->slot = (uint32_t)(r - runners);
        r->begun = par_fork(&r->thread, run, r);
        if (!r->begun) {
            run(r);                      // here, then: not faster, but right
        }
    }
    for (uint32_t i = 0; i < threads; i++) {
        if (runners[i].begun) {
            par_join(&runners[i].thread);
            runners[i].begun = false;
        }
    }
}
