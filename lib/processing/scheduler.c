// scheduler.c - what all policies share: states, the ready list, timed wake-ups, charging, and the defaults.
#include "policy.h"

// ---- the ready list ---------------------------------------------------------------------------------------

void scheduler_insert(struct scheduler *s, struct scheduled *t)
{
    struct scheduled *at = s->last;

    while (at != NULL && s->op.before(t, at)) {
        at = at->prev;
    }
    t->prev = at;
    t->next = at != NULL ? at->next : s->first;
    *(at != NULL ? &at->next : &s->first) = t;
    *(t->next != NULL ? &t->next->prev : &s->last) = t;
}

void scheduler_remove(struct scheduler *s, struct scheduled *t)
{
    *(t->prev != NULL ? &t->prev->next : &s->first) = t->next;
    *(t->next != NULL ? &t->next->prev : &s->last) = t->prev;
    t->next = t->prev = NULL;
}

// ---- defaults ---------------------------------------------------------------------------------------------

static void default_nothing(struct scheduler *s, struct scheduled *t)
{
    (void)s;
    (void)t;
}

static void default_charge(struct scheduler *s, struct scheduled *t, uint64_t ticks)
{
    (void)s;
    (void)t;
    (void)ticks;
}

void scheduler_fresh_slice(struct scheduler *s, struct scheduled *t)
{
    t->used = 0;
    scheduler_insert(s, t);
}

static bool default_before(const struct scheduled *a, const struct scheduled *b)
{
    (void)a;
    (void)b;
    return false;
}

static bool may_run(const struct scheduled *t, unsigned cpu)
{
    return t->mask == 0 || (t->mask >> cpu & 1) != 0;
}

bool scheduler_place(const struct scheduler *s, struct scheduled *t, struct scheduled *on[])
{
    int best = t->cpu >= 0 && on[t->cpu] == NULL && may_run(t, (unsigned)t->cpu) ? t->cpu : -1;

    for (unsigned c = 0; c < s->cpus && (best < 0 || (s->on[best] != NULL && s->on[best] != t)); c++) {
        if (on[c] == NULL && may_run(t, c) && (best < 0 || s->on[c] == NULL)) {
            best = (int)c;
        }
    }
    if (best >= 0) {
        on[best] = t;
    }
    return best >= 0;
}

void scheduler_keep(struct scheduler *s, struct scheduled *on[])
{
    for (unsigned c = 0; c < s->cpus; c++) {
        // Who comes to c belongs elsewhere?  An exchange sends him home and brings here who has that place.
        while (on[c] != NULL && on[c]->cpu >= 0 && on[c]->cpu != (int)c) {
            unsigned home = (unsigned)on[c]->cpu;
            struct scheduled *other = on[home];
            if (!may_run(on[c], home) || (other != NULL && !may_run(other, c))) {
                break;
            }
            on[home] = on[c];
            on[c] = other;
        }
    }
}

void scheduler_choose(struct scheduler *s, struct scheduled *on[])
{
    unsigned left = s->cpus;

    for (struct scheduled *t = s->first; t != NULL && left > 0; t = t->next) {
        left -= scheduler_place(s, t, on);
    }
    scheduler_keep(s, on);
}

static uint64_t default_holds(const struct scheduler *s)
{
    (void)s;
    return 0;
}

uint64_t scheduler_slice_rest(const struct scheduler *s)
{
    uint64_t least = s->slice;

    if (s->ready_count == s->active_count) {
        return 0;
    }
    for (unsigned c = 0; c < s->cpus; c++) {
        const struct scheduled *t = s->on[c];
        uint64_t rest = t == NULL || t->used >= s->slice ? s->slice : s->slice - t->used;
        least = rest < least ? rest : least;
    }
    return least;
}

// ---- timed wake-ups ---------------------------------------------------------------------------------------

static void timer_add(struct scheduler *s, struct scheduled *t)
{
    struct scheduled **at = &s->timed;

    while (*at != NULL && (*at)->wake_at <= t->wake_at) {
        at = &(*at)->next_timed;
    }
    t->next_timed = *at;
    *at = t;
    t->timed = true;
}

static void timer_cancel(struct scheduler *s, struct scheduled *t)
{
    struct scheduled **at = &s->timed;

    if (!t->timed) {
        return;
    }
    while (*at != t) {
        at = &(*at)->next_timed;
    }
    *at = t->next_timed;
    t->timed = false;
}

