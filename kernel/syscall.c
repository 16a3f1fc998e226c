// syscall.c - calls of the supervisor.
#include <abi/syscalls.h>

#include "supervisor.h"

enum who { WHO_NOBODY, FIRST, KERNEL, ANY };

struct call {
    struct cpu       *cpu;
    struct instance  *in;
    struct thread    *self;
    struct appkernel *kern;
    struct frame     *frame;
    uint64_t          a[6];
    uint64_t          value;      // for RDX
    va_t              bad;        // with ERR_USER_FAULT and _WRITE
};

typedef err_t (*call_fn)(struct call *c);

// May c's kernel act on this thread?
static struct thread *own_thread(struct call *c, oid_t id, err_t *e)
{
    struct thread *t = thread_find(c->in, id);

    *e = t == NULL ? ERR_STALE : t->owner != c->kern && t->kern != c->kern ? ERR_DENIED : ERR_OK;
    return *e == ERR_OK ? t : NULL;
}

// Unload, or go on with an unload.  That a restarted call was the one that began it is noted in the caller's R9:
// if the object is gone by then, the call has done what it should.
static err_t unload(struct call *c, struct cache *cache, struct object *o)
{
    oid_t id = c->a[0];

    if (o == NULL && OID_SLOT(id) < cache->size) {
        struct object *slot = cache_at(cache, OID_SLOT(id));
        o = slot->state == OBJECT_UNLOADING && slot->last_id == id && c->a[5] == id ? slot : NULL;
    }
    if (o == NULL) {
        return c->a[5] == id && id != 0 ? ERR_OK : ERR_STALE;
    }
    c->frame->r9 = id;
    return cache_unload(c->cpu, o, REASON_UNLOADED);
}

static err_t sys_kernel_load(struct call *c)
{
    struct kernel_desc d;

    err_t e = usercopy_in(c->cpu, &d, c->a[0], sizeof(d), &c->bad);
    return e != ERR_OK ? e : appkernel_load(c->cpu, &d, &c->value);
}

static err_t sys_kernel_unload(struct call *c)
{
    struct appkernel *k = kernel_find(c->in, c->a[0]);

    return k == c->in->first && k != NULL ? ERR_DENIED : unload(c, &c->in->kernels, k == NULL ? NULL : &k->o);
}

static err_t sys_kernel_grant(struct call *c)
{
    struct appkernel *k = kernel_find(c->in, c->a[0]);

    return k == NULL ? ERR_STALE : appkernel_grant(c->cpu, k, c->a[1], c->a[2], c->a[3]);
}

static err_t sys_kernel_share(struct call *c)
{
    struct appkernel *k = kernel_find(c->in, c->a[0]);

    if (k == NULL) {
        return ERR_STALE;
    }
    if (c->a[1] >= c->in->cpus || c->a[2] > 100) {
        return ERR_INVAL;
    }
    if (k == c->in->first) {
        return ERR_DENIED;                        // everybody waits for it at times
    }
    share_set(c->cpu, &c->in->cpu[c->a[1]], k, (uint32_t)c->a[2]);
    return ERR_OK;
}

static err_t sys_kernel_limits(struct call *c)
{
    struct appkernel *k = kernel_find(c->in, c->a[0]);
    struct kernel_limits l;

    if (k == NULL) {
        return ERR_STALE;
    }
    err_t e = usercopy_in(c->cpu, &l, c->a[1], sizeof(l), &c->bad);
    e = e != ERR_OK ? e : quota_check(c->in, k, &l);
    return e != ERR_OK ? e : quota_change(c->cpu, k, &l);
}

static err_t sys_space_load(struct call *c)
{
    struct space_desc d;

    err_t e = usercopy_in(c->cpu, &d, c->a[0], sizeof(d), &c->bad);
    return e != ERR_OK ? e : space_load(c->cpu, c->kern, &d, &c->value);
}

