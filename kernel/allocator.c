// allocator.c - claims for processors.  See allocator.h.
#include "allocator.h"

#include "atomic.h"
#include "fair.h"
#include "instance.h"
#include "sched.h"
#include "share.h"
#include "upcall.h"

static uint32_t min_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

// ---- the input of the policy ----------------------------------------------------------------------------------

static void count_list(const struct list *l, uint32_t most, uint32_t *count)
{
    for (const struct list *n = l->next; n != l && *count < most; n = n->next) {
        *count += list_entry(n, struct thread, queue)->act == ACT_NONE;
    }
}

// Threads that claim a processor each, by level: not more than there are processors count.  Gives the levels that may
// have some.
static uint64_t count_threads(struct instance *in, uint32_t threads[CPU_LEVELS])
{
    uint64_t levels = 0;

    for (uint32_t i = 0; i < in->cpus; i++) {
        struct cpu *c = &in->cpu[i];
        if (c->thread != NULL && c->thread->act == ACT_NONE) {
            threads[c->thread->level]++;
            levels |= 1ull << c->thread->level;
        }
        levels |= c->ready_mask;
        for (uint64_t mask = c->ready_mask; mask != 0; mask &= mask - 1) {
            uint32_t level = (uint32_t)__builtin_ctzll(mask);
            count_list(&c->ready[level], in->cpus, &threads[level]);
        }
    }
    return levels;
}

// What it asks for.  Something that waits to be told or to go on needs one, which the space has until it gives it back;
// and so does each handler.
static uint32_t wants(const struct instance *in, const struct space *s)
{
    const struct claims *c = &s->claims;
    uint32_t wanted = min_of(load_relaxed(&c->user->wanted), in->cpus);

    if (s->o.state != OBJECT_LOADED) {
        return 0;
    }
    if (wanted == 0 && (c->count > 0 || !list_empty(&c->events) || !list_empty(&c->paused))) {
        wanted = 1;
    }
    return min_of(wanted, c->count + activation_spare(c, wanted)) + c->handlers;
}

// Within its kernel's share somewhere is within.
static uint32_t level_of(const struct instance *in, const struct space *s)
{
    const struct appkernel *k = s->manager;
    uint32_t base = 0;

    for (uint32_t i = 0; i < in->cpus && base == 0; i++) {
        base = k->share[i].base;
    }
    return base + min_of(s->claims.priority, k->limits.max_priority);
}

static struct space *space_of(struct list *n)
{
    return list_entry(n, struct space, claims.link);
}

// ---- taking back ----------------------------------------------------------------------------------------------

// The space's thread that runs on a processor, which may be taken from there or interrupted.
static struct thread *running_on(struct cpu *c, const struct space *s)
{
    struct thread *t = c->thread;
    return t != NULL && t->home == s && t->act == ACT_CLAIM && !t->drop ? t : NULL;
}

// The one that matters least to its program; if `waited` is set, first those for whose processor somebody waits, else
// one that can be interrupted.
static struct thread *least(struct instance *in, const struct space *s, bool waited)
{
    struct thread *best = NULL;
    uint64_t best_rank = 0;

    for (uint64_t mask = s->claims.holds; mask != 0; mask &= mask - 1) {
        struct cpu *c = &in->cpu[__builtin_ctzll(mask)];
        struct thread *t = running_on(c, s);
        if (t == NULL || (!waited && activation_quiet(t))) {
            continue;
        }
        uint64_t rank = load_relaxed(&activation_user(t)->priority) | (uint64_t)(waited && c->ready_count == 0) << 32;
        if (best == NULL || rank < best_rank) {
            best = t;
            best_rank = rank;
        }
    }
    return best;
}

static struct thread *ready_claim(struct space *s)
{
    for (struct list *n = s->threads.next; n != &s->threads; n = n->next) {
        struct thread *t = list_entry(n, struct thread, sibling);
        if (t->act == ACT_CLAIM && t->status == THREAD_READY) {
            return t;
        }
    }
    return NULL;
}

