// load.c - loading an app's descriptors, at its start and whenever they have been written back.
//
// The order is that of dependence: its own space, the mappings in it, the kernel, its rights, its first
// thread. Between any two of these calls what was loaded before may be evicted again, which the next call
// answers with `stale`: then it starts over.  `again` is waited out.
// Cache Kernel, 2.1, 2.4 and 3.
#include <base.h>
#include <sys.h>

#include "srm.h"

const char *srm_error_text(err_t e)
{
    static const char *const text[] = {
#define ERROR(number, name, sentence) [number] = sentence,
#include <abi/errors.def>
#undef ERROR
    };
    return (unsigned)e < sizeof(text) / sizeof(text[0]) && text[e] != NULL ? text[e] : "an unknown error";
}

void srm_wait_a_little(void)
{
    (void)sys_wait(srm_now() + srm_system->slice / 4);
}

static err_t load_space(struct app *a, unsigned index)
{
    struct space_desc d = {
        .flags = a->locked ? LOAD_LOCKED : 0, .rule = TRAP_NATIVE, .cookie = APP_COOKIE(index, PART_SPACE),
        .place = srm_window_pa(&a->place[1]),
    };
    return sys_space_load(&d, &a->space);
}

// Map memory in its space by locked large mappings, a batch at a time.
static err_t map(struct app *a, va_t va, pa_t pa, uint64_t length, uint32_t access)
{
    struct map_entry entry[MAP_BATCH];

    while (length > 0) {
        uint64_t n = 0, loaded = 0;
        for (; n < MAP_BATCH && n * ABI_LARGE < length; n++) {
            entry[n] = (struct map_entry){va + n * ABI_LARGE, pa + n * ABI_LARGE,
                                          access | MAP_LARGE | MAP_LOCKED};
        }
        err_t e = sys_mapping_load_batch(a->space, entry, n, &loaded);
        if (e == ERR_AGAIN) {
            srm_wait_a_little();
        } else if (e != ERR_OK) {
            return e;
        }
        va += loaded * ABI_LARGE;
        pa += loaded * ABI_LARGE;
        length -= loaded * ABI_LARGE;
    }
    return ERR_OK;
}

static uint64_t whole_units(uint64_t length)
{
    return (length + ABI_LARGE - 1) & ~(uint64_t)(ABI_LARGE - 1);
}

static err_t map_all(struct app *a, unsigned index)
{
    err_t e = ERR_OK;

    for (unsigned i = 0; i < a->segments && e == ERR_OK; i++) {
        const struct app_segment *s = &a->segment[i];
        e = map(a, s->va, s->memory.base, s->memory.length, s->flags);
    }
    for (unsigned i = 0; i < a->ranges && e == ERR_OK; i++) {
        e = map(a, ABI_WINDOW + a->range[i].base, a->range[i].base, a->range[i].length, MAP_READ | MAP_WRITE);
    }
    for (unsigned i = 0; i < APP_GRANTS && e == ERR_OK; i++) {
        e = map(a, ABI_WINDOW + a->grant[i].base, a->grant[i].base, a->grant[i].length, MAP_READ | MAP_WRITE);
    }
    if (e == ERR_OK) {
        e = map(a, ABI_WINDOW + a->loan.base, a->loan.base, a->loan.length, MAP_READ | MAP_WRITE);
    }
    if (e == ERR_OK) {
        e = map(a, ABI_WINDOW + srm_info->system, srm_info->system, ABI_LARGE, MAP_READ);
    }
    if (e == ERR_OK) {
        e = map(a, ABI_WINDOW + srm_info->archive, srm_info->archive, whole_units(srm_info->archive_length),
                MAP_READ);
    }
    return e == ERR_OK ? app_map_devices(a, index) : e;
}

static struct kernel_range range(const struct policy_range *r)
{
    return (struct kernel_range){(uint32_t)r->least, (uint32_t)r->most};
}

struct kernel_limits app_limits(const struct app *a, uint32_t priority)
{
    const struct policy_kernel *p = a->policy;

    return (struct kernel_limits){
        .max_priority = priority,
        .locked_spaces = (uint32_t)p->spaces,
        .locked_threads = (uint32_t)p->threads,
        .locked_mappings = (uint32_t)p->mappings,
        .range = {[OBJECT_SPACE] = range(&p->space),
                  [OBJECT_THREAD] = range(&p->thread),
                  [OBJECT_MAPPING] = range(&p->mapping)},
    };
}