static err_t sys_space_unload(struct call *c)
{
    struct space *s = space_find(c->in, c->a[0]);

    if (s != NULL && (s->owner != c->kern || s->kernel == c->in->first)) {
        return ERR_DENIED;
    }
    return unload(c, &c->in->spaces, s == NULL ? NULL : &s->o);
}

static err_t sys_thread_load(struct call *c)
{
    struct thread_desc d;

    err_t e = usercopy_in(c->cpu, &d, c->a[0], sizeof(d), &c->bad);
    return e != ERR_OK ? e : thread_load(c->cpu, c->kern, &d, &c->value);
}

static err_t sys_thread_unload(struct call *c)
{
    err_t e;

    if (c->a[0] == 0 || c->a[0] == c->self->o.id) {
        c->frame->rip += 2;                       // reloaded as it is, it goes on after the call
        thread_doom(c->cpu, c->self, REASON_EXITED, c->a[1]);
        cache_step(c->cpu, &c->self->o);
        return (err_t)ERR_NO_RESULT;
    }
    struct thread *t = own_thread(c, c->a[0], &e);
    return e == ERR_DENIED ? e : unload(c, &c->in->threads, t == NULL ? NULL : &t->o);
}

static err_t sys_thread_priority(struct call *c)
{
    err_t e;
    struct thread *t = own_thread(c, c->a[0], &e);

    if (t == NULL) {
        return e;
    }
    if (c->a[1] >= ABI_PRIORITIES) {
        return ERR_INVAL;
    }
    if (c->a[1] > c->kern->limits.max_priority) {
        return ERR_LIMIT;
    }
    if (t->home != NULL) {
        return ERR_DENIED;                        // the priority of an activation is its space's
    }
    sched_set_priority(c->cpu, t, (uint32_t)c->a[1]);
    return ERR_OK;
}

static err_t load_one(struct call *c, struct space *s, va_t va, pa_t pa, uint64_t flags)
{
    if (mapping_load_quick(c->in, c->kern, s, va, pa, flags)) {
        return ERR_OK;
    }
    if (!work_left(c->in)) {
        return (err_t)ERR_RESTART;                // of a batch
    }
    return flags & (MAP_SIGNAL | MAP_COPY) ? ERR_INVAL : mapping_load(c->cpu, c->kern, s, va, pa, flags, NULL);
}

// With a receiver, whose id is the fifth argument, or a copy source, the sixth.
static err_t load_more(struct call *c, struct space *s)
{
    struct map_more more = {.source = c->a[5]};
    err_t e;

    if (c->a[3] & MAP_SIGNAL) {
        more.receiver = own_thread(c, c->a[4], &e);
        if (more.receiver == NULL) {
            return e;
        }
    }
    return mapping_load(c->cpu, c->kern, s, c->a[1], c->a[2], c->a[3], &more);
}

static err_t sys_mapping_load(struct call *c)
{
    struct space *s = space_find(c->in, c->a[0]);

    if (s == NULL) {
        return ERR_STALE;
    }
    return c->a[3] & (MAP_SIGNAL | MAP_COPY) ? load_more(c, s) : load_one(c, s, c->a[1], c->a[2], c->a[3]);
}

// As many entries of the array at `at` as are usual and lie in the same page.
static uint64_t load_usual(struct call *c, struct space *s, va_t at, uint64_t count)
{
    size_t rest;
    const struct map_entry *entry = usercopy_see(c->cpu, at, &rest);

    if (entry == NULL || at % _Alignof(struct map_entry) != 0) {
        return 0;
    }
    rest /= sizeof(*entry);
    return mapping_load_some(c->in, c->kern, s, entry, rest < count ? rest : count);
}

