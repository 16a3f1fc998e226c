// plan.c - what the policy says at a moment.  See plan.h.
#include "plan.h"

#include <base.h>

static bool is_now(const struct policy_phase *f, uint64_t now)
{
    return f->from <= now && now < f->until;
}

static bool kept_out(const struct plan *p, unsigned kernel, uint64_t now)
{
    for (unsigned i = 0; i < p->policy->phases; i++) {
        const struct policy_phase *f = &p->policy->phase[i];
        if (f->kind == PHASE_OUT && f->kernel == kernel && is_now(f, now)) {
            return true;
        }
    }
    return false;
}

static bool may_have_turn(const struct plan *p, unsigned kernel, unsigned turns, uint64_t now)
{
    return p->policy->kernel[kernel].turns == turns + 1 && !p->ended[kernel] && !kept_out(p, kernel, now);
}

// The next kernel that may have the turn after `from`, perhaps `from` itself; POLICY_KERNELS if there is none.
static unsigned next_holder(const struct plan *p, unsigned turns, unsigned from, uint64_t now)
{
    unsigned count = p->policy->count;

    for (unsigned i = 1; i <= count; i++) {
        if (may_have_turn(p, (from + i) % count, turns, now)) {
            return (from + i) % count;
        }
    }
    return POLICY_KERNELS;
}

static void pass_on(struct plan *p, unsigned turns, uint64_t now)
{
    struct plan_turn *t = &p->turn[turns];
    unsigned next = next_holder(p, turns, t->holder, now);

    if (next == t->holder) {
        t->until = now + p->policy->each[turns];     // alone: it has another one
    } else if (next != POLICY_KERNELS) {
        *t = (struct plan_turn){.holder = next, .until = POLICY_FOREVER, .count = t->count + 1};
    }
}

void plan_start(struct plan *p, const struct policy *policy)
{
    *p = (struct plan){.policy = policy};
    for (unsigned turns = 0; turns < policy->turns; turns++) {
        p->turn[turns].holder = policy->count - 1;
        p->turn[turns].until = POLICY_FOREVER;
        unsigned first = next_holder(p, turns, policy->count - 1, 0);
        if (first != POLICY_KERNELS) {
            p->turn[turns].holder = first;
            p->turn[turns].count = 1;
        }
    }
}

void plan_swapped_in(struct plan *p, unsigned kernel, uint64_t now)
{
    unsigned turns = p->policy->kernel[kernel].turns;

    if (turns != 0 && p->turn[turns - 1].holder == kernel) {
        p->turn[turns - 1].until = now + p->policy->each[turns - 1];
    }
}

void plan_ended(struct plan *p, unsigned kernel)
{
    p->ended[kernel] = true;
}

void plan_advance(struct plan *p, uint64_t now)
{
    for (unsigned turns = 0; turns < p->policy->turns; turns++) {
        if (p->turn[turns].until <= now || !may_have_turn(p, p->turn[turns].holder, turns, now)) {
            pass_on(p, turns, now);
        }
    }
}

struct plan_state plan_state(const struct plan *p, unsigned kernel, uint64_t now)
{
    const struct policy_kernel *k = &p->policy->kernel[kernel];
    struct plan_state s = {
        .in = (k->turns == 0 || p->turn[k->turns - 1].holder == kernel) && !kept_out(p, kernel, now),
        .share = k->share, .priority = k->priority,
    };

    for (unsigned i = 0; i < p->policy->phases; i++) {
        const struct policy_phase *f = &p->policy->phase[i];
        if (f->kernel != kernel || !is_now(f, now)) {
            continue;
        }
        s.end = s.end || f->kind == PHASE_END;
        s.share = f->share != POLICY_UNSAID ? f->share : s.share;
        s.priority = f->priority != POLICY_UNSAID ? f->priority : s.priority;
        s.memory = f->memory != 0 ? f->memory : s.memory;
        s.memory_until = f->memory != 0 ? f->until : s.memory_until;
    }
    return s;
}

static uint64_t sooner(uint64_t when, uint64_t now, uint64_t best)
{
    return when > now && when < best ? when : best;
}

uint64_t plan_next(const struct plan *p, uint64_t now)
{
    uint64_t best = POLICY_FOREVER;

    for (unsigned turns = 0; turns < p->policy->turns; turns++) {
        best = sooner(p->turn[turns].until, now, best);
    }
    for (unsigned i = 0; i < p->policy->phases; i++) {
        if (!p->ended[p->policy->phase[i].kernel]) {
            best = sooner(p->policy->phase[i].from, now, best);
            best = sooner(p->policy->phase[i].until, now, best);
        }
    }
    return best;
}

unsigned plan_together(const struct policy *policy)
{
    unsigned in = policy->turns;

    for (unsigned i = 0; i < policy->count; i++) {
        in += policy->kernel[i].turns == 0;
    }
    return in;
}