static err_t load_kernel(struct app *a, unsigned index)
{
    struct kernel_desc d = {
        .space = a->space, .flags = a->locked ? LOAD_LOCKED : 0,
        .trap = a->note.trap, .fault = a->note.fault, .exception = a->note.exception,
        .place = srm_window_pa(&a->place[0]), .channel = a->range[0].base + PAGE_CHANNEL * ABI_PAGE,
        .frame_states = a->range[0].base + PAGE_FRAME_STATES * ABI_PAGE,
        .first_frame = a->first_frame, .frame_count = a->frame_count,
        .cookie = APP_COOKIE(index, PART_KERNEL),
        .limits = app_limits(a, a->priority),
    };

    memcpy(d.share, a->share, sizeof(d.share));
    return sys_kernel_load(&d, &a->kernel);
}

static err_t grant(struct app *a, pa_t base, uint64_t length, uint32_t access)
{
    return sys_kernel_grant(a->kernel, base >> ABI_GROUP_SHIFT, length >> ABI_GROUP_SHIFT, access);
}

static err_t grant_all(struct app *a)
{
    err_t e = grant(a, srm_info->system, ABI_LARGE, GROUP_READ);

    if (e == ERR_OK) {
        e = grant(a, srm_info->archive, whole_units(srm_info->archive_length), GROUP_READ);
    }
    if (e == ERR_OK && a->loan.length != 0) {
        e = grant(a, a->loan.base, a->loan.length, GROUP_WRITE);
    }
    for (unsigned i = 0; i < a->ranges && e == ERR_OK; i++) {
        e = grant(a, a->range[i].base, a->range[i].length, GROUP_WRITE);
    }
    for (unsigned i = 0; i < a->segments && e == ERR_OK; i++) {
        e = grant(a, a->segment[i].memory.base, a->segment[i].memory.length, GROUP_WRITE);
    }
    for (unsigned i = 0; i < APP_GRANTS && e == ERR_OK; i++) {
        e = a->grant[i].length == 0 ? ERR_OK : grant(a, a->grant[i].base, a->grant[i].length, GROUP_WRITE);
    }
    return e;
}

// Its first thread learns its id from this word, and others signal it by that.  Who found the old one stale did so
// before this one was written: so it is signalled once more, and looks at everything.
static void tell_thread(struct app *a)
{
    struct kernel_info *i = srm_window(a->range[0].base + PAGE_INFO * ABI_PAGE);

    __atomic_store_n(&i->thread, a->thread, __ATOMIC_RELEASE);
    if (a->ran) {
        (void)sys_signal(a->thread);
    }
}

err_t app_load_thread(struct app *a, unsigned index)
{
    pa_t state = a->range[0].base + PAGE_STATE * ABI_PAGE;
    // If it was waiting, what it waits for may have come while it was not loaded: let it look.
    struct thread_desc d = {
        .space = a->space, .flags = (a->locked ? LOAD_LOCKED : 0) | (a->ran ? LOAD_SIGNALED : 0),
        .priority = a->priority, .state = state, .state_va = ABI_WINDOW + state,
        .xstack = a->note.xstack & ~15ull, .cookie = APP_COOKIE(index, PART_THREAD),
    };

    for (;;) {
        err_t e = sys_thread_load(&d, &a->thread);
        if (e == ERR_OK) {
            tell_thread(a);
            a->ran = true;
            e = app_map_signals(a, index);
        }
        if (e != ERR_AGAIN) {
            return e;
        }
        srm_wait_a_little();
    }
}

// Its channel may have missed what went with it: let it look at everything.
static void tell_ids(struct app *a)
{
    struct kernel_info *i = srm_window(a->range[0].base + PAGE_INFO * ABI_PAGE);
    struct channel *c = srm_window(a->range[0].base + PAGE_CHANNEL * ABI_PAGE);

    __atomic_store_n(&i->kernel, a->kernel, __ATOMIC_RELAXED);
    __atomic_store_n(&i->space, a->space, __ATOMIC_RELAXED);
    __atomic_store_n(&i->limits.max_priority, a->priority, __ATOMIC_RELAXED);
    __atomic_store_n(&c->lost, c->lost + 1, __ATOMIC_RELEASE);
}