// Entries are loaded in order until one cannot be; the value says how many were.  Progress is in the caller's R9.
static err_t sys_mapping_load_batch(struct call *c)
{
    struct space *s = space_find(c->in, c->a[0]);
    struct map_entry entry;

    if (c->a[2] == 0 || c->a[2] > MAP_BATCH) {
        return ERR_INVAL;
    }
    if (s == NULL) {
        return ERR_STALE;
    }
    uint64_t done = c->a[5] < c->a[2] ? c->a[5] : 0;
    err_t e = ERR_OK;
    while (e == ERR_OK && done < c->a[2]) {
        done += load_usual(c, s, c->a[1] + done * sizeof(entry), c->a[2] - done);
        if (done < c->a[2]) {
            e = usercopy_in(c->cpu, &entry, c->a[1] + done * sizeof(entry), sizeof(entry), &c->bad);
            e = e != ERR_OK ? e : load_one(c, s, entry.va, entry.pa, entry.flags);
            done += e == ERR_OK;
        }
    }
    c->frame->r9 = c->value = done;
    return e;
}

static err_t sys_mapping_load_and_resume(struct call *c)
{
    struct space *s = space_find(c->in, c->a[0]);

    if (c->self->depth == 0) {
        return ERR_DEPTH;
    }
    err_t e = s == NULL ? ERR_STALE : load_one(c, s, c->a[1], c->a[2], c->a[3]);
    if (e != ERR_OK) {
        return e;
    }
    c->frame->rip += 2;
    trap_resume(c->cpu, c->a[0]);
    return (err_t)ERR_NO_RESULT;
}

// mapping_unload and mapping_protect: progress is kept in the caller's R8 and R9.
static err_t range_call(struct call *c, uint32_t access)
{
    struct space *s = space_find(c->in, c->a[0]);
    va_t va = c->a[1], end = va + c->a[2], at = c->a[5];

    if (s == NULL) {
        return ERR_STALE;
    }
    if (s->owner != c->kern && s->manager != c->kern) {
        return ERR_DENIED;
    }
    if ((va | end) & (ABI_PAGE - 1) || end <= va || end > ABI_USER_END) {
        return ERR_INVAL;
    }
    at = at <= va || at > end || at & (ABI_PAGE - 1) ? va : at;
    c->value = c->a[4];
    err_t e = mapping_range_step(c->cpu, s, &at, end, access, REASON_UNLOADED, &c->value);
    c->frame->r8 = c->value;
    c->frame->r9 = at;
    return e;
}

static err_t sys_mapping_unload(struct call *c)
{
    return range_call(c, 0);
}

static err_t sys_mapping_protect(struct call *c)
{
    if (c->a[3] == 0 || (c->a[3] & ~(uint64_t)(MAP_READ | MAP_WRITE | MAP_EXEC))) {
        return ERR_INVAL;
    }
    return range_call(c, (uint32_t)c->a[3]);
}

// Not reached: kernel_syscall() does this one without the lock.
#define sys_resume NULL

static err_t sys_signal(struct call *c)
{
    err_t e;
    struct thread *t = own_thread(c, c->a[0], &e);

    if (t != NULL) {
        sched_signal(c->cpu, t);
    }
    return e;
}

static err_t sys_pinned(struct call *c)
{
    bool pinned = false;

    err_t e = pinned_ask(c->in, c->kern, c->a[0], c->a[1], c->a[2], &pinned);
    c->value = e == ERR_OK && pinned;
    return e;
}

static err_t wait_until(struct call *c, uint64_t deadline)
{
    c->frame->rip += 2;                           // from here on it cannot be restarted
    c->frame->rdx = 0;                            // the address of a signal, if one ends the wait
    err_t e = sched_wait(c->cpu, c->self, deadline);
    if (e != (err_t)ERR_NO_RESULT) {
        c->frame->rip -= 2;
        c->value = signal_take(c->self);
    }
    return e;
}

static err_t sys_wait(struct call *c)
{
    return wait_until(c, c->a[0]);
}

static err_t sys_signal_at(struct call *c)
{
    c->bad = c->a[0];
    return signal_send(c->cpu, c->a[0], &c->value);
}

