// thread.c - threads: load and unload.
#include "supervisor.h"

// Every check, no change.  *space may come out NULL for a thread that is in a handler.
static err_t decode(struct instance *in, struct appkernel *k, const struct thread_desc *d,
                    struct space **space, struct appkernel **kern)
{
    *space = NULL;
    *kern = k;
    if ((d->flags & ~(LOAD_LOCKED | LOAD_SIGNALED)) != 0 || d->priority >= ABI_PRIORITIES ||
        (d->state & (ABI_PAGE - 1)) != 0 || !is_user_address(d->state_va) || !is_user_address(d->xstack) ||
        d->xstack % 16 != 0 || (d->signal != 0 && !is_user_address(d->signal))) {
        return ERR_INVAL;
    }
    uint64_t all = in->cpus == 64 ? ~0ull : (1ull << in->cpus) - 1;
    if (d->affinity != 0 && (d->affinity & all) == 0) {
        return ERR_INVAL;
    }
    if (!rights_cover(in, k, d->state, ABI_PAGE, GROUP_WRITE)) {
        return ERR_DENIED;
    }
    if (d->space != 0) {
        *space = space_find(in, d->space);
        if (*space == NULL) {
            return ERR_STALE;
        }
        if ((*space)->owner != k && (*space)->manager != k) {
            return ERR_DENIED;
        }
        *kern = (*space)->manager;
        if (!activation_index_ok(*space, d)) {
            return ERR_INVAL;
        }
    } else if (d->activation >= ACTIVATIONS_MOST) {
        return ERR_INVAL;
    }
    if (d->priority > k->limits.max_priority) {
        return ERR_LIMIT;
    }
    if ((d->flags & LOAD_LOCKED) && k->locked_threads >= k->limits.locked_threads) {
        return ERR_LIMIT;
    }
    return ERR_OK;
}

static struct thread **state_bucket(struct instance *in, pa_t state)
{
    return &in->state_hash[(state >> ABI_PAGE_SHIFT) & in->state_mask];
}

// A state page holds the registers of one thread: it cannot be loaded twice.
static bool page_in_use(struct instance *in, pa_t state)
{
    for (struct thread *t = *state_bucket(in, state); t != NULL; t = t->state_next) {
        if (t->state_pa == state) {
            return true;
        }
    }
    return false;
}

static void page_enter(struct instance *in, struct thread *t)
{
    struct thread **bucket = state_bucket(in, t->state_pa);

    t->state_next = *bucket;
    *bucket = t;
}

static void page_leave(struct instance *in, struct thread *t)
{
    struct thread **at = state_bucket(in, t->state_pa);

    while (*at != t) {
        at = &(*at)->state_next;
    }
    *at = t->state_next;
}

void thread_set_space(struct thread *t, struct space *s)
{
    list_remove(&t->sibling);
    activation_leave(t);
    t->space = s;
    if (s != NULL) {
        list_append(&s->threads, &t->sibling);
        s->loader = NULL;
    }
}

static void fill(struct instance *in, struct thread *t, const struct thread_desc *d, struct appkernel *owner,
                 struct appkernel *kern, uint32_t depth)
{
    t->kern = kern;
    t->owner = owner;
    t->space = NULL;
    t->state = arch_phys(d->state);
    t->state_pa = d->state;
    t->state_va = d->state_va;
    t->xstack = d->xstack;
    t->cookie = d->cookie;
    t->affinity = d->affinity != 0 ? d->affinity : ~0ull;
    t->depth = depth;
    t->priority = d->priority;
    t->signalled = d->flags & LOAD_SIGNALED;
    t->timed = false;
    t->deadline = t->slice = 0;
    t->function = d->signal;
    t->stopped = false;
    t->signals = 0;
    activation_init(t, d);
    signal_queue_load(t);
    list_init(&t->sibling);
    list_init(&t->queue);
    list_init(&t->timer);
    page_enter(in, t);
    kern->threads++;
    owner->threads += owner != kern;
    owner->held[OBJECT_THREAD]++;
}

