// allocator.c - claims for processors.  See allocator.h.
#include "allocator.h"
#include "supervisor.h"

enum { LOOKS = 256 };          // at threads in line, at most

static uint32_t min_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

// ---- the input of the policy ----------------------------------------------------------------------------------

static uint32_t count_list(const struct list *l, uint32_t most, uint32_t *looks, uint64_t *where)
{
    uint32_t count = 0;

    for (const struct list *n = l->next; n != l && count < most && *looks > 0; n = n->next, --*looks) {
        const struct thread *t = list_entry(n, struct thread, queue);
        count += t->act == ACT_NONE;
        *where |= t->level >= SHARE_WITHIN ? t->kern->within : ~t->kern->within;
    }
    return count;
}

// Threads that claim a processor each, by level, from the highest on: not more than there are processors count.
static void count_threads(struct instance *in)
{
    struct fair *f = &in->fair;
    uint32_t total = 0, looks = LOOKS;

    for (uint32_t i = 0; i < in->cpus; i++) {
        const struct cpu *c = &in->cpu[i];
        f->runs[i] = CPU_LEVELS;
        if (c->thread != NULL && c->thread->act == ACT_NONE) {
            f->runs[i] = (uint8_t)c->thread->level;
            f->threads[c->thread->level]++;
            f->levels |= 1ull << c->thread->level;
        }
        f->levels |= c->ready_mask;
    }
    for (uint64_t mask = f->levels; mask != 0 && total < in->cpus;) {
        uint32_t level = 63 - (uint32_t)__builtin_clzll(mask);
        mask &= ~(1ull << level);
        for (uint32_t i = 0; i < in->cpus; i++) {
            if (in->cpu[i].ready_mask >> level & 1) {
                f->threads[level] += count_list(&in->cpu[i].ready[level], in->cpus, &looks, &f->where[level]);
            }
        }
        total += f->threads[level];
    }
}

// What it asks for.  Something that waits to be told or to go on needs one, which the space has until it gives it back;
// and so does each handler.
static uint32_t wants(struct instance *in, const struct space *s)
{
    const struct claims *c = &s->claims;
    uint32_t wanted = min_of(load_relaxed(&c->user->wanted), in->cpus);

    if (s->o.state != OBJECT_LOADED) {
        return 0;
    }
    if (wanted == 0 && (c->count > 0 || !list_empty(&c->events) || !list_empty(&c->paused))) {
        wanted = 1;
    }
    if (wanted > c->count) {
        wanted = min_of(wanted, c->count + activation_spare(c, wanted - c->count));
        in->work += c->activations;
    }
    return min_of(wanted + c->handlers, in->cpus);
}

// Where its kernel is within its share, if that is anywhere.
static uint32_t level_of(const struct space *s)
{
    return (s->manager->within != 0 ? SHARE_WITHIN : 0) + min_of(s->claims.priority, s->manager->limits.max_priority);
}

