// gang.c - gangs: all threads of one are active at once, each on a processor of its own, or none is.
//
// Gangs take turns by slices, as the rows of Ousterhout's matrix (1982): the first of the queue runs, and with it
// those behind it that still fit beside.  A slice belongs to the gang, and ends for all of it.  A thread without a gang
// is never chosen.  Cache Kernel, 2.3: co-scheduling.
#include "policy.h"

static void queue_append(struct scheduler *s, struct gang *g)
{
    g->next = NULL;
    g->prev = s->last_gang;
    *(g->prev != NULL ? &g->prev->next : &s->first_gang) = g;
    s->last_gang = g;
}

static void queue_remove(struct scheduler *s, struct gang *g)
{
    *(g->prev != NULL ? &g->prev->next : &s->first_gang) = g->next;
    *(g->next != NULL ? &g->next->prev : &s->last_gang) = g->prev;
}

static void gang_enter(struct scheduler *s, struct scheduled *t)
{
    (void)s;
    t->mask = 0;
    if (t->gang != NULL) {
        t->next_fellow = t->gang->member;
        t->gang->member = t;
        t->gang->members++;
    }
}

static void gang_leave(struct scheduler *s, struct scheduled *t)
{
    (void)s;
    if (t->gang != NULL) {
        struct scheduled **at = &t->gang->member;
        while (*at != t) {
            at = &(*at)->next_fellow;
        }
        *at = t->next_fellow;
        t->gang->members--;
    }
}

static void gang_wake(struct scheduler *s, struct scheduled *t)
{
    if (t->gang != NULL && t->gang->ready++ == 0) {
        t->gang->used = 0;
        queue_append(s, t->gang);
    }
}

static void gang_block(struct scheduler *s, struct scheduled *t)
{
    if (t->gang != NULL && --t->gang->ready == 0) {
        queue_remove(s, t->gang);
    }
}

// Of its threads, which are active together, the one on the lowest processor counts.
static void gang_charge(struct scheduler *s, struct scheduled *t, uint64_t ticks)
{
    struct gang *g = t->gang;

    for (int c = 0; c < t->cpu; c++) {
        if (s->on[c] != NULL && s->on[c]->gang == g) {
            return;
        }
    }
    g->used += ticks;
    if (g->used >= s->slice) {
        g->used = 0;
        queue_remove(s, g);
        queue_append(s, g);
    }
}

static void gang_choose(struct scheduler *s, struct scheduled *on[])
{
    unsigned left = s->cpus;

    for (struct gang *g = s->first_gang; g != NULL && left > 0; g = g->next) {
        if (g->ready > left) {
            continue;
        }
        left -= g->ready;
        for (struct scheduled *t = g->member; t != NULL; t = t->next_fellow) {
            if (t->state == SCHEDULED_READY) {
                (void)scheduler_place(s, t, on);
            }
        }
    }
    scheduler_keep(s, on);
}

static uint64_t gang_holds(const struct scheduler *s)
{
    uint64_t least = s->slice;

    if (s->ready_count == s->active_count) {
        return 0;
    }
    for (unsigned c = 0; c < s->cpus; c++) {
        const struct scheduled *t = s->on[c];
        uint64_t rest = t == NULL ? s->slice : s->slice - t->gang->used;
        least = rest < least ? rest : least;
    }
    return least;
}

const struct scheduler_operations gang = {
    .enter = gang_enter, .leave = gang_leave, .wake = gang_wake, .block = gang_block,
    .charge = gang_charge, .choose = gang_choose, .holds = gang_holds,
};
