// activation.c - spaces of activations, and activations that come and go; their events.  See activation.h.
#include "allocator.h"
#include "supervisor.h"

static void look(uint8_t what)
{
    struct cpu *cpu = arch_cpu();

    cpu->instance->realloc |= what;
    cpu->resched = true;
}

void activation_look(struct space *s)
{
    s->claims.changed = LOOK_WANTS | LOOK_CLAIMS;
    look(REALLOC_SPACES);
}

// ---- the space ----------------------------------------------------------------------------------------------

err_t activation_decode(const struct cpu *cpu, const struct appkernel *k, const struct space_desc *d)
{
    const struct instance *in = cpu->instance;

    if (d->schedule == SCHEDULE_THREADS) {
        return d->priority == 0 && d->activations == 0 && d->slots == 0 && d->area == 0 ? ERR_OK : ERR_INVAL;
    }
    if (d->schedule != SCHEDULE_ACTIVATIONS || d->activations == 0 || d->activations > ACTIVATIONS_MOST ||
        d->slots == 0 || d->slots > SLOTS_MOST || d->priority >= ABI_PRIORITIES) {
        return ERR_INVAL;
    }
    uint64_t size = area_size(d->activations, d->slots);
    if ((d->area | d->area_va) % ABI_PAGE != 0 || d->area_va == 0 || d->area_va >= ABI_USER_END - size ||
        d->upcall == 0 || d->upcall >= ABI_USER_END) {
        return ERR_INVAL;
    }
    if (!rights_cover(in, k, d->area, size, GROUP_WRITE)) {
        return ERR_DENIED;
    }
    return d->priority > k->limits.max_priority || in->nclaimants == CLAIMANTS_MOST ? ERR_LIMIT : ERR_OK;
}

void activation_begin(struct cpu *cpu, struct space *s, const struct space_desc *d)
{
    struct instance *in = cpu->instance;
    struct claims *c = &s->claims;

    *c = (struct claims){.schedule = d->schedule, .priority = d->priority, .activations = d->activations,
                         .slots = d->slots, .area = d->area, .area_va = d->area_va, .upcall = d->upcall,
                         .tight = true};
    list_init(&c->link);
    if (d->schedule == SCHEDULE_THREADS) {
        return;
    }
    c->page = arch_phys(d->area);
    c->user = arch_phys(d->area + ABI_PAGE);
    c->slot = arch_phys(d->area + area_slots(d->activations));
    c->taken = load_relaxed(&c->page->slots_taken);   // it may have been loaded before
    list_init(&c->fresh);
    list_init(&c->events);
    list_init(&c->paused);
    c->page->header = area_header(d->activations, d->slots);
    c->page->activations = d->activations;
    c->page->slots = d->slots;
    c->page->held = 0;
    c->page->holds = 0;
    c->page->pending = 0;
    list_append(&in->claimants, &c->link);
    in->nclaimants++;
    for (uint32_t i = 0; i < in->cpus; i++) {
        in->cpu[i].limits += LIMIT_SPACE;
    }
}

void activation_end(struct cpu *cpu, struct space *s)
{
    struct instance *in = cpu->instance;

    if (s->claims.schedule == SCHEDULE_THREADS) {
        return;
    }
    list_remove(&s->claims.link);
    in->nclaimants--;
    for (uint32_t i = 0; i < in->cpus; i++) {
        in->cpu[i].limits -= LIMIT_SPACE;
    }
    look(REALLOC_ALL);
}

// ---- processors held, events ----------------------------------------------------------------------------------

void activation_hold(struct thread *t, bool on)
{
    struct claims *c = &t->home->claims;
    uint64_t bit = 1ull << t->cpu;

    store_relaxed(&t->block->processor, t->cpu);
    if (((c->holds & bit) != 0) == on) {
        return;
    }
    c->holds ^= bit;
    c->held += on ? 1 : -1u;
    store_relaxed(&c->page->holds, c->holds);
    store_relaxed(&c->page->held, c->held);
    store_relaxed(&c->page->changes, c->page->changes + 1);
}

static struct activation_user *user_of(const struct claims *c, uint32_t index)
{
    return (struct activation_user *)arch_phys(c->area + area_user_blocks(c->activations)) + index;
}

bool activation_quiet(const struct thread *t)
{
    return load_relaxed(&t->user->disabled) != 0;
}

bool activation_disabled(const struct thread *t, const struct space *s)
{
    return t->index >= s->claims.activations || load_relaxed(&user_of(&s->claims, t->index)->disabled) != 0;
}

static void set_pending(struct claims *c, int change)
{
    store_relaxed(&c->page->pending, c->page->pending + (uint32_t)change);
}

// Its context, or that it has blocked, is to be told.
void activation_tell(struct thread *t, uint32_t kinds)
{
    struct claims *c = &t->home->claims;

    t->events |= kinds;
    if (list_empty(&t->activation)) {
        list_append(&c->events, &t->activation);
        set_pending(c, 1);
        fence_full();                             // a program gives slots, then looks at `pending`
    }
    allocator_event(arch_cpu(), t->home);
}

void activation_handling(struct thread *t, bool on)
{
    if (t->handling != on) {
        t->handling = on;
        t->home->claims.handlers += on ? 1 : -1u;
        activation_look(t->home);
    }
}

void activation_told(struct thread *t)
{
    t->events &= t->act == ACT_BLOCKED ? UPCALL_CONTEXT : 0;     // its context comes when it is unblocked
    if (!list_empty(&t->activation)) {
        list_remove(&t->activation);
        set_pending(&t->home->claims, -1);
    }
    if (t->act == ACT_STOPPED) {
        activation_recycle(t);
    } else if (t->act == ACT_CLAIM) {
        t->fresh = true;
    }
}