static err_t try_load(struct app *a, unsigned index)
{
    app_unload(a);                       // what is left of an earlier try
    err_t e = load_space(a, index);
    if (e == ERR_OK) {
        e = map_all(a, index);
    }
    if (e == ERR_OK) {
        while ((e = load_kernel(a, index)) == ERR_AGAIN) {
            srm_wait_a_little();
        }
    }
    if (e == ERR_OK) {
        e = grant_all(a);
    }
    if (e == ERR_OK) {
        tell_ids(a);
        e = app_load_thread(a, index);
    }
    return e;
}

bool app_load(struct app *a, unsigned index)
{
    for (;;) {
        err_t e = try_load(a, index);
        if (e == ERR_OK) {
            return true;
        }
        if (e != ERR_STALE && e != ERR_AGAIN) {
            srm_log("policy line %u: %s cannot be loaded: %s", a->policy->number, a->policy->name,
                    srm_error_text(e));
            app_unload(a);
            return false;
        }
        srm_wait_a_little();
    }
}

// Unload an object, or finish its unload that has begun elsewhere: with the id in R9 the call goes on with that, and
// comes back when all is gone.  Else what is left of it could still be written to memory that others have by then.
static void unload(uint64_t call, oid_t id)
{
    register uint64_t r8 __asm__("r8") = 0;
    register uint64_t r9 __asm__("r9") = id;
    uint64_t rdx = 0;

    __asm__ volatile("syscall" : "+a"(call), "+d"(rdx), "+r"(r8), "+r"(r9) : "D"(id), "S"(0)
                     : "rcx", "r11", "memory");
}

void app_unload(struct app *a)
{
    if (a->kernel != 0) {
        unload(SYS_kernel_unload, a->kernel);
    }
    if (a->space != 0) {
        unload(SYS_space_unload, a->space);
    }
    a->kernel = a->space = a->thread = 0;
}

// ---- memory for a time ------------------------------------------------------------------------------------

static void tell_loan(struct app *a, uint64_t length, uint64_t ends)
{
    struct kernel_info *i = srm_window(a->range[0].base + PAGE_INFO * ABI_PAGE);

    i->loan.base = a->loan.base;
    i->loan.cluster = a->loan.cluster;
    i->loan_ends = ends;
    __atomic_store_n(&i->loan.length, length, __ATOMIC_RELEASE);
    (void)sys_signal(a->thread);                 // stale: it looks when it is loaded again
}

// Evicted or swapped out, it gets the loan when it is loaded again; one that is half loaded is loaded from the start.
void app_open_loan(struct app *a, uint64_t ends)
{
    if (!a->out && (map(a, ABI_WINDOW + a->loan.base, a->loan.base, a->loan.length, MAP_READ | MAP_WRITE) != ERR_OK ||
                    grant(a, a->loan.base, a->loan.length, GROUP_WRITE) != ERR_OK)) {
        app_unload(a);
    }
    tell_loan(a, a->loan.length, ends);
}

void app_close_loan(struct app *a)
{
    uint64_t n;

    tell_loan(a, 0, 0);
    if (!a->out && (grant(a, a->loan.base, a->loan.length, GROUP_NONE) != ERR_OK ||
                    sys_mapping_unload(a->space, ABI_WINDOW + a->loan.base, a->loan.length, &n) != ERR_OK)) {
        app_unload(a);
    }
}

// ---- memory that it asked for ---------------------------------------------------------------------------------

err_t app_load_range(struct app *a, const struct memory_range *r)
{
    err_t e = grant(a, r->base, r->length, GROUP_WRITE);

    for (uint64_t at = r->base; at < r->base + r->length && e == ERR_OK; at += ABI_LARGE) {
        e = sys_mapping_load(a->space, ABI_WINDOW + at, at, MAP_READ | MAP_WRITE | MAP_LARGE | MAP_LOCKED);
    }
    return e;
}

// Narrowing its rights unloads what the app mapped; what srm mapped for it is unloaded here.
err_t app_unload_range(struct app *a, const struct memory_range *r)
{
    uint64_t count = 0;
    err_t e = grant(a, r->base, r->length, GROUP_NONE);

    if (e == ERR_OK) {
        e = sys_mapping_unload(a->space, ABI_WINDOW + r->base, r->length, &count);
    }
    return e;
}