// Has what the policy knows of this space changed?
static bool ask(struct instance *in, struct space *s)
{
    struct claims *c = &s->claims;
    uint32_t level = level_of(s), wanted = wants(in, s);
    bool other = level != c->level || wanted != c->wants;

    c->level = (uint8_t)level;
    c->wants = (uint8_t)wanted;
    c->changed &= (uint8_t)~LOOK_WANTS;
    in->work += WORK_ASK;
    return other;
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

// The one that matters least to its program; if `waited` is set, first those that have idle time only, then those for
// whose processor somebody waits, else one that can be interrupted, unless one is about to be.
static struct thread *least(struct instance *in, const struct space *s, bool waited)
{
    struct thread *best = NULL;
    uint64_t best_rank = 0;

    for (uint64_t mask = s->claims.holds; mask != 0; mask &= mask - 1) {
        struct cpu *c = &in->cpu[__builtin_ctzll(mask)];
        struct thread *t = running_on(c, s);
        if (t != NULL && !waited && t->upcall) {
            return NULL;
        }
        if (t == NULL || (!waited && activation_quiet(t))) {
            continue;
        }
        uint64_t rank = load_relaxed(&t->user->priority) | (uint64_t)(waited && c->ready_count == 0) << 32 |
                        (uint64_t)(waited && t->level >= SHARE_WITHIN) << 33;
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

// t, which runs, is to leave its processor: in a handler, when that goes back.
static void drop(struct cpu *cpu, struct thread *t)
{
    if (t == cpu->thread && t->depth == 0) {
        sched_leave(cpu);
        activation_dropped(cpu, t);
        return;
    }
    t->drop = t->upcall = t->due = true;
    t->home->claims.dropping++;
    if (t != cpu->thread) {
        sched_poke(cpu, &cpu->instance->cpu[t->cpu]);
    }
}

// One claim less, if that can be.
static bool take_back(struct cpu *cpu, struct space *s)
{
    struct thread *t = s->claims.entering != 0 ? ready_claim(s) : NULL;

    if (t != NULL) {
        activation_unclaim(cpu, t);
        return true;
    }
    t = least(cpu->instance, s, true);
    if (t == NULL) {
        return false;
    }
    drop(cpu, t);
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

static void adjust(struct cpu *cpu, struct space *s)
{
    struct claims *c = &s->claims;
    struct instance *in = cpu->instance;
    uint32_t target = c->gets - min_of(c->gets, c->handlers);

    if (c->stalled > 0) {
        target = min_of(target, c->count);
    }
    c->changed &= (uint8_t)~LOOK_CLAIMS;
    while (c->count - c->dropping != target) {
        if (!work_left(in)) {
            c->changed |= LOOK_CLAIMS;
            return;
        }
        in->work += c->activations + in->cpus;
        if (!(c->count - c->dropping < target ? add(cpu, s) : take_back(cpu, s))) {
            return;
        }
    }
}

// Events, and nobody about to tell them: interrupt one.
static void see_to_events(struct cpu *cpu, struct space *s)
{
    struct claims *c = &s->claims;

    if (c->entering != 0 || list_empty(&c->events) || !activation_has_slots(c, 2)) {
        return;
    }
    cpu->instance->work += cpu->instance->cpus;
    struct thread *t = least(cpu->instance, s, false);
    if (t != NULL) {
        t->upcall = t->due = true;
        sched_poke(cpu, &cpu->instance->cpu[t->cpu]);
    }
}

// A space that claims what it wants, and not more than it gets, gets no more and no less for an event.
void allocator_event(struct cpu *cpu, struct space *s)
{
    const struct claims *c = &s->claims;

    if (c->changed == 0 && c->count != 0 && load_relaxed(&c->user->wanted) <= c->count &&
        c->count - c->dropping + c->handlers <= c->gets && work_left(cpu->instance)) {
        see_to_events(cpu, s);
    } else {
        activation_look(s);
    }
}

// The policy's answer for each space.
static void share_out(struct cpu *cpu)
{
    struct instance *in = cpu->instance;
    struct claimant *all = in->claimant;
    uint32_t n = 0;

    in->fair = (struct fair){.processors = in->cpus};
    for (struct list *l = in->claimants.next; l != &in->claimants; l = l->next) {
        const struct claims *c = &space_of(l)->claims;
        uint64_t within = space_of(l)->manager->within;
        all[n++] = (struct claimant){.level = c->level, .wants = c->wants, .holds = c->holds,
                                     .space = space_of(l), .where = within != 0 ? within : UINT64_MAX};
    }
    count_threads(in);
    if (in->delegate.on) {
        delegate_run(cpu, n);
    } else {
        fair_share(&in->fair, all, n);
    }
    n = 0;
    for (struct list *l = in->claimants.next; l != &in->claimants; l = l->next, n++) {
        struct claims *c = &space_of(l)->claims;
        c->gets = (uint8_t)all[n].gets;
        c->changed |= LOOK_CLAIMS;
        store_relaxed(&c->page->helps, all[n].most - all[n].gets);
    }
    in->work += n * WORK_ASK;
}

// ---- where they run -------------------------------------------------------------------------------------------

// Where a processor that a space is to have, within its share, has only what is over its share, a claim comes from one
// that is not to be the space's.
static void put(struct cpu *cpu)
{
    struct instance *in = cpu->instance;
    const struct fair *f = &in->fair;

    for (uint64_t spare = in->spare; spare != 0; spare &= spare - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(spare);
        struct space *s = f->owner[i] != FAIR_NOBODY ? in->claimant[f->owner[i]].space : NULL;
        struct cpu *c = &in->cpu[i];
        bool lacks = s != NULL && s->manager->within >> i & 1 && running_level(c) < SHARE_WITHIN &&
                     highest(c->ready_mask) < SHARE_WITHIN;
        for (uint64_t mask = lacks ? s->claims.holds : 0; mask != 0; mask &= mask - 1) {
            uint32_t from = (uint32_t)__builtin_ctzll(mask);
            struct thread *old = f->owner[from] != f->owner[i] ? running_on(&in->cpu[from], s) : NULL;
            struct thread *t = old != NULL ? activation_claim(s) : NULL;
            if (t != NULL) {
                sched_place(t, i);
                sched_ready(cpu, t);
                drop(cpu, old);
                break;
            }
        }
        in->work += in->cpus;
    }
}

void allocator_run(struct cpu *cpu)
{
    struct instance *in = cpu->instance;
    bool all = (in->realloc & REALLOC_ALL) != 0, deal = all;

    in->realloc = 0;
    for (struct list *l = in->claimants.next; l != &in->claimants; l = l->next) {
        struct claims *c = &space_of(l)->claims;
        c->changed |= all ? LOOK_WANTS | LOOK_CLAIMS : 0;
        if (c->changed & LOOK_WANTS && in->work < WORK_ASKING) {
            deal = ask(in, space_of(l)) || deal;
        }
    }
    if (deal) {
        share_out(cpu);
    }
    for (struct list *l = in->claimants.next; l != &in->claimants; l = l->next) {
        const struct claims *c = &space_of(l)->claims;
        if (c->changed & LOOK_CLAIMS) {
            adjust(cpu, space_of(l));
            see_to_events(cpu, space_of(l));
        }
        in->realloc |= c->changed != 0 ? REALLOC_SPACES : 0;
        if (!work_left(in)) {            // the next step goes on behind this one
            in->realloc |= REALLOC_SPACES;
            list_remove(&in->claimants);
            list_insert_before(l->next, &in->claimants);
            return;
        }
    }
    if (deal) {
        put(cpu);
    }
}
