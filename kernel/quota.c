// quota.c - checking and setting the limits of a kernel.  See quota.h.
#include "quota.h"

#include "instance.h"
#include "sched.h"

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

struct sums {
    uint64_t spaces, threads, mappings, locked;
};

// What it locks is a part of what it is sure of; locked mappings are on top.
static void add(struct sums *s, const struct kernel_limits *l)
{
    s->spaces += max_of(l->range[OBJECT_SPACE].least, l->locked_spaces);
    s->threads += max_of(l->range[OBJECT_THREAD].least, l->locked_threads);
    s->mappings += l->range[OBJECT_MAPPING].least;
    s->locked += l->locked_mappings;
}

err_t quota_check(const struct instance *in, const struct appkernel *k, const struct kernel_limits *l)
{
    struct sums s = {0};

    if (!are_limits(in, l)) {
        return ERR_INVAL;
    }
    add(&s, l);
    for (uint32_t i = 0; i < in->kernels.size; i++) {
        const struct appkernel *other = kernel_at((struct instance *)in, i);
        if (other != k && other->o.state != OBJECT_FREE) {
            add(&s, &other->limits);
        }
    }
    bool fits = s.spaces + SLACK_SPACES <= in->spaces.size && s.threads + SLACK_THREADS <= in->threads.size &&
                s.mappings + (uint64_t)SLACK_MAPPINGS * in->cpus <= in->nrecords && s.locked <= in->nlocked;
    bool keeps = k == NULL || (l->locked_spaces >= k->locked_spaces && l->locked_threads >= k->locked_threads &&
                               l->locked_mappings >= k->held[HELD_LOCKED]);
    return fits && keeps ? ERR_OK : ERR_LIMIT;
}

void quota_set(struct appkernel *k, const struct kernel_limits *l)
{
    k->limits = *l;
    for (uint32_t type = OBJECT_SPACE; type <= OBJECT_MAPPING; type++) {
        struct kernel_range *r = &k->limits.range[type];
        r->most = r->most == 0 ? UINT32_MAX : r->most;
    }
}

void quota_change(struct cpu *cpu, struct appkernel *k, const struct kernel_limits *l)
{
    bool lower = l->max_priority < k->limits.max_priority;

    quota_set(k, l);
    for (uint32_t i = 0; lower && i < cpu->instance->threads.size; i++) {
        struct thread *t = thread_at(cpu->instance, i);
        if (t->o.state == OBJECT_LOADED && t->owner == k && t->priority > l->max_priority) {
            sched_set_priority(cpu, t, l->max_priority);
        }
    }
}