err_t thread_load(struct cpu *cpu, struct appkernel *owner, const struct thread_desc *d, oid_t *id)
{
    struct instance *in = cpu->instance;
    struct appkernel *kern;
    struct space *space;

    err_t e = decode(in, owner, d, &space, &kern);
    if (e != ERR_OK) {
        return e;
    }
    struct thread_state *state = arch_phys(d->state);
    uint32_t depth = __atomic_load_n(&state->depth, __ATOMIC_RELAXED);
    if (depth > ABI_MAX_DEPTH || (depth == 0 && space == NULL) || page_in_use(in, d->state)) {
        return ERR_INVAL;
    }
    e = cache_make_room(cpu, &in->threads, OBJECT_THREAD, owner);
    if (e != ERR_OK) {
        return e;
    }
    // Making room may have unloaded the space; then its id is stale now.
    if (space != NULL && space->o.state != OBJECT_LOADED) {
        return ERR_STALE;
    }
    struct thread *t = (struct thread *)handle_take(&in->threads, arch_now());
    fill(in, t, d, owner, kern, depth);
    thread_set_space(t, space);
    sched_place(t, t->affinity >> cpu->number & 1 ? cpu->number : (cpu_t)__builtin_ctzll(t->affinity));
    t->o.lock = d->flags & LOAD_LOCKED;
    owner->locked_threads += t->o.lock;
    state->loaded = 1;
    state->reason = REASON_NONE;
    in->stats->loads[OBJECT_THREAD]++;
    *id = t->o.id;
    if (space != NULL && space->claims.schedule == SCHEDULE_ACTIVATIONS) {
        activation_join(t, space);
    }
    if (t->home == NULL || depth > 0) {
        sched_ready(cpu, t);
    }
    return ERR_OK;
}

void thread_doom(struct cpu *cpu, struct thread *t, uint32_t reason, uint64_t value)
{
    t->value = value;
    handle_doom(&t->o, reason, &cpu->instance->unloading);
}

bool thread_pinned(const struct thread *t)
{
    return t->o.lock && appkernel_pinned(t->kern) && (t->owner == t->kern || appkernel_pinned(t->owner)) &&
           (t->space == NULL || space_pinned(t->space));
}

// Off its processor and all lists.  False: it runs elsewhere, and has been told.
static bool stop(struct cpu *cpu, struct thread *t)
{
    t->run = RUN_READY;
    if (t->status == THREAD_RUNNING) {
        if (t != cpu->thread) {
            sched_poke(cpu, &cpu->instance->cpu[t->cpu]);
            return false;
        }
        sched_leave(cpu);
    } else {
        if (t->status == THREAD_WAITING && t->o.reason != REASON_BAD_STATE) {
            t->run = RUN_WAITING;
        }
        sched_remove(cpu, t);
        t->status = THREAD_WAITING;                 // on no list
    }
    t->stopped = true;
    return true;
}

bool thread_unload_step(struct cpu *cpu, struct thread *t)
{
    struct instance *in = cpu->instance;

    assert(t->o.state == OBJECT_UNLOADING);
    if ((!t->stopped && !stop(cpu, t)) || !mapping_unload_signals(cpu, t)) {
        return false;
    }
    struct thread_state *s = t->state;
    in->work += WORK_THREAD;
    activation_write_back(t);
    s->depth = t->depth;
    s->reason = t->o.reason;
    s->run = t->run;
    s->deadline = t->run == RUN_WAITING ? t->deadline : 0;
    s->value = t->value;
    __atomic_store_n(&s->loaded, 0, __ATOMIC_RELEASE); // pairs with the owner's load: the page is its again
    t->owner->locked_threads -= t->o.lock;
    in->stats->unloads[OBJECT_THREAD]++;
    writeback_post(cpu, t->owner, &t->o, t->cookie, t->value);
    if (t->o.reason >= REASON_DOUBLE_FAULT && t->owner != in->first) {
        writeback_post(cpu, in->first, &t->o, t->kern->cookie, t->value);
    }
    thread_set_space(t, NULL);
    page_leave(in, t);
    t->kern->threads--;
    t->owner->threads -= t->owner != t->kern;
    t->owner->held[OBJECT_THREAD]--;
    handle_release(&in->threads, &t->o);
    return true;
}