// ---- states -----------------------------------------------------------------------------------------------

void scheduler_init(struct scheduler *s, const struct scheduler_operations *op, unsigned cpus, uint64_t slice)
{
    *s = (struct scheduler){.op = *op, .cpus = cpus < SCHEDULER_CPUS ? cpus : SCHEDULER_CPUS, .slice = slice};
#define DEFAULT(name, function) s->op.name = s->op.name != NULL ? s->op.name : (function)
    DEFAULT(enter, default_nothing);
    DEFAULT(leave, default_nothing);
    DEFAULT(wake, scheduler_fresh_slice);
    DEFAULT(block, scheduler_remove);
    DEFAULT(charge, default_charge);
    DEFAULT(before, default_before);
    DEFAULT(choose, scheduler_choose);
    DEFAULT(holds, default_holds);
#undef DEFAULT
}

void scheduler_enter(struct scheduler *s, struct scheduled *t)
{
    t->state = SCHEDULED_BLOCKED;
    t->cpu = -1;
    t->timed = false;
    t->total = t->used = t->wake_at = 0;
    s->op.enter(s, t);
}

static void charge(struct scheduler *s, unsigned c, uint64_t now)
{
    struct scheduled *t = s->on[c];
    uint64_t ticks = now - s->charged[c];

    s->charged[c] = now;
    if (t != NULL && ticks != 0) {
        t->used += ticks;
        t->total += ticks;
        s->op.charge(s, t, ticks);
    }
}

// In the order of the ready list: of those whose slices end together the first one is first again.
static void charge_all(struct scheduler *s, uint64_t now)
{
    struct scheduled *next;
    unsigned left = s->active_count;

    for (struct scheduled *t = s->first; t != NULL && left > 0; t = next) {
        next = t->next;
        if (t->cpu >= 0) {
            charge(s, (unsigned)t->cpu, now);
            left--;
        }
    }
    for (unsigned c = 0; c < s->cpus; c++) {
        charge(s, c, now);
    }
}

void scheduler_wake(struct scheduler *s, struct scheduled *t, uint64_t now)
{
    if (t->state == SCHEDULED_BLOCKED) {
        timer_cancel(s, t);
        t->state = SCHEDULED_READY;
        t->woken_at = now;
        s->ready_count++;
        s->op.wake(s, t);
    }
}

void scheduler_block(struct scheduler *s, struct scheduled *t, uint64_t until, uint64_t now)
{
    if (t->state != SCHEDULED_READY) {
        return;
    }
    charge_all(s, now);
    if (t->cpu >= 0) {
        s->on[t->cpu] = NULL;
        t->cpu = -1;
        s->active_count--;
    }
    s->op.block(s, t);
    s->ready_count--;
    t->state = SCHEDULED_BLOCKED;
    t->wake_at = until;
    if (until != 0) {
        timer_add(s, t);
    }
}

void scheduler_leave(struct scheduler *s, struct scheduled *t, uint64_t now)
{
    scheduler_block(s, t, 0, now);
    if (t->state == SCHEDULED_BLOCKED) {
        timer_cancel(s, t);
        s->op.leave(s, t);
        t->state = SCHEDULED_OUT;
    }
}

// ---- choosing ---------------------------------------------------------------------------------------------

static void install(struct scheduler *s, struct scheduled *on[], uint64_t now)
{
    s->active_count = 0;
    for (unsigned c = 0; c < s->cpus; c++) {
        if (s->on[c] != NULL) {
            s->on[c]->cpu = -1;
        }
    }
    for (unsigned c = 0; c < s->cpus; c++) {
        s->on[c] = on[c];
        s->charged[c] = now;
        if (on[c] != NULL) {
            on[c]->cpu = (int)c;
            s->active_count++;
        }
    }
}

uint64_t scheduler_run(struct scheduler *s, uint64_t now)
{
    struct scheduled *on[SCHEDULER_CPUS] = {NULL};

    charge_all(s, now);
    while (s->timed != NULL && s->timed->wake_at <= now) {
        scheduler_wake(s, s->timed, now);
    }
    s->op.choose(s, on);
    install(s, on, now);
    uint64_t holds = s->op.holds(s), again = holds == 0 ? 0 : now + holds;
    uint64_t wake = s->timed == NULL ? 0 : s->timed->wake_at;
    return again == 0 || (wake != 0 && wake < again) ? wake : again;
}
