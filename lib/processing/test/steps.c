// steps.c - random steps, and what holds after each for every policy.
#include "steps.h"

uint64_t draw(struct steps *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random * 0x2545f4914f6cdd1dull >> 11) % below;
}

void steps_begin(struct steps *w, uint64_t seed, const struct scheduler_operations *op, unsigned cpus,
                 uint64_t slice, unsigned threads)
{
    *w = (struct steps){.seed = seed, .random = seed * 0x9e3779b97f4a7c15ull | 1, .now = 1000, .threads = threads};
    scheduler_init(&w->s, op, cpus, slice);
}

void steps_check(const struct steps *w)
{
    const struct scheduler *s = &w->s;
    unsigned ready = 0, active = 0;

    for (unsigned i = 0; i < w->threads; i++) {
        const struct scheduled *t = &w->thread[i];
        ready += t->state == SCHEDULED_READY;
        if (t->state == SCHEDULED_READY && t->cpu >= 0) {
            active++;
            STEPS_ASSERT(w, (unsigned)t->cpu < s->cpus && s->on[t->cpu] == t);
            STEPS_ASSERT(w, t->mask == 0 || (t->mask >> t->cpu & 1));
        }
        STEPS_ASSERT(w, t->state != SCHEDULED_BLOCKED || t->cpu < 0);
        STEPS_ASSERT(w, t->state != SCHEDULED_BLOCKED || !t->timed || t->wake_at > w->now);
    }
    STEPS_ASSERT(w, ready == s->ready_count && active == s->active_count);
    for (unsigned c = 0; c < s->cpus; c++) {
        active -= s->on[c] != NULL;
    }
    STEPS_ASSERT(w, active == 0);
    STEPS_ASSERT(w, w->again == 0 || w->again > w->now);
}

// And nobody who stays active moves, as long as all may run everywhere.
static void run(struct steps *w)
{
    int cpu[STEP_THREADS];
    uint64_t masks = 0;

    for (unsigned i = 0; i < w->threads; i++) {
        cpu[i] = w->thread[i].state == SCHEDULED_READY ? w->thread[i].cpu : -1;
        masks |= w->thread[i].mask;
    }
    w->again = scheduler_run(&w->s, w->now);
    steps_check(w);
    for (unsigned i = 0; i < w->threads && masks == 0; i++) {
        STEPS_ASSERT(w, cpu[i] < 0 || w->thread[i].cpu < 0 || w->thread[i].cpu == cpu[i]);
    }
}

void steps_pass(struct steps *w, uint64_t ticks)
{
    uint64_t end = w->now + ticks;

    while (w->again != 0 && w->again <= end) {
        w->now = w->again;
        run(w);
    }
    w->now = end;
    run(w);
}

void steps_step(struct steps *w)
{
    struct scheduled *t = &w->thread[draw(w, w->threads)];

    if (t->state == SCHEDULED_OUT) {
        scheduler_enter(&w->s, t);
    } else if (draw(w, 12) == 0) {
        scheduler_leave(&w->s, t, w->now);
    } else if (t->state == SCHEDULED_BLOCKED) {
        scheduler_wake(&w->s, t, w->now);
    } else {
        scheduler_block(&w->s, t, draw(w, 2) != 0 ? w->now + draw(w, 3 * w->s.slice + 50) : 0, w->now);
    }
    run(w);
    steps_pass(w, draw(w, 3) == 0 ? draw(w, 2 * w->s.slice + 50) : draw(w, 30));
}
