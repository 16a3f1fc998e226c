// quota.c - checking and setting the limits of a kernel.  See quota.h.
#include "supervisor.h"

static const uint64_t PROMISE_MORE = 1, PROMISE_LESS = -1ull;

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// A maximum leaves room for the minimum, and for what cannot be evicted beside one that can.
static bool range_ok(const struct kernel_range *r, uint64_t floor)
{
    return r->most == 0 || (r->most >= r->least && r->most >= floor);
}

static bool are_limits(const struct instance *in, const struct kernel_limits *l)
{
    const struct kernel_range *none = &l->range[0], *kernels = &l->range[OBJECT_KERNEL];

    return l->max_priority < ABI_PRIORITIES && (none->least | none->most | kernels->least | kernels->most) == 0 &&
           range_ok(&l->range[OBJECT_SPACE], (uint64_t)l->locked_spaces + SLACK_SPACES) &&
           range_ok(&l->range[OBJECT_THREAD], (uint64_t)l->locked_threads + SLACK_THREADS) &&
           range_ok(&l->range[OBJECT_MAPPING], (uint64_t)SLACK_MAPPINGS * in->cpus);
}

// What these limits promise comes to what is promised already, or leaves it.  What it locks is a part of what a kernel
// is sure of; locked mappings are on top.
static inline __attribute__((always_inline)) void add(struct promises *p, const struct kernel_limits *l,
                                                       uint64_t sign)
{
    p->spaces += sign * max_of(l->range[OBJECT_SPACE].least, l->locked_spaces);
    p->threads += sign * max_of(l->range[OBJECT_THREAD].least, l->locked_threads);
    p->mappings += sign * l->range[OBJECT_MAPPING].least;
    p->locked += sign * l->locked_mappings;
}

err_t quota_check(const struct instance *in, const struct appkernel *k, const struct kernel_limits *l)
{
    struct promises s = in->promises;

    if (!are_limits(in, l)) {
        return ERR_INVAL;
    }
    if (k != NULL) {
        add(&s, &k->limits, PROMISE_LESS);
    }
    add(&s, l, PROMISE_MORE);
    bool fits = s.spaces + SLACK_SPACES <= in->spaces.size && s.threads + SLACK_THREADS <= in->threads.size &&
                s.mappings + (uint64_t)SLACK_MAPPINGS * in->cpus <= in->nrecords && s.locked <= in->nlocked;
    bool keeps = k == NULL || (l->locked_spaces >= k->locked_spaces && l->locked_threads >= k->locked_threads &&
                               l->locked_mappings >= k->held[HELD_LOCKED]);
    return fits && keeps ? ERR_OK : ERR_LIMIT;
}

void quota_set(struct instance *in, struct appkernel *k, const struct kernel_limits *l)
{
    add(&in->promises, &k->limits, PROMISE_LESS);
    k->limits = *l;
    for (uint32_t type = OBJECT_SPACE; type <= OBJECT_MAPPING; type++) {
        struct kernel_range *r = &k->limits.range[type];
        r->most = r->most == 0 ? UINT32_MAX : r->most;
    }
    add(&in->promises, l, PROMISE_MORE);
}

void quota_clear(struct instance *in, struct appkernel *k)
{
    add(&in->promises, &k->limits, PROMISE_LESS);
}

err_t quota_change(struct cpu *cpu, struct appkernel *k, const struct kernel_limits *l)
{
    struct instance *in = cpu->instance;

    if (l->max_priority < k->limits.max_priority) {
        k->lower_from = 0;
    }
    quota_set(in, k, l);
    for (; k->lower_from < in->threads.size && work_left(in); k->lower_from++) {
        struct thread *t = thread_at(in, k->lower_from);
        in->work++;
        if (t->o.state == OBJECT_LOADED && t->owner == k && t->priority > l->max_priority) {
            in->work += WORK_THREAD;
            sched_set_priority(cpu, t, l->max_priority);
        }
    }
    return k->lower_from < in->threads.size ? (err_t)ERR_RESTART : ERR_OK;
}
