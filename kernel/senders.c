// senders.c - multi-mapping consistency.  See senders.h.
#include "supervisor.h"

// A sender sends no more.
static void stop(struct cpu *cpu, struct record *r)
{
    struct instance *in = cpu->instance;
    struct leaf leaf;
    va_t va;
    struct space *s = table_of_record(in, r, &va, &leaf);

    in->work += WORK_LOWER + WORK_FLUSH;
    uint32_t access = arch_pte_access(*leaf.pte);
    if (r->signal && !(access & MAP_REMOTE)) {
        mapping_change(cpu, s, va, &leaf, access & ~(uint32_t)MAP_WRITE);
    } else {
        mapping_evict_alone(cpu, s, va, &leaf);
    }
}

// Remote, and a receiver itself: it cannot lose its right to write, for it has none now.  So it goes, after all others.
static bool goes_last(struct instance *in, const struct record *r)
{
    struct leaf leaf;
    va_t va;

    return r->signal && table_of_record(in, r, &va, &leaf) != NULL && (arch_pte_access(*leaf.pte) & MAP_REMOTE);
}

// Stop the senders but the last ones, or all that are left.  False: the step ended before.
static bool stop_all(struct cpu *cpu, const struct record *receiver, bool last)
{
    struct instance *in = cpu->instance;
    uint64_t pfn = receiver->pfn;
    struct record *r = pmap_frame_first(in, pfn);
    bool some = false;

    for (struct record *next; r != NULL; r = next) {
        next = pmap_frame_next(in, r);                    // stop() takes r at most
        in->work++;
        if (!r->sends || r == receiver || (!last && goes_last(in, r))) {
            continue;
        }
        if (some && !work_left(in)) {                         // not before one has gone
            return false;
        }
        stop(cpu, r);
        some = true;
    }
    return true;
}

bool senders_flush(struct cpu *cpu, struct record *r)
{
    if (!r->signal) {
        return true;
    }
    r->leaving = 1;
    return stop_all(cpu, r, false) && stop_all(cpu, r, true);
}

bool senders_admit(struct cpu *cpu, uint64_t pfn)
{
    struct instance *in = cpu->instance;
    struct record *r = pmap_frame_first(in, pfn);

    while (r != NULL) {
        if (!r->leaving) {
            r = pmap_frame_next(in, r);
            continue;
        }
        if (!mapping_evict_record(cpu, r) || !work_left(in)) {
            return false;
        }
        r = pmap_frame_first(in, pfn);
    }
    return true;
}
