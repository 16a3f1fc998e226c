// memory.c - the memory of programs: faults, reaching it from a call, and the space that caches it.
//
// A region's tag is the distance of its guard pages, 0 for none: the lowest page of each `tag` bytes is refused.  So a
// thousand stacks are one region.
#include <base.h>
#include <communication.h>
#include <resources.h>
#include <sys.h>

#include "program.h"

static pa_t frame(struct manager *m)
{
    (void)m;
    return resources_frame();
}

void memory_init(struct program *p)
{
    static const struct manager_ops ops = {.frame = frame};

    p->manager = (struct manager){.ops = &ops, .cluster = AK_CLUSTER_ANY};
    p->as = (struct aspace){.manager = &p->manager, .most_regions = REGIONS_MOST};
}

static bool is_guard(struct program *p, va_t va)
{
    const struct region *r = va < ABI_USER_END ? aspace_find(&p->as, va) : NULL;

    return r != NULL && r->tag != 0 && (va & (r->tag - 1)) < ABI_PAGE;
}

// Let others have the lock until the page that was asked for last has arrived.
static void await_page(struct task *t)
{
    uint64_t until = t->program->arrival;

    program_unlock(t);
    task_sleep(t, until);
    program_lock(t);
}

// As long as the program goes on.
static bool must_await(const struct task *t, err_t e)
{
    return e == ERR_AGAIN && !program_ending(t->program);
}

err_t memory_reach(struct task *t, va_t va, uint32_t access, uint8_t **at)
{
    struct program *p = t->program;
    uint64_t entry;
    err_t e;

    for (;;) {
        e = is_guard(p, va) ? ERR_DENIED : aspace_page(&p->as, va, access, &entry);
        if (!must_await(t, e)) {
            break;
        }
        await_page(t);
    }
    if (e == ERR_OK) {
        *at = (uint8_t *)ak_window(entry_frame(entry)) + (va & (ABI_PAGE - 1));
    }
    return e == ERR_AGAIN ? ERR_DENIED : e;
}

err_t memory_copy_in(struct task *t, void *to, va_t from, size_t length)
{
    uint8_t *out = to, *at;
    err_t e = ERR_OK;

    if (from >= ABI_USER_END || length > ABI_USER_END - from) {
        return ERR_INVAL;
    }
    program_lock(t);
    while (length > 0 && e == ERR_OK) {
        size_t n = ABI_PAGE - (from & (ABI_PAGE - 1));
        n = n < length ? n : length;
        e = memory_reach(t, from, E_READ, &at);
        if (e == ERR_OK) {
            memcpy(out, at, n);
            out += n;
            from += n;
            length -= n;
        }
    }
    program_unlock(t);
    return e;
}

// ---- the space --------------------------------------------------------------------------------------------

struct space_desc memory_space_desc(const struct program *p)
{
    struct space_desc d = {.rule = TRAP_NATIVE, .cookie = (uint64_t)p, .place = p->place};

    if (p->schedule == SCHEDULE_ACTIVATIONS) {
        d.schedule = SCHEDULE_ACTIVATIONS;
        d.priority = p->priority;
        d.activations = (uint32_t)p->note.activations;
        d.slots = (uint32_t)p->note.slots;
        d.area = p->area;
        d.area_va = p->info->area;
        d.upcall = p->note.upcall;
    }
    return d;
}

err_t memory_load_space(struct task *t)
{
    struct program *p = t->program;
    err_t e = ERR_OK;

    if (p->as.id == t->thread.space) {       // no other thread has done it
        if (p->as.id != 0) {
            ak_space_finish(p->as.id);       // it writes its place, which the next one shares
            p->as.id = 0;
        }
        struct space_desc d = memory_space_desc(p);
        e = sys_space_load(&d, &p->as.id);
        if (e == ERR_OK) {
            turn_take(p);
        }
    }
    if (e != ERR_OK) {
        p->as.id = 0;
    }
    t->thread.space = p->as.id;
    if (e != ERR_OK && e != ERR_AGAIN) {
        ak_panic("the space of %s cannot be loaded: error %d", p->name, e);
    }
    return e;
}

void memory_space(struct task *t)
{
    uint64_t until;

    for (;;) {
        while ((until = turn_begins(t->program)) != 0 && !program_ending(t->program)) {
            task_sleep(t, until);
        }
        program_lock(t);
        err_t e = memory_load_space(t);
        program_unlock(t);
        if (e == ERR_OK) {
            return;
        }
        ak_pause();
    }
}

// ---- faults -----------------------------------------------------------------------------------------------

static void refuse(struct task *t, err_t e, const struct frame *f)
{
    ak_complain(e == ERR_LIMIT ? "%s: there is no memory for %lx" : "%s may not touch %lx: rip %lx, error %lx",
           t->program->name, (unsigned long)f->addr, (unsigned long)f->rip, (unsigned long)f->error);
    program_end(t->program, t, e == ERR_LIMIT ? PROGRAM_NO_MEMORY : PROGRAM_FAILED);
}

// The page is there: load it and go on.  While others run in the program, it must not be taken away in between.
static _Noreturn void map_and_return(struct task *t, const struct map_entry *load)
{
    struct program *p = t->program;
    bool alone = p->count == 1;
    err_t e = ERR_OK;

    if (!alone && p->as.id != 0) {
        e = sys_mapping_load(p->as.id, load->va, load->pa, load->flags);
    }
    t->thread.space = p->as.id;
    program_unlock(t);
    if (alone && t->thread.space != 0 && !program_ending(p)) {
        ak_returning(&t->thread);
        e = ak_map_and_resume(&t->thread, load->va, load->pa, load->flags);
        ak_staying(&t->thread);
    }
    if (e == ERR_AGAIN) {
        ak_pause();                      // then the program touches it once more
    }
    task_return(t);
}

_Noreturn void native_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
void native_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct task *t = (struct task *)cookie;
    struct frame *f = &s->frame[depth];
    struct map_entry load;
    err_t e;

    while (depth != 0 && com_fault(f)) {
        (void)ak_resume(&t->thread);     // a message page is not mapped at present
    }
    if (depth != 0) {
        ak_panic("fault at %lx, address %lx, depth %u", (unsigned long)f->rip, (unsigned long)f->addr, depth);
    }
    program_lock(t);
    for (;;) {
        e = is_guard(t->program, f->addr) ? ERR_DENIED : aspace_fault(&t->program->as, f->addr, f->error, &load);
        if (!must_await(t, e)) {
            break;
        }
        await_page(t);
    }
    if (e == ERR_OK) {
        map_and_return(t, &load);
    }
    bool told = t->program->schedule == SCHEDULE_ACTIVATIONS && (e == ERR_INVAL || e == ERR_DENIED);
    if (e != ERR_AGAIN && !told) {
        refuse(t, e, f);
    }
    program_unlock(t);
    if (told) {
        activation_fault(t);
    }
    task_return(t);
}
