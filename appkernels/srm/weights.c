// weights.c - processors in proportion to the weights of application kernels.  See weights.h.
#include "weights.h"

#include <base.h>

#define ONE 65536ll                                  // a processor
#define MOST_CREDIT (2 * ONE)

// The division on one level.
struct share {
    uint32_t wants, gets;                            // processors of a kernel
    int64_t  part;                                   // what it should have, in parts of a processor
};

void weights_start(struct weights *w, const struct policy *policy, uint64_t quantum)
{
    *w = (struct weights){.quantum = quantum};
    for (unsigned k = 0; k < WEIGHTS_OWNERS; k++) {
        w->weight[k] = k < policy->count && policy->kernel[k].weight != 0 ? (uint32_t)policy->kernel[k].weight : 1;
    }
}

// The last decision has held until now.
static void settle(struct weights *w, uint64_t now)
{
    uint64_t held = now - w->asked < w->quantum ? now - w->asked : w->quantum;

    for (unsigned k = 0; k < WEIGHTS_OWNERS; k++) {
        int64_t credit = w->credit[k] + w->owed[k] * (int64_t)held / (int64_t)w->quantum;
        credit = credit > MOST_CREDIT ? MOST_CREDIT : credit;
        w->credit[k] = credit < -MOST_CREDIT ? -MOST_CREDIT : credit;
        w->owed[k] = 0;
    }
    w->asked = now;
}

// Each has its part by weight; who wants less than that leaves the rest to the others.
static void set_parts(const struct weights *w, struct share *s, uint32_t processors)
{
    uint64_t left = processors, weight = 0;
    bool full[WEIGHTS_OWNERS], again = true;

    for (unsigned k = 0; k < WEIGHTS_OWNERS; k++) {
        full[k] = s[k].wants == 0;
        weight += full[k] ? 0 : w->weight[k];
    }
    while (again) {
        again = false;
        for (unsigned k = 0; k < WEIGHTS_OWNERS; k++) {
            if (!full[k] && s[k].wants * weight <= left * w->weight[k]) {
                full[k] = again = true;
                s[k].part = s[k].wants * ONE;
                left -= s[k].wants;
                weight -= w->weight[k];
            }
        }
    }
    for (unsigned k = 0; k < WEIGHTS_OWNERS; k++) {
        s[k].part = full[k] ? s[k].part : (int64_t)(left * ONE * w->weight[k] / weight);
    }
}

// Whole processors, one by one to whom most is missing.  Gives how many.
static uint32_t deal(struct weights *w, struct share *s, uint32_t processors)
{
    for (uint32_t dealt = 0; dealt < processors; dealt++) {
        unsigned best = WEIGHTS_OWNERS;
        int64_t most = 0;
        for (unsigned k = 0; k < WEIGHTS_OWNERS; k++) {
            int64_t misses = s[k].part + w->credit[k] - s[k].gets * ONE;
            if (s[k].gets < s[k].wants && (best == WEIGHTS_OWNERS || misses > most)) {
                best = k;
                most = misses;
            }
        }
        if (best == WEIGHTS_OWNERS) {
            return dealt;
        }
        s[best].gets++;
    }
    return processors;
}

// What a kernel has on this level goes to its spaces there, by turns.
static void spread(uint32_t turn, const struct allocation_question *q, const unsigned *owner, unsigned kernel,
                   uint32_t level, uint32_t processors, uint32_t *gets)
{
    uint32_t space[ALLOCATION_CLAIMANTS], n = 0;

    for (uint32_t i = 0; i < q->count; i++) {
        if (owner[i] == kernel && q->claimant[i].level == level && q->claimant[i].wants > 0) {
            space[n++] = i;
        }
    }
    for (uint32_t at = 0; processors > 0; at++) {
        uint32_t i = space[(turn + at) % n];
        if (gets[i] < q->claimant[i].wants) {
            gets[i]++;
            processors--;
        }
    }
}

static uint32_t divide_level(struct weights *w, const struct allocation_question *q, const unsigned *owner,
                             uint32_t level, uint32_t processors, uint32_t *gets)
{
    struct share s[WEIGHTS_OWNERS] = {0};

    for (uint32_t i = 0; i < q->count; i++) {
        s[owner[i]].wants += q->claimant[i].level == level ? q->claimant[i].wants : 0;
    }
    set_parts(w, s, processors);
    uint32_t dealt = deal(w, s, processors);
    for (unsigned k = 0; k < WEIGHTS_OWNERS; k++) {
        w->owed[k] += s[k].part - s[k].gets * ONE;
        spread(w->turn, q, owner, k, level, s[k].gets, gets);
    }
    return dealt;
}

void weights_divide(struct weights *w, const struct allocation_question *q, const unsigned *owner, uint32_t processors,
                    uint32_t *gets)
{
    uint64_t levels = 0;
    uint32_t left = processors;

    settle(w, q->asked);
    for (uint32_t i = 0; i < q->count; i++) {
        gets[i] = 0;
        levels |= 1ull << q->claimant[i].level;
    }
    for (uint32_t level = 64; level-- > 0 && left > 0;) {
        if (levels >> level & 1) {
            left -= divide_level(w, q, owner, level, left, gets);
        }
    }
    w->turn++;
}
