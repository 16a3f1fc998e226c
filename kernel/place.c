// place.c - which processor for which thread.  See place.h.
#include "supervisor.h"

// How far t would be above what runs on c: it runs at once if this is positive.
static int lead_on(const struct cpu *c, const struct thread *t)
{
    return (int)level_on(c, t) - running_level(c);
}

struct cpu *place_for(struct cpu *cpu, struct thread *t)
{
    struct instance *in = cpu->instance;
    struct cpu *home = &in->cpu[t->cpu], *best = NULL;
    int home_lead, best_lead = 0;

    if (in->cpus == 1) {
        return home;
    }
    home_lead = lead_on(home, t);
    if (may_run(t, t->cpu) && home_lead > 0 && home->ready_count == 0) {
        return home;
    }
    for (uint32_t i = 0; i < in->cpus; i++) {
        struct cpu *c = &in->cpu[i];
        if (!may_run(t, i)) {
            continue;
        }
        int lead = lead_on(c, t);
        if (best == NULL || lead > best_lead || (lead == best_lead && c->ready_count < best->ready_count)) {
            best = c;
            best_lead = lead;
        }
    }
    if (best_lead <= 0 && home_lead == best_lead && may_run(t, t->cpu) && home->ready_count <= best->ready_count) {
        return home;
    }
    return best;
}

// The first thread of a list that may run on c and would have a level there above `above`.
static struct thread *first_above(struct list *l, const struct cpu *c, int above)
{
    for (struct list *n = l->next; n != l; n = n->next) {
        struct thread *t = list_entry(n, struct thread, queue);
        if (may_run(t, c->number) && (int)level_on(c, t) > above) {
            return t;
        }
    }
    return NULL;
}

// Is there a thread on cpu's ready lists for c, which idles, or runs what only idle time is for?
static bool has_for(struct cpu *cpu, const struct cpu *c)
{
    int above = c->thread == NULL ? -1 : SHARE_WITHIN - 1;

    for (uint64_t mask = cpu->ready_mask; mask != 0; mask &= mask - 1) {
        if (first_above(&cpu->ready[__builtin_ctzll(mask)], c, above) != NULL) {
            return true;
        }
    }
    return false;
}

void place_offer(struct cpu *cpu)
{
    struct instance *in = cpu->instance;

    for (uint64_t mask = in->spare & ~(1ull << cpu->number); mask != 0; mask &= mask - 1) {
        struct cpu *c = &in->cpu[__builtin_ctzll(mask)];
        if (load_relaxed(&c->request) == 0 && has_for(cpu, c)) {
            sched_poke(cpu, c);
        }
    }
}

struct thread *place_steal(struct cpu *cpu, int above)
{
    struct instance *in = cpu->instance;
    struct thread *best = NULL;

    for (uint32_t i = 1; i < in->cpus; i++) {
        struct cpu *other = &in->cpu[(cpu->number + i) % in->cpus];
        for (uint64_t mask = other->ready_mask; mask != 0;) {
            int level = highest(mask);
            mask &= ~(1ull << level);
            for (struct thread *t; (t = first_above(&other->ready[level], cpu, above)) != NULL;) {
                best = t;                // of one list some may be within their share here
                above = (int)level_on(cpu, t);
            }
        }
    }
    return best;
}
