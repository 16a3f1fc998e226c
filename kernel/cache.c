// cache.c - the descriptor cache: room, victims, unloads.
#include "supervisor.h"

enum victim_class {            // the lower the better a victim
    VICTIM_IDLE,               // no thread of it is ready
    VICTIM_READY,              // a thread is ready in program mode
    VICTIM_HANDLER,            // a thread is ready in a handler
    VICTIM_RUNNING,
    VICTIM_NEVER,              // or the step ended before it was known
};

enum {
    SCAN_OBJECTS = 32,
    SCAN_THREADS = 16,         // of a space
    WORK_JUDGE = 3,            // one object looked at, its threads apart
};

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
    uint32_t looked = 0;
    for (struct list *n = s->threads.next; n != &s->threads && class != VICTIM_RUNNING; n = n->next) {
        struct thread *t = list_entry(n, struct thread, sibling);
        if (looked++ == SCAN_THREADS) {               // one of so many is ready
            class = max_of(class, VICTIM_READY);
            break;
        }
        class = max_of(class, t == self ? VICTIM_IDLE : thread_class(t));
    }
    cpu->instance->work += looked;
    return class;
}

// The classes of all kernels that have threads, by one sweep over the threads; false: the step ended before its end.
static bool sweep_kernels(struct instance *in)
{
    for (uint32_t i = 0; in->sweep == 0 && i < in->kernels.size; i++) {
        kernel_at(in, i)->class = VICTIM_IDLE;
    }
    for (; in->sweep < in->threads.size && work_left(in); in->sweep++) {
        struct thread *t = thread_at(in, in->sweep);
        in->work++;
        if (t->o.state == OBJECT_LOADED) {
            t->kern->class = max_of(t->kern->class, thread_class(t));
        }
    }
    return in->sweep == in->threads.size;
}

static uint32_t victim_kernel(struct cpu *cpu, struct object *o)
{
    struct appkernel *k = (struct appkernel *)o;
    struct thread *self = cpu->thread;

    if (k == cpu->instance->first || appkernel_pinned(k) || (self != NULL && self->kern == k)) {
        return VICTIM_NEVER;
    }
    if (k->threads == 0) {
        return VICTIM_IDLE;
    }
    return sweep_kernels(cpu->instance) ? k->class : VICTIM_NEVER;
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
// first that can go at all.  *looked: how many have been looked at in vain, in steps before this one.
static err_t choose_victim(struct cpu *cpu, struct cache *c, enum object_type type, const struct appkernel *only,
                           uint32_t *looked, struct object **victim)
{
    static uint32_t (*const judge[])(struct cpu *, struct object *) = {
        [OBJECT_KERNEL] = victim_kernel, [OBJECT_SPACE] = victim_space, [OBJECT_THREAD] = victim_thread,
    };
    struct instance *in = cpu->instance;
    uint32_t best_class = VICTIM_NEVER, i = *looked;
    uint32_t most = i + STEP_WORK / (type == OBJECT_SPACE ? WORK_JUDGE + SCAN_THREADS : WORK_JUDGE);
    struct object *best = NULL;

    most = most < c->size ? most : c->size;
    for (; i < most && (i < SCAN_OBJECTS || best == NULL) && best_class != VICTIM_IDLE; i++) {
        struct object *o = cache_at(c, (c->hand + i) % c->size);
        if (o->state != OBJECT_LOADED) {
            continue;
        }
        uint32_t class = judge[type](cpu, o);
        if (class < best_class && may_take(o, only) && (class == VICTIM_IDLE || !is_fresh(in, o))) {
            best = o;
            best_class = class;
        }
    }
    in->work += (i - *looked) * WORK_JUDGE;
    if (best_class != VICTIM_IDLE && type == OBJECT_KERNEL && in->sweep % in->threads.size != 0) {
        return (err_t)ERR_RESTART;
    }
    *looked = 0;
    if (best != NULL) {
        c->hand = (best->slot + 1) % c->size;
        *victim = best;
        return ERR_OK;
    }
    if (i < c->size) {
        *looked = i;
        return (err_t)ERR_RESTART;
    }
    return ERR_AGAIN;
}

// An object of this type, and of this kernel's if it is not NULL, whose unload has begun.  *many: there are more of
// other types than one step looks at.
static struct object *find_unloading(struct instance *in, enum object_type type, const struct appkernel *only,
                                     bool *many)
{
    uint32_t looked = 0;

    for (struct list *n = in->unloading.next; n != &in->unloading; n = n->next) {
        struct object *o = list_entry(n, struct object, link);
        if (o->type == type && (only == NULL || owner_of(o) == only)) {
            return o;
        }
        if (++looked == SCAN_OBJECTS) {
            *many = true;
            break;
        }
    }
    return NULL;
}

err_t cache_make_room(struct cpu *cpu, struct cache *c, enum object_type type, struct appkernel *k)
{
    struct instance *in = cpu->instance;
    const struct appkernel *only = k != NULL && quota_full(k, type, 1) ? k : NULL;
    struct object *o;
    bool many = false;

    if (*c->free > 0 && only == NULL) {
        return ERR_OK;
    }
    o = list_empty(&in->unloading) ? NULL : find_unloading(in, type, only, &many);
    if (o != NULL) {
        return cache_step(cpu, o) && only == NULL ? ERR_OK : (err_t)ERR_RESTART;
    }
    if (many) {
        (void)cache_step_any(cpu);
        return (err_t)ERR_RESTART;
    }
    err_t e = choose_victim(cpu, c, type, only, &(k != NULL ? k : in->first)->looked[type], &o);
    if (e != ERR_OK) {
        in->stats->again += e == ERR_AGAIN;
        return e;
    }
    return cache_unload(cpu, o, REASON_EVICTED) == ERR_OK && only == NULL ? ERR_OK : (err_t)ERR_RESTART;
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
            thread_doom(cpu, (struct thread *)o, reason, ((struct thread *)o)->value);
        } else {
            handle_doom(o, reason, &cpu->instance->unloading);
        }
    }
    return cache_step(cpu, o) ? ERR_OK : (err_t)ERR_RESTART;
}
