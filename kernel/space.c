// space.c - spaces: load and unload.
#include "pmap_quick.h"

static err_t decode(const struct cpu *cpu, const struct appkernel *k, const struct space_desc *d)
{
    const struct instance *in = cpu->instance;

    if ((d->flags & ~LOAD_LOCKED) != 0 || d->rule > TRAP_NATIVE || d->place % sizeof(struct place) != 0) {
        return ERR_INVAL;
    }
    if (!rights_cover(in, k, d->place, sizeof(struct place), GROUP_WRITE)) {
        return ERR_DENIED;
    }
    if ((d->flags & LOAD_LOCKED) && k->locked_spaces >= k->limits.locked_spaces) {
        return ERR_LIMIT;
    }
    return activation_decode(cpu, k, d);
}

err_t space_load(struct cpu *cpu, struct appkernel *k, const struct space_desc *d, oid_t *id)
{
    struct instance *in = cpu->instance;

    err_t e = decode(cpu, k, d);
    if (e != ERR_OK) {
        return e;
    }
    e = cache_make_room(cpu, &in->spaces, OBJECT_SPACE, k);
    if (e != ERR_OK) {
        return e;
    }
    struct space *s = (struct space *)handle_take(&in->spaces, arch_now());
    s->owner = s->manager = k;
    s->kernel = NULL;
    s->rule = d->rule;
    s->cookie = d->cookie;
    s->place = arch_phys(d->place);
    s->place_pa = d->place;
    s->root = in->root_base + (pa_t)s->o.slot * ABI_PAGE;
    s->tag = record_tag(s->o.slot, k->o.slot);
    list_init(&s->tables);
    s->last = NULL;
    s->loader = cpu->thread;
    s->copies = 0;
    s->remote = false;
    s->unload_at = 0;
    list_init(&s->threads);
    activation_begin(cpu, s, d);
    k->held[OBJECT_SPACE]++;
    s->o.lock = d->flags & LOAD_LOCKED;
    k->locked_spaces += s->o.lock;
    s->place->loaded = 1;
    s->place->reason = REASON_NONE;
    in->stats->loads[OBJECT_SPACE]++;
    *id = s->o.id;
    return ERR_OK;
}

bool space_pinned(const struct space *s)
{
    return s->o.lock && appkernel_pinned(s->owner) && (s->manager == s->owner || appkernel_pinned(s->manager));
}

// One step: unload threads that run the program, detach those in a handler.  True when none refers to s any more.
static bool release_threads(struct cpu *cpu, struct space *s)
{
    bool done = true;

    for (struct list *n = s->threads.next, *next = n->next; n != &s->threads; n = next, next = n->next) {
        struct thread *t = list_entry(n, struct thread, sibling);
        if (!work_left(cpu->instance)) {
            return false;
        }
        cpu->instance->work += WORK_LOWER;
        if (t->status == THREAD_RUNNING && t != cpu->thread) {
            sched_poke(cpu, &cpu->instance->cpu[t->cpu]);   // it lets go of the space itself: see kernel_interrupt()
            done = false;
        } else if (t->depth > 0 && t->o.state == OBJECT_LOADED) {
            thread_set_space(t, NULL);
        } else if (cache_unload(cpu, &t->o, s->o.reason) != ERR_OK) {
            done = false;
        }
    }
    return done;
}

static bool in_use(struct instance *in, const struct space *s)
{
    for (uint32_t i = 0; i < in->cpus; i++) {
        if (__atomic_load_n(&in->cpu[i].root, __ATOMIC_RELAXED) == s->root) {
            return true;
        }
    }
    return false;
}

bool space_unload_step(struct cpu *cpu, struct space *s)
{
    struct instance *in = cpu->instance;

    assert(s->o.state == OBJECT_UNLOADING);
    if (s->kernel != NULL) {                       // a kernel depends on its own space
        if (s->kernel->o.state == OBJECT_LOADED) {
            cache_unload(cpu, &s->kernel->o, s->o.reason);
        } else {
            cache_step(cpu, &s->kernel->o);
        }
        return s->o.state == OBJECT_FREE;
    }
    if (!release_threads(cpu, s)) {
        return false;
    }
    if (cpu->root == s->root) {
        arch_space_leave(cpu);                     // the caller unloaded what it runs in: it is gone by now
    }
    if (in_use(in, s) || !mapping_unload_all(cpu, s)) {
        return false;
    }
    in->work += WORK_SPACE;
    activation_end(cpu, s);
    __atomic_store_n(&s->place->reason, s->o.reason, __ATOMIC_RELAXED);
    __atomic_store_n(&s->place->loaded, 0, __ATOMIC_RELEASE);
    s->owner->locked_spaces -= s->o.lock;
    s->owner->held[OBJECT_SPACE]--;
    in->stats->unloads[OBJECT_SPACE]++;
    writeback_post(cpu, s->owner, &s->o, s->cookie, 0);
    handle_release(&in->spaces, &s->o);
    return true;
}