// One claim less, if that can be.
static bool take_back(struct cpu *cpu, struct space *s)
{
    struct thread *t = ready_claim(s);

    if (t != NULL) {
        activation_unclaim(cpu, t);
        return true;
    }
    t = least(cpu->instance, s, true);
    if (t == NULL) {
        return false;
    }
    if (t == cpu->thread) {
        sched_leave(cpu);
        activation_dropped(cpu, t);
        return true;
    }
    t->drop = true;
    s->claims.dropping++;
    sched_poke(cpu, &cpu->instance->cpu[t->cpu]);
    return true;
}

// One that has been told to leave its processor, and has not yet, may stay.
static bool keep(struct instance *in, struct space *s)
{
    for (uint64_t mask = s->claims.holds; s->claims.dropping > 0 && mask != 0; mask &= mask - 1) {
        struct thread *t = in->cpu[__builtin_ctzll(mask)].thread;
        if (t != NULL && t->home == s && t->drop) {
            t->drop = false;
            s->claims.dropping--;
            return true;
        }
    }
    return false;
}

static bool add(struct cpu *cpu, struct space *s)
{
    if (keep(cpu->instance, s)) {
        return true;
    }
    struct thread *t = activation_claim(s);
    if (t != NULL) {
        sched_ready(cpu, t);
    }
    return t != NULL;
}

// ---- the shares -----------------------------------------------------------------------------------------------

static void adjust(struct cpu *cpu, struct space *s, uint32_t target)
{
    struct claims *c = &s->claims;

    target -= min_of(target, c->handlers);
    if (c->stalled > 0) {
        target = min_of(target, c->count);
    }
    c->target = target;
    while (c->count - c->dropping < target && add(cpu, s)) {
    }
    while (c->count - c->dropping > target && take_back(cpu, s)) {
    }
}

// Events, and nobody about to tell them: interrupt one.
static void see_to_events(struct cpu *cpu, struct space *s)
{
    struct claims *c = &s->claims;

    if (list_empty(&c->events) || activation_slots(c) < 2 || ready_claim(s) != NULL) {
        return;
    }
    for (uint64_t mask = c->holds; mask != 0; mask &= mask - 1) {
        struct thread *t = running_on(&cpu->instance->cpu[__builtin_ctzll(mask)], s);
        if (t != NULL && t->upcall) {
            return;
        }
    }
    struct thread *t = least(cpu->instance, s, false);
    if (t != NULL) {
        t->upcall = t->due = true;
        sched_poke(cpu, &cpu->instance->cpu[t->cpu]);
    }
}

// How many more would it get if it wanted all?
static uint32_t helps(const struct instance *in, uint64_t levels, const uint32_t *threads, struct claimant *all,
                      uint32_t n, uint32_t i)
{
    uint32_t wanted = all[i].wants, got = all[i].gets, more;

    if (wanted >= in->cpus) {
        return 0;
    }
    all[i].wants = in->cpus;
    fair_share(in->cpus, levels, threads, all, n);
    more = all[i].gets - min_of(got, all[i].gets);
    all[i].wants = wanted;
    return more;
}

void allocator_run(struct cpu *cpu)
{
    struct instance *in = cpu->instance;
    struct claimant all[CLAIMANTS_MOST];
    uint32_t threads[CPU_LEVELS] = {0}, target[CLAIMANTS_MOST], n = 0;

    in->realloc = false;
    for (struct list *l = in->claimants.next; l != &in->claimants; l = l->next) {
        all[n++] = (struct claimant){.level = level_of(in, space_of(l)), .wants = wants(in, space_of(l))};
    }
    uint64_t levels = count_threads(in, threads);
    fair_share(in->cpus, levels, threads, all, n);
    for (uint32_t i = 0; i < n; i++) {
        target[i] = all[i].gets;
    }
    n = 0;
    for (struct list *l = in->claimants.next; l != &in->claimants; l = l->next, n++) {
        adjust(cpu, space_of(l), target[n]);
        see_to_events(cpu, space_of(l));
    }
    n = 0;
    for (struct list *l = in->claimants.next; l != &in->claimants; l = l->next, n++) {
        all[n].gets = target[n];
        store_relaxed(&space_of(l)->claims.page->helps, helps(in, levels, threads, all, in->nclaimants, n));
    }
}