void activation_untell(struct thread *t)
{
    t->events &= UPCALL_TIMERS;
    t->paused = true;
    list_remove(&t->activation);
    set_pending(&t->home->claims, -1);
}

void activation_recycle(struct thread *t)
{
    t->act = ACT_FRESH;
    t->fresh = true;
    t->events = 0;
    t->upcall = t->due = false;
    list_append(&t->home->claims.fresh, &t->activation);
}

void activation_end_claim(struct thread *t, bool keeps)
{
    struct claims *c = &t->home->claims;

    if (!keeps && !(t->entering && t->added)) {
        activation_hold(t, false);
    }
    c->count--;
    c->entering -= t->entering;
    c->dropping -= t->drop;
    t->entering = t->drop = false;
    t->upcall = t->due = false;
}

void activation_pause(struct thread *t)
{
    t->act = ACT_STOPPED;
    t->paused = true;
    list_append(&t->home->claims.paused, &t->activation);
    activation_look(t->home);
}

// ---- coming and going -----------------------------------------------------------------------------------------

bool activation_index_free(const struct claims *c, uint64_t index)
{
    return index < c->activations && (c->loaded[index / 64] >> index % 64 & 1) == 0;
}

bool activation_index_ok(const struct space *s, const struct thread_desc *d)
{
    const struct claims *c = &s->claims;

    if (c->schedule == SCHEDULE_THREADS) {
        return d->activation == 0;
    }
    return activation_index_free(c, d->activation) && d->priority == c->priority && d->signal == 0;
}

void activation_init(struct thread *t, const struct thread_desc *d)
{
    uint64_t events = load_relaxed(&t->state->events);

    t->home = NULL;
    t->index = (uint32_t)d->activation;
    t->events = (uint32_t)events & (UPCALL_CONTEXT | UPCALL_BLOCKED | UPCALL_TAKEN);
    t->value = t->events & UPCALL_OWNER ? load_relaxed(&t->state->value) : 0;
    t->act = ACT_NONE;
    t->interval = t->interval_left = 0;
    t->fresh = t->upcall = t->drop = t->stalled = t->handling = false;
    list_init(&t->activation);
}

static void fill_block(struct thread *t)
{
    const struct claims *c = &t->home->claims;
    struct activation_kernel *k = (struct activation_kernel *)arch_phys(c->area + area_kernel_blocks()) + t->index;

    t->user = user_of(c, t->index);
    t->block = k;
    k->index = t->index;
    k->user = c->area_va + area_user_blocks(c->activations) + t->index * sizeof(struct activation_user);
    k->area = c->area_va;
}

void activation_join(struct thread *t, struct space *s)
{
    t->home = s;
    s->claims.loaded[t->index / 64] |= 1ull << t->index % 64;
    t->status = t->depth > 0 ? t->status : THREAD_WAITING;
    t->fresh = t->paused = t->quiet = false;
    list_init(&t->activation);
    fill_block(t);
    activation_look(s);
    look(REALLOC_ALL);
    if (t->depth > 0) {
        t->act = ACT_BLOCKED;
        t->space = NULL;
        t->quiet = (t->events & (UPCALL_BLOCKED | UPCALL_UNBLOCKED)) == 0;   // nobody was told, or is to be
        if (t->events & UPCALL_BLOCKED) {
            activation_tell(t, 0);
        }
    } else if (t->state->run == RUN_FRESH) {
        activation_recycle(t);
    } else if (activation_quiet(t) && (t->events & UPCALL_UNBLOCKED) == 0) {
        t->events &= UPCALL_TIMERS;
        activation_pause(t);
    } else {
        t->act = ACT_STOPPED;
        activation_tell(t, t->events != 0 ? t->events : UPCALL_PREEMPTED);
    }
}

// What is to be told of t if it leaves now, also when it goes on: UNBLOCKED, if anybody hears that it is blocked.
static uint32_t events_of(const struct thread *t)
{
    bool claim = t->act == ACT_CLAIM;
    uint32_t events = t->events | (t->act == ACT_BLOCKED && !t->quiet ? UPCALL_UNBLOCKED : 0);

    if (t->depth > 0) {
        return events | (claim && !activation_quiet(t) ? UPCALL_BLOCKED | UPCALL_TAKEN : 0);
    }
    return events | ((claim && !t->entering) || t->paused || t->quiet ? UPCALL_PREEMPTED | UPCALL_TAKEN : 0);
}

void activation_leave(struct thread *t)
{
    if (t->home == NULL) {
        return;
    }
    uint32_t events = events_of(t);
    if (t->act == ACT_CLAIM) {
        activation_end_claim(t, false);
    }
    if (t->events != 0 && !t->paused && !list_empty(&t->activation)) {
        set_pending(&t->home->claims, -1);
    }
    list_remove(&t->activation);
    activation_handling(t, false);
    activation_look(t->home);
    look(REALLOC_ALL);
    t->home->claims.stalled -= t->stalled;
    t->home->claims.loaded[t->index / 64] &= ~(1ull << t->index % 64);
    t->events = events;
    t->act = ACT_NONE;
    t->home = NULL;
}

void activation_write_back(struct thread *t)
{
    if (t->home == NULL) {
        t->state->events = t->events;
        return;
    }
    if (t->fresh) {
        t->run = RUN_FRESH;
    }
    t->state->events = t->fresh ? 0 : events_of(t);
}
