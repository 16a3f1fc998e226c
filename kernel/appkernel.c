// appkernel.c - kernel objects: load, unload, and the in-place calls that edit rights and quotas.
#include "appkernel.h"

#include "arch.h"
#include "assert.h"
#include "base.h"
#include "cache.h"
#include "instance.h"
#include "mapping.h"
#include "quota.h"
#include "rights.h"
#include "share.h"
#include "writeback.h"

bool appkernel_pinned(const struct appkernel *k)
{
    return k->o.lock && k->space != NULL && k->space->o.lock;
}

static bool entry_ok(va_t va)
{
    return va != 0 && va < ABI_USER_END;
}

static err_t decode(struct instance *in, struct appkernel *first, const struct kernel_desc *d,
                    struct space **space)
{
    if ((d->flags & ~LOAD_LOCKED) != 0 || d->place % sizeof(struct place) != 0 ||
        d->channel % ABI_PAGE != 0 || !entry_ok(d->trap) || !entry_ok(d->fault) || !entry_ok(d->exception)) {
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

void appkernel_fill(struct instance *in, struct appkernel *k, const struct kernel_desc *d,
                    struct space *space)
{
    uint8_t *rights = k->rights;
    struct share *share = k->share;
    struct object o = k->o;

    *k = (struct appkernel){
        .space = space,
        .root = space->root,
        .trap = d->trap,
        .fault = d->fault,
        .exception = d->exception,
        .cookie = d->cookie,
        .place = arch_phys(d->place),
        .place_pa = d->place,
        .channel = arch_phys(d->channel),
        .channel_pa = d->channel,
        .frame_states = arch_phys(d->frame_states),
        .frame_states_pa = d->frame_states,
        .first_frame = d->first_frame,
        .frame_count = d->frame_count,
        .rights = rights,
        .share = share,
        .o = o,
    };
    quota_set(k, &d->limits);
    list_init(&k->o.link);
    memset(rights, 0, in->groups / 4 + 1);
    share_init(in, k, d->share);
    k->o.lock = d->flags & LOAD_LOCKED;
    k->channel_head = __atomic_load_n(&k->channel->head, __ATOMIC_RELAXED);
    k->place->loaded = 1;
    k->place->reason = REASON_NONE;
    space->kernel = space->manager = k;
    in->stats->loads[OBJECT_KERNEL]++;
    in->stats->free_kernels = in->kernels.free;
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

// Take one step on every object that depends on k.  True when none is left.
static bool release_dependents(struct cpu *cpu, struct appkernel *k)
{
    struct instance *in = cpu->instance;

    for (uint32_t i = 0; k->threads > 0 && i < in->threads.size; i++) {
        struct thread *t = thread_at(in, i);
        if (t->o.state != OBJECT_FREE && (t->kern == k || t->owner == k) &&
            cache_unload(cpu, &t->o, k->o.reason) != ERR_OK) {
            return false;
        }
    }
    for (uint32_t i = 0; k->held[OBJECT_SPACE] > 0 && i < in->spaces.size; i++) {
        struct space *s = space_at(in, i);
        if (s->o.state == OBJECT_FREE || s == k->space || (s->owner != k && s->manager != k)) {
            continue;
        }
        return cache_unload(cpu, &s->o, k->o.reason) == ERR_OK && false; // one space a step
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
    __atomic_store_n(&k->place->reason, k->o.reason, __ATOMIC_RELAXED);
    __atomic_store_n(&k->place->loaded, 0, __ATOMIC_RELEASE);
    in->stats->unloads[OBJECT_KERNEL]++;
    writeback_post(cpu, in->first, &k->o, k->cookie, 0);
    handle_release(&in->kernels, &k->o);
    in->stats->free_kernels = in->kernels.free;
    return true;
}

// Write back what has a place of k's in memory that k may no longer write; also what is on its way out already, and is
// written until it is gone.  True when nothing is left.
static bool release_places(struct cpu *cpu, struct appkernel *k)
{
    struct instance *in = cpu->instance;

    for (uint32_t i = 0; i < in->threads.size; i++) {
        struct thread *t = thread_at(in, i);
        if (t->o.state != OBJECT_FREE && t->owner == k &&
            !rights_cover(in, k, t->state_pa, ABI_PAGE, GROUP_WRITE) &&
            cache_unload(cpu, &t->o, REASON_EVICTED) != ERR_OK) {
            return false;
        }
    }
    for (uint32_t i = 0; i < in->spaces.size; i++) {
        struct space *s = space_at(in, i);
        if (s->o.state != OBJECT_FREE && s->owner == k &&
            !rights_cover(in, k, s->place_pa, sizeof(struct place), GROUP_WRITE) &&
            cache_unload(cpu, &s->o, REASON_EVICTED) != ERR_OK) {
            return false;
        }
    }
    return true;
}

err_t appkernel_grant(struct cpu *cpu, struct appkernel *k, uint64_t group, uint64_t count, uint32_t access)
{
    struct instance *in = cpu->instance;
    enum { STEP_FRAMES = 512 };

    if (count == 0 || group >= in->groups || count > in->groups - group ||
        (access != GROUP_NONE && access != GROUP_READ && access != GROUP_WRITE)) {
        return ERR_INVAL;
    }
    if (k == in->first ||
        !rights_cover(in, in->first, group << ABI_GROUP_SHIFT, count << ABI_GROUP_SHIFT, access)) {
        return ERR_DENIED;
    }
    // A large mapping hangs on the first frame of its 2 MiB, which may lie before the range.
    uint64_t key = group << 32 | count << 2 | access, end = (group + count) * (ABI_GROUP / ABI_PAGE),
             begin = (group * (ABI_GROUP / ABI_PAGE)) & ~(uint64_t)(ABI_LARGE / ABI_PAGE - 1);
    if (k->grant_key != key || k->grant_next < begin || k->grant_next >= end) {
        bool narrower = false;
        for (uint64_t g = group; g < group + count; g++) {
            narrower = narrower || (rights_get(k, g) & ~access) != 0;
            rights_set(k, g, access);
        }
        if (!narrower) {
            return ERR_OK;
        }
        k->grant_key = key;
        k->grant_next = begin;
    }
    uint64_t stop = end - k->grant_next > STEP_FRAMES ? k->grant_next + STEP_FRAMES : end;
    for (; k->grant_next < stop; k->grant_next++) {
        mapping_revoke(cpu, k, k->grant_next);
    }
    if (stop < end || !release_places(cpu, k)) {
        k->grant_next = stop < end ? stop : end - 1;
        return (err_t)ERR_RESTART;
    }
    k->grant_key = 0;
    return ERR_OK;
}
