// appkernel.c - kernel objects: load, unload, and the in-place calls that edit rights and quotas.
#include "supervisor.h"

bool appkernel_pinned(const struct appkernel *k)
{
    return k->o.lock && k->space != NULL && k->space->o.lock;
}

static err_t decode(struct instance *in, struct appkernel *first, const struct kernel_desc *d,
                    struct space **space)
{
    if ((d->flags & ~LOAD_LOCKED) != 0 || d->place % sizeof(struct place) != 0 ||
        d->channel % ABI_PAGE != 0 || !is_user_address(d->trap) || !is_user_address(d->fault) ||
        !is_user_address(d->exception)) {
        return ERR_INVAL;
    }
    for (uint32_t i = 0; i < ABI_MAX_CPUS; i++) {
        if (d->share[i] > 100) {
            return ERR_INVAL;
        }
    }
    *space = space_find(in, d->space);
    if (*space == NULL) {
        return ERR_STALE;
    }
    if ((*space)->owner != first || (*space)->kernel != NULL) {
        return ERR_DENIED;
    }
    if (!rights_cover(in, first, d->place, sizeof(struct place), GROUP_WRITE) ||
        !rights_cover(in, first, d->channel, ABI_PAGE, GROUP_WRITE) ||
        (d->frame_count != 0 && !rights_cover(in, first, d->frame_states, d->frame_count, GROUP_WRITE))) {
        return ERR_DENIED;
    }
    return quota_check(in, NULL, &d->limits);
}

void appkernel_fill(struct instance *in, struct appkernel *k, const struct kernel_desc *d, struct space *space)
{
    *k = (struct appkernel){
        .space = space, .root = space->root,
        .trap = d->trap, .fault = d->fault, .exception = d->exception, .cookie = d->cookie,
        .place = arch_phys(d->place), .place_pa = d->place, .channel = arch_phys(d->channel),
        .frame_states = arch_phys(d->frame_states), .first_frame = d->first_frame, .frame_count = d->frame_count,
        .rights = k->rights, .share = k->share, .lower_from = in->threads.size, .o = k->o,
    };
    quota_set(in, k, &d->limits);
    list_init(&k->o.link);
    memset(k->rights, 0, in->groups / 4 + 1);
    share_init(in, k, d->share);
    k->o.lock = d->flags & LOAD_LOCKED;
    k->channel_head = __atomic_load_n(&k->channel->head, __ATOMIC_RELAXED);
    k->place->loaded = 1;
    k->place->reason = REASON_NONE;
    space->kernel = space->manager = k;
    in->stats->loads[OBJECT_KERNEL]++;
}

err_t appkernel_load(struct cpu *cpu, const struct kernel_desc *d, oid_t *id)
{
    struct instance *in = cpu->instance;
    struct space *space;

    err_t e = decode(in, cpu->thread->kern, d, &space);
    if (e != ERR_OK) {
        return e;
    }
    e = cache_make_room(cpu, &in->kernels, OBJECT_KERNEL, NULL);
    in->sweep = (uint32_t)e == ERR_RESTART ? in->sweep : 0;
    if (e != ERR_OK) {
        return e;
    }
    if (space->o.state != OBJECT_LOADED) {
        return ERR_STALE;
    }
    struct appkernel *k = (struct appkernel *)handle_take(&in->kernels, arch_now());
    appkernel_fill(in, k, d, space);
    *id = k->o.id;
    return ERR_OK;
}

// All threads, then all spaces.
static struct object *object_at(struct instance *in, uint32_t i)
{
    return i < in->threads.size ? &thread_at(in, i)->o : &space_at(in, i - in->threads.size)->o;
}

static bool depends_on(const struct object *o, const struct appkernel *k)
{
    const struct thread *t = (const struct thread *)o;
    const struct space *s = (const struct space *)o;

    return o->type == OBJECT_THREAD ? t->kern == k || t->owner == k
                                    : s != k->space && (s->owner == k || s->manager == k);
}

// Unload what depends on k.  True when nothing is left.  k->scan stays at one that is not gone yet.
static bool release_dependents(struct cpu *cpu, struct appkernel *k)
{
    struct instance *in = cpu->instance;
    uint32_t objects = in->threads.size + in->spaces.size;

    for (; k->threads + k->held[OBJECT_SPACE] > 0; k->scan++) {
        struct object *o = object_at(in, k->scan % objects);
        in->work++;
        if (!work_left(in) || (o->state != OBJECT_FREE && depends_on(o, k) &&
                               cache_unload(cpu, o, k->o.reason) != ERR_OK)) {
            return false;
        }
    }
    return true;
}

