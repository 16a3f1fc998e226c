// delegate.c - the allocator's policy in the hands of a server.  See delegate.h.
#include "supervisor.h"

_Static_assert((uint32_t)ALLOCATION_CLAIMANTS == CLAIMANTS_MOST, "all claimants are in a question");

static struct allocation_question *question(const struct instance *in)
{
    return arch_phys(allocation_page(in->devices.base) + ABI_PAGE);
}

// Does each level use as many processors with the limits, in limit[].wants, as it would without?  Then it also does
// where threads take some of them first.
static bool fits(struct instance *in, struct claimant *c, uint32_t n)
{
    struct fair *with = &in->trial[0], *without = &in->trial[1];

    *with = (struct fair){.processors = in->cpus};
    memset(with->runs, CPU_LEVELS, sizeof(with->runs));
    *without = *with;
    fair_share(without, c, n);
    fair_share(with, in->limit, n);
    return memcmp(with->left, without->left, sizeof(with->left)) == 0;
}

// ---- asking ---------------------------------------------------------------------------------------------------

// The claimants with what the answer leaves of their wishes.  Gives whether they are as in the question.
static bool match(struct instance *in, uint32_t n)
{
    const struct delegate *d = &in->delegate;
    const struct claimant *all = in->claimant;
    struct claimant *limit = in->limit;
    bool same = n == d->count;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = all[i].space->claims.asked;
        const struct claimant *c = &d->claim[at];
        bool known = at < d->count && all[i].space->o.id == d->space[at];
        same = same && known && c->level == all[i].level && c->wants == all[i].wants;
        limit[i] = all[i];
        if (known && d->holds && d->most[at] < limit[i].wants) {
            limit[i].wants = d->most[at];
        }
    }
    return same;
}

static void ask(struct cpu *cpu, uint32_t n)
{
    struct instance *in = cpu->instance;
    struct delegate *d = &in->delegate;
    struct allocation_question *q = question(in);

    store_relaxed(&q->number, d->number + 1);
    fence_full();                                    // a reader that sees what follows sees this, too
    for (uint32_t i = 0; i < n; i++) {
        const struct claimant *c = &in->claimant[i];
        struct space *s = c->space;
        s->claims.asked = (uint8_t)i;
        d->space[i] = s->o.id;
        d->claim[i] = (struct claimant){.level = c->level, .wants = c->wants, .where = c->where};
        d->most[i] = in->limit[i].wants;
        q->claimant[i] = (struct allocation_claimant){s->o.id, s->manager->cookie, c->level, c->wants,
                                                      s->claims.held, 0};
    }
    q->asked = d->asked;
    q->count = d->count = n;
    d->number += 2;
    store_release(&q->number, d->number);            // pairs with the reader
    d->open = true;
    d->on = signal_raise(cpu, arch_pa(q) >> ABI_PAGE_SHIFT, 0) != 0;
}

void delegate_run(struct cpu *cpu, uint32_t n)
{
    struct instance *in = cpu->instance;
    struct delegate *d = &in->delegate;
    struct claimant *all = in->claimant;
    bool same = match(in, n);
    uint64_t now = arch_now(), patience = ALLOCATION_PATIENCE * in->slice,
             pause = same ? ALLOCATION_AGAIN * in->slice : in->slice / 4;

    if (d->open && now - d->asked >= patience) {
        d->open = d->holds = false;
        question(in)->late++;
    }
    if (!d->open && now - d->asked >= pause) {
        d->asked = now;
        ask(cpu, n);
    }
    device_alarm(cpu, ALLOCATION_PAGE / 2, d->asked + (d->open ? patience : pause));
    bool good = d->on && d->holds && fits(in, all, n);
    fair_share(&in->fair, all, n);
    if (good) {
        fair_share(&in->fair, in->limit, n);
        for (uint32_t i = 0; i < n; i++) {
            all[i].gets = in->limit[i].gets;
            all[i].most = all[i].most < all[i].gets ? all[i].gets : all[i].most;
        }
    }
}

// ---- answers --------------------------------------------------------------------------------------------------

static bool accept(struct instance *in, const struct allocation_answer *a)
{
    struct delegate *d = &in->delegate;
    struct claimant *limit = in->limit;
    uint32_t sum = 0;

    if (load_relaxed(&a->count) != d->count) {
        return false;
    }
    for (uint32_t i = 0; i < d->count; sum += limit[i++].wants) {
        limit[i] = d->claim[i];
        limit[i].wants = load_relaxed(&a->claimant[i].processors);
        if (load_relaxed(&a->claimant[i].space) != d->space[i] || limit[i].wants > d->claim[i].wants) {
            return false;
        }
    }
    if (sum > in->cpus || !fits(in, d->claim, d->count)) {
        return false;
    }
    for (uint32_t i = 0; i < d->count; i++) {
        d->most[i] = limit[i].wants;
    }
    return true;
}

err_t delegate_answer(struct cpu *cpu)
{
    struct instance *in = cpu->instance;
    struct delegate *d = &in->delegate;
    const struct allocation_answer *a = arch_phys(allocation_page(in->devices.base));
    uint64_t number = load_relaxed(&a->number);

    in->realloc |= REALLOC_ALL;
    cpu->resched = true;
    if (number <= ALLOCATION_BEGIN) {
        *d = (struct delegate){.on = number == ALLOCATION_BEGIN, .number = d->number,
                               .asked = arch_now() - ALLOCATION_AGAIN * in->slice};
        return ERR_OK;
    }
    if (!d->on || number != d->number || !accept(in, a)) {
        question(in)->refused++;
        return ERR_INVAL;
    }
    d->open = false;
    d->holds = true;
    question(in)->answers++;
    return ERR_OK;
}