static err_t sys_signal_wait(struct call *c)
{
    err_t e = sys_signal_at(c);

    c->value = 0;
    return e != ERR_OK ? e : wait_until(c, c->a[1]);
}

static err_t sys_signal_return(struct call *c)
{
    return signal_return(c->cpu);
}

static err_t sys_yield(struct call *c)
{
    c->frame->rip += 2;
    c->frame->rax = ERR_OK;
    sched_yield(c->cpu);
    return (err_t)ERR_NO_RESULT;
}

static err_t sys_listen(struct call *c)
{
    err_t e;
    struct thread *t = own_thread(c, c->a[0] == 0 ? c->self->o.id : c->a[0], &e);

    if (t != NULL) {
        c->kern->listener = t->o.id;
    }
    return e;
}

static err_t sys_processors(struct call *c)
{
    return activation_processors(c->self, &c->value);
}

static err_t sys_processor_release(struct call *c)
{
    return activation_release(c->cpu, c->self);
}

static err_t sys_upcall(struct call *c)
{
    if (c->a[1] != UPCALL_FAULT && c->a[1] != UPCALL_OWNER) {
        return ERR_INVAL;
    }
    return trap_upcall(c->cpu, c->a[0], (uint32_t)c->a[1], c->a[2]);
}

static err_t sys_power_off(struct call *c)
{
    kprint("power off, status %u\n", (uint32_t)(c->a[0] & 255));
    arch_power_off((uint32_t)(c->a[0] & 255));
}

static const call_fn table[SYS_COUNT] = {
#define SYSCALL(number, name, who, arguments, text) [number] = sys_##name,
#include <abi/syscalls.def>
#undef SYSCALL
};

static const uint8_t who_may[SYS_COUNT] = {
#define SYSCALL(number, name, who, arguments, text) [number] = who,
#include <abi/syscalls.def>
#undef SYSCALL
};

bool syscall_is_any(uint64_t number)
{
    return number < SYS_COUNT && who_may[number] == ANY;
}

// Write the result, unless the caller has gone or is to execute the call again.
static void finish(struct call *c, oid_t caller, err_t e)
{
    if ((uint32_t)e < ERR_RESTART && c->self->o.id == caller) {
        c->frame->rip += 2;
        c->frame->rax = e;
        c->frame->rdx = c->value;
    } else if ((uint32_t)e >= ERR_USER_FAULT && c->self->o.id == caller) {
        uint64_t error = (uint32_t)e == ERR_USER_WRITE ? FAULT_WRITE : 0;
        c->cpu->stats->faults++;
        trap_forward(c->cpu, FRAME_FAULT, 14, lost_explain(c->cpu, error, c->bad), c->bad);
    }
}

// Not inline: kernel_syscall() does without all of this on the fast paths.
__attribute__((noinline)) void syscall_run(struct cpu *cpu, struct thread *t, uint64_t number)
{
    struct frame *f = cpu->frame;
    struct call c = {.cpu = cpu, .in = cpu->instance, .self = t, .kern = t->kern, .frame = f,
                     .a = {f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9}};
    oid_t id = t->o.id;
    err_t e;

    f->rip -= 2;
    instance_lock(cpu);
    if (number >= SYS_COUNT || table[number] == NULL) {
        e = ERR_NOCALL;
    } else if (who_may[number] == FIRST && t->kern != c.in->first) {
        e = ERR_DENIED;
    } else if (t->o.id == 0) {
        e = (err_t)ERR_RESTART;                   // being unloaded: goes on when it is loaded again
    } else {
        e = table[number](&c);
    }
    finish(&c, id, e);
    if (cpu->resched) {
        sched_exit(cpu);
    }
    instance_unlock(cpu);
    if ((uint32_t)e == ERR_RESTART) {
        arch_relax();                             // not before: who has to do the rest may need the lock for it
    }
}