bool appkernel_unload_step(struct cpu *cpu, struct appkernel *k)
{
    struct instance *in = cpu->instance;

    assert(k->o.state == OBJECT_UNLOADING);
    if (!release_dependents(cpu, k)) {
        return false;
    }
    if (k->space != NULL) { // its own space goes with it
        struct space *own = k->space;
        own->kernel = NULL;
        if (cache_unload(cpu, &own->o, k->o.reason) != ERR_OK) {
            own->kernel = k;
            return false;
        }
        k->space = NULL;
    }
    share_clear(in, k);
    quota_clear(in, k);
    __atomic_store_n(&k->place->reason, k->o.reason, __ATOMIC_RELAXED);
    __atomic_store_n(&k->place->loaded, 0, __ATOMIC_RELEASE);
    in->stats->unloads[OBJECT_KERNEL]++;
    writeback_post(cpu, in->first, &k->o, k->cookie, 0);
    handle_release(&in->kernels, &k->o);
    return true;
}

// Does k, which owns o, still have the right to write its place?
static bool keeps_place(struct instance *in, const struct appkernel *k, const struct object *o)
{
    if (o->type == OBJECT_THREAD) {
        const struct thread *t = (const struct thread *)o;
        return t->owner != k || rights_cover(in, k, t->state_pa, ABI_PAGE, GROUP_WRITE);
    }
    const struct space *s = (const struct space *)o;
    const struct claims *c = &s->claims;
    return s->owner != k || (rights_cover(in, k, s->place_pa, sizeof(struct place), GROUP_WRITE) &&
                             (c->schedule == SCHEDULE_THREADS ||
                              rights_cover(in, k, c->area, area_size(c->activations, c->slots), GROUP_WRITE)));
}

// Write back what has a place of k's in memory that k may no longer write; also what is on its way out already, and is
// written until it is gone.  True when nothing is left.
static bool release_places(struct cpu *cpu, struct appkernel *k)
{
    struct instance *in = cpu->instance;

    for (; k->scan < in->threads.size + in->spaces.size; k->scan++) {
        struct object *o = object_at(in, k->scan);
        in->work += 2;
        if (!work_left(in) || (o->state != OBJECT_FREE && !keeps_place(in, k, o) &&
                               cache_unload(cpu, o, REASON_EVICTED) != ERR_OK)) {
            return false;
        }
    }
    return true;
}

struct grant {
    uint64_t group, count;
    uint32_t access;
};

// The groups twice: does the first kernel have the rights, and then change k's.
static err_t grant_rights(struct instance *in, struct appkernel *k, const struct grant *g)
{
    for (; k->grant_next < 2 * g->count; k->grant_next++) {
        uint64_t group = g->group + k->grant_next % g->count;
        in->work += 4;
        if (!work_left(in)) {
            return (err_t)ERR_RESTART;
        }
        if (k->grant_next >= g->count) {
            k->narrower = k->narrower || (rights_get(k, group) & ~g->access) != 0;
            rights_set(k, group, g->access);
        } else if ((rights_get(in->first, group) & g->access) != g->access) {
            return ERR_DENIED;
        }
    }
    return ERR_OK;
}

// Then unload what they no longer cover.
static err_t narrow(struct cpu *cpu, struct appkernel *k, const struct grant *g)
{
    // A large mapping hangs on the first frame of its 2 MiB, which may lie before the range.
    uint64_t end = (g->group + g->count) * (ABI_GROUP / ABI_PAGE),
             begin = (g->group * (ABI_GROUP / ABI_PAGE)) & ~(uint64_t)(ABI_LARGE / ABI_PAGE - 1);

    for (uint64_t pfn; (pfn = begin + (k->grant_next - 2 * g->count)) < end; k->grant_next++) {
        cpu->instance->work += 2;
        if (!work_left(cpu->instance) || !mapping_revoke(cpu, k, pfn)) {
            return (err_t)ERR_RESTART;
        }
    }
    return release_places(cpu, k) ? ERR_OK : (err_t)ERR_RESTART;
}

err_t appkernel_grant(struct cpu *cpu, struct appkernel *k, uint64_t group, uint64_t count, uint64_t access)
{
    struct instance *in = cpu->instance;
    uint64_t key = group << 32 | count << 2 | access;

    if (count == 0 || group >= in->groups || count > in->groups - group ||
        (access != GROUP_NONE && access != GROUP_READ && access != GROUP_WRITE)) {
        return ERR_INVAL;
    }
    if (k == in->first) {
        return ERR_DENIED;
    }
    if (k->grant_key == 0) {
        k->grant_key = key;
        k->grant_next = k->scan = 0;
        k->narrower = false;
    }
    uint64_t begun = k->grant_key;                  // if it is another one's, that one is finished first
    struct grant g = {begun >> 32, (uint32_t)begun >> 2, begun & 3};
    err_t e = grant_rights(in, k, &g);
    if (e == ERR_OK && k->narrower) {
        e = narrow(cpu, k, &g);
    }
    if ((uint32_t)e != ERR_RESTART) {
        k->grant_key = 0;
    }
    return begun == key ? e : (err_t)ERR_RESTART;
}
