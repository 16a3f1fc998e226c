// share.c - how much of each processor a kernel may use: charging, running out, coming back.  See share.h.
#include "supervisor.h"

enum { FRACTION = 32, COARSE = 16 };     // binary digits: of a rate, and of one that is divided by

// What a tick at this priority costs, in 1/32: 16 at priority 0, 32 at the middle one, 47 at the highest.
static uint64_t weight(uint32_t priority)
{
    return SHARE_MIDDLE + priority;
}

static bool limited(const struct share *s)
{
    return s->percent < 100;
}

// a is later than b, though the clock may have been younger than what is taken from it.
static bool later(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) > 0;
}

// ---- from one state to the other --------------------------------------------------------------------------

static uint64_t return_time(const struct cpu *c, const struct share *s)
{
    return s->paid + SHARE_RETURN * c->instance->slice;
}

static void set_base(struct cpu *c, struct share *s, uint32_t base)
{
    if (s->base != base) {
        s->base = base;
        s->usage->over = base == 0;
        s->kern->within ^= 1ull << c->number;
        sched_regroup(c, s->kern);
    }
}

// The list is in order of return times; a new one is nearly always the last.
static void go_over(struct cpu *c, struct share *s)
{
    struct list *at = c->over.prev;

    while (at != &c->over && later(list_entry(at, struct share, link)->paid, s->paid)) {
        at = at->prev;
    }
    list_insert_before(at->next, &s->link);
    set_base(c, s, 0);
}

void share_renew(struct cpu *c, uint64_t now)
{
    while (!list_empty(&c->over)) {
        struct share *s = list_entry(c->over.next, struct share, link);
        if (later(return_time(c, s), now)) {
            break;
        }
        if (c->thread != NULL && c->thread->share == s) {
            share_charge(c, c->thread, now);     // that was free
        }
        list_remove(&s->link);
        set_base(c, s, SHARE_WITHIN);
    }
}

// ---- charging ---------------------------------------------------------------------------------------------

// The kernel's clock stays near the real one.
void share_pay(struct cpu *c, struct thread *t, uint64_t ran, uint64_t now)
{
    struct share *s = t->share;
    uint64_t w = weight(t->priority);

    if (!limited(s) || (int64_t)ran <= 0) {
        return;
    }
    if (s->base == 0) {
        s->usage->spare += ran;
        return;
    }
    s->usage->charged += ran * w / (2 * SHARE_MIDDLE);
    uint64_t earliest = now - ran - s->burst, latest = now + s->burst;

    if (later(earliest, s->paid)) {
        s->paid = earliest;
    }
    unsigned __int128 cost = (unsigned __int128)ran * (s->rate * w) >> FRACTION;
    s->paid = cost > latest - s->paid ? latest : s->paid + (uint64_t)cost;
    if (!later(now, s->paid + (c->instance->slice >> 8))) {      // the timer is not more exact
        go_over(c, s);
        sched_place(t, c->number);
    }
}

// The running thread's kernel has `credit` of its clock left; each tick costs more, but also is one more.
static uint64_t end_of_share(struct cpu *c, const struct share *s, uint64_t now)
{
    uint64_t rate = s->rate * weight(c->thread->priority) >> (FRACTION - COARSE);

    if (rate <= 1 << COARSE) {
        return 0;                        // so cheap that it never ends
    }
    uint64_t credit = later(now, s->paid) ? now - s->paid : 0;
    credit = credit < s->burst ? credit : s->burst;
    return now + 1 + (credit << COARSE) / (rate - (1 << COARSE));
}

uint64_t share_next(struct cpu *c, uint64_t now)
{
    const struct share *s = c->thread->share;
    uint64_t when = limited(s) && s->base != 0 ? end_of_share(c, s, now) : 0;

    if (!list_empty(&c->over)) {
        uint64_t back = return_time(c, list_entry(c->over.next, struct share, link));
        when = when == 0 || later(when, back) ? back : when;
    }
    return when;
}

// ---- setting ----------------------------------------------------------------------------------------------

static void set_percent(struct cpu *c, struct share *s, uint32_t percent)
{
    uint32_t all = percent == 0 ? 0 : SHARE_RETURN * 100 / percent;      // slices that have SHARE_RETURN for it

    c->limits += (percent < 100u) - limited(s);
    s->percent = (uint8_t)percent;
    s->rate = percent == 0 ? 0 : (100ull << FRACTION) / (2 * SHARE_MIDDLE * percent);
    s->burst = (all > SHARE_BURST ? all : SHARE_BURST) * c->instance->slice;
    s->usage->share = percent;
}

void share_set(struct cpu *cpu, struct cpu *c, struct appkernel *k, uint32_t percent)
{
    struct share *s = &k->share[c->number];
    uint64_t now = arch_now();
    bool counted = limited(s) && s->percent != 0;

    if (c->thread != NULL && c->thread->share == s) {
        share_charge(c, c->thread, now);
    }
    set_percent(c, s, percent);
    if (percent == 0 || percent == 100) {
        list_remove(&s->link);
        set_base(c, s, percent == 0 ? 0 : SHARE_WITHIN);
    } else if (!counted) {
        s->paid = now - SHARE_RETURN * c->instance->slice;
        set_base(c, s, SHARE_WITHIN);
    }
    sched_poke(cpu, c);
}

void share_init(struct instance *in, struct appkernel *k, const uint8_t *percent)
{
    struct kernel_usage *usage = arch_phys(in->system + SYSTEM_USAGE_PAGE * ABI_PAGE);

    k->within = 0;
    for (uint32_t i = 0; i < in->cpus; i++) {
        struct share *s = &k->share[i];
        s->kern = k;
        s->usage = &usage[k->o.slot * in->cpus + i];
        *s->usage = (struct kernel_usage){.over = percent[i] == 0};
        s->percent = 100;
        set_percent(&in->cpu[i], s, percent[i]);
        s->base = percent[i] == 0 ? 0 : SHARE_WITHIN;
        k->within |= (uint64_t)(percent[i] != 0) << i;
        s->paid = arch_now() - SHARE_RETURN * in->slice;
        list_init(&s->link);
    }
}

void share_clear(struct instance *in, struct appkernel *k)
{
    for (uint32_t i = 0; i < in->cpus; i++) {
        list_remove(&k->share[i].link);
        in->cpu[i].limits -= limited(&k->share[i]);
    }
}
