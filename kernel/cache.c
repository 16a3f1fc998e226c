// cache.c - the descriptor cache: room, victims, unloads.
#include "cache.h"

#include "arch.h"
#include "assert.h"
#include "instance.h"
#include "quota.h"

enum victim_class {            // the lower the better a victim
    VICTIM_IDLE,               // no thread of it is ready
    VICTIM_READY,              // a thread is ready in program mode
    VICTIM_HANDLER,            // a thread is ready in a handler
    VICTIM_RUNNING,
    VICTIM_NEVER,
};

enum { SCAN_OBJECTS = 32 };

static uint32_t thread_class(const struct thread *t)
{
    switch (t->status) {
    case THREAD_WAITING:
        return VICTIM_IDLE;
    case THREAD_READY:
        return t->depth == 0 ? VICTIM_READY : VICTIM_HANDLER;
    default:
        return VICTIM_RUNNING;
    }
}

static uint32_t max_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static bool is_fresh(struct instance *in, const struct object *o)
{
    return arch_now() - o->loaded_at < in->slice;
}

static uint32_t victim_thread(struct cpu *cpu, struct object *o)
{
    struct thread *t = (struct thread *)o;
    return t == cpu->thread || thread_pinned(t) ? VICTIM_NEVER : thread_class(t);
}

static uint32_t victim_space(struct cpu *cpu, struct object *o)
{
    struct space *s = (struct space *)o;
    struct thread *self = cpu->thread;

    // The own space of a kernel goes with its kernel.  The caller keeps the space it runs in; one that its program
    // only ran in before, it can do without: it may be asking for another one in its place.
    if (s->kernel != NULL || space_pinned(s) || (self != NULL && self->space == s && self->depth == 0)) {
        return VICTIM_NEVER;
    }
    // One that nobody has run in yet is about to be, unless its loader goes on with another one.
    uint32_t class = s->loader == NULL || s->loader == self ? VICTIM_IDLE : VICTIM_READY;
    for (struct list *n = s->threads.next; n != &s->threads; n = n->next) {
        struct thread *t = list_entry(n, struct thread, sibling);
        class = max_of(class, t == self ? VICTIM_IDLE : thread_class(t));
    }
    return class;
}

static uint32_t victim_kernel(struct cpu *cpu, struct object *o)
{
    struct appkernel *k = (struct appkernel *)o;
    struct thread *self = cpu->thread;
    uint32_t class = VICTIM_IDLE;

    if (k == cpu->instance->first || appkernel_pinned(k) || (self != NULL && self->kern == k)) {
        return VICTIM_NEVER;
    }
    for (uint32_t i = 0; k->threads > 0 && i < cpu->instance->threads.size; i++) {
        struct thread *t = thread_at(cpu->instance, i);
        if (t->o.state == OBJECT_LOADED && t->kern == k) {
            class = max_of(class, thread_class(t));
        }
    }
    return class;
}

// Whose it is; NULL for a kernel.
static const struct appkernel *owner_of(const struct object *o)
{
    return o->type == OBJECT_THREAD  ? ((const struct thread *)o)->owner
           : o->type == OBJECT_SPACE ? ((const struct space *)o)->owner
                                     : NULL;
}

static bool may_take(const struct object *o, const struct appkernel *only)
{
    return o->type == OBJECT_KERNEL || quota_may_take(owner_of(o), o->type, only);
}

// The clock: from the hand on, the first object that is idle; else the best of the first SCAN_OBJECTS, or the
// first that can go at all.
static struct object *choose_victim(struct cpu *cpu, struct cache *c, enum object_type type,
                                    const struct appkernel *only)
{
    static uint32_t (*const judge[])(struct cpu *, struct object *) = {
        [OBJECT_KERNEL] = victim_kernel, [OBJECT_SPACE] = victim_space, [OBJECT_THREAD] = victim_thread,
    };
    struct object *best = NULL;
    uint32_t best_class = VICTIM_NEVER;

    for (uint32_t i = 0; i < c->size && (i < SCAN_OBJECTS || best == NULL) && best_class != VICTIM_IDLE; i++) {
        struct object *o = cache_at(c, (c->hand + i) % c->size);
        if (o->state != OBJECT_LOADED) {
            continue;
        }
        uint32_t class = judge[type](cpu, o);
        if (class < best_class && may_take(o, only) && (class == VICTIM_IDLE || !is_fresh(cpu->instance, o))) {
            best = o;
            best_class = class;
        }
    }
    if (best != NULL) {
        c->hand = (best->slot + 1) % c->size;
    }
    return best;
}

err_t cache_make_room(struct cpu *cpu, struct cache *c, enum object_type type, const struct appkernel *k)
{
    struct instance *in = cpu->instance;
    const struct appkernel *only = k != NULL && quota_full(k, type, 1) ? k : NULL;

    if (c->free > 0 && only == NULL) {
        return ERR_OK;
    }
    for (struct list *n = in->unloading.next; n != &in->unloading; n = n->next) {
        struct object *o = list_entry(n, struct object, link);
        if (o->type == type && (only == NULL || owner_of(o) == only)) {
            return cache_step(cpu, o) && only == NULL ? ERR_OK : (err_t)ERR_RESTART;
        }
    }
    struct object *victim = choose_victim(cpu, c, type, only);
    if (victim == NULL) {
        in->stats->again++;
        return ERR_AGAIN;
    }
    return cache_unload(cpu, victim, REASON_EVICTED) == ERR_OK && only == NULL ? ERR_OK : (err_t)ERR_RESTART;
}

bool cache_step(struct cpu *cpu, struct object *o)
{
    switch (o->type) {
    case OBJECT_THREAD:
        return thread_unload_step(cpu, (struct thread *)o);
    case OBJECT_SPACE:
        return space_unload_step(cpu, (struct space *)o);
    default:
        return appkernel_unload_step(cpu, (struct appkernel *)o);
    }
}

bool cache_step_any(struct cpu *cpu)
{
    struct instance *in = cpu->instance;

    if (list_empty(&in->unloading)) {
        return false;
    }
    cache_step(cpu, list_entry(in->unloading.next, struct object, link));
    return !list_empty(&in->unloading);
}

err_t cache_unload(struct cpu *cpu, struct object *o, uint32_t reason)
{
    if (o->state == OBJECT_LOADED) {
        if (o->type == OBJECT_THREAD) {
            thread_doom(cpu, (struct thread *)o, reason, 0);
        } else {
            handle_doom(o, reason, &cpu->instance->unloading);
        }
    }
    return cache_step(cpu, o) ? ERR_OK : (err_t)ERR_RESTART;
}
