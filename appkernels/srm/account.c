// account.c - what an app can ask of srm: memory, its share and priority, who else is there.
//
// Each function checks everything before it changes anything, and takes a bounded time: at most MORE_UNITS units are
// cleared or mapped by one call, and what cannot be had at once is answered with AGAIN.
// An app's object table has its account first, and an object for each grant of memory.
// Cache Kernel, 3: the SRM allocates memory in large units, for seconds to minutes.
#include <base.h>
#include <sys.h>

#include "memory.h"
#include "srm.h"
#include "srm_stubs.h"

enum { MORE_UNITS = 8 };

static uint64_t first_units(const struct app *a)
{
    uint64_t units = 0;

    for (unsigned i = 0; i < a->ranges; i++) {
        units += a->range[i].length / ABI_LARGE;
    }
    return units;
}

static uint64_t granted_units(const struct app *a)
{
    uint64_t units = 0;

    for (unsigned i = 0; i < APP_GRANTS; i++) {
        units += a->grant[i].length / ABI_LARGE;
    }
    return units;
}

static uint64_t most_units(const struct app *a)
{
    uint64_t first = first_units(a), most = a->policy->most / ABI_LARGE;
    return most > first ? most : first;
}

static uint32_t account_do_null(struct rpc_server *s, struct rpc_object *o)
{
    (void)s, (void)o;
    return ERR_OK;
}

static uint32_t account_do_status(struct rpc_server *s, struct rpc_object *o, struct account_status_out *out)
{
    const struct app *a = s->owner;

    (void)o;
    out->units = first_units(a);
    out->granted = granted_units(a);
    out->most = most_units(a);
    out->priority = a->priority;
    out->priority_most = (uint32_t)a->priority_given;
    out->share_most = (uint32_t)a->share_given;
    out->share_count = srm_system->cpus;
    memcpy(out->share, a->share, srm_system->cpus);
    out->calls = s->calls;
    return ERR_OK;
}

// ---- grants of memory ---------------------------------------------------------------------------------------

static uint32_t grant_do_where(struct rpc_server *s, struct rpc_object *o, struct grant_where_out *out)
{
    const struct memory_range *r = o->self;

    (void)s;
    out->base = r->base;
    out->length = r->length;
    return ERR_OK;
}

// One that is being written back may still run for a moment: it asks again when it is loaded.
static uint32_t grant_do_give(struct rpc_server *s, struct rpc_object *o)
{
    struct memory_range *r = o->self;
    err_t e = app_unload_range(s->owner, r);

    if (e != ERR_OK) {
        return e == ERR_STALE ? ERR_AGAIN : e;
    }
    memory_give(r);
    r->length = 0;
    rpc_object_remove(s, o);
    return ERR_OK;
}

static const struct grant_operations grant_operations = {grant_do_where, grant_do_give};

static struct memory_range *free_grant(struct app *a)
{
    for (unsigned i = 0; i < APP_GRANTS; i++) {
        if (a->grant[i].length == 0) {
            return &a->grant[i];
        }
    }
    return NULL;
}

static void clear(const struct memory_range *r)
{
    for (uint64_t at = 0; at < r->length; at += ABI_LARGE) {
        if (memory_is_used(r->base + at)) {
            memset(srm_window(r->base + at), 0, ABI_LARGE);
        }
    }
}

static uint32_t account_do_more(struct rpc_server *s, struct rpc_object *o, const struct account_more_in *in,
                                struct account_more_out *out)
{
    struct app *a = s->owner;
    struct memory_range *r = free_grant(a);

    (void)o;
    if (in->units == 0 || in->units > MORE_UNITS) {
        return ERR_INVAL;
    }
    if (r == NULL || first_units(a) + granted_units(a) + in->units > most_units(a)) {
        return ERR_LIMIT;
    }
    if (memory_take(in->units, r, 1) != 1) {
        return ERR_AGAIN;
    }
    clear(r);
    err_t e = app_load_range(a, r);
    // Stale: it is being written back, and will find this memory loaded when it is loaded again.
    if (e != ERR_OK && e != ERR_STALE && app_unload_range(a, r) == ERR_OK) {
        memory_give(r);
        r->length = 0;
        return e;
    }
    out->grant = rpc_object_add(s, &grant_interface, &grant_operations, r);     // there are as many objects as grants
    out->base = r->base;
    out->length = r->length;
    return ERR_OK;
}

void account_release(struct app *a)
{
    for (unsigned i = 0; i < APP_GRANTS; i++) {
        if (a->grant[i].length != 0) {
            memory_give(&a->grant[i]);
            a->grant[i].length = 0;
        }
    }
}

// ---- processors ---------------------------------------------------------------------------------------------

static uint32_t account_do_share(struct rpc_server *s, struct rpc_object *o, const struct account_share_in *in)
{
    struct app *a = s->owner;

    (void)o;
    if (in->processor >= srm_system->cpus) {
        return ERR_INVAL;
    }
    if (in->percent > a->share_given) {
        return ERR_DENIED;
    }
    err_t e = sys_kernel_share(a->kernel, in->processor, in->percent);
    if (e == ERR_OK || e == ERR_STALE) {
        a->share[in->processor] = (uint8_t)in->percent;                  // at its next load, if it is not loaded
        return ERR_OK;
    }
    return e;
}

static uint32_t account_do_priority(struct rpc_server *s, struct rpc_object *o, const struct account_priority_in *in)
{
    struct app *a = s->owner;
    struct kernel_limits limits = app_limits(a, in->highest);

    (void)o;
    if (in->highest > a->priority_given) {
        return ERR_DENIED;
    }
    err_t e = sys_kernel_limits(a->kernel, &limits);
    if (e == ERR_OK || e == ERR_STALE) {
        a->priority = in->highest;
        return ERR_OK;
    }
    return e;
}

// ---- who else is there --------------------------------------------------------------------------------------

static uint32_t account_do_kernel(struct rpc_server *s, struct rpc_object *o, const struct account_kernel_in *in,
                                  struct account_kernel_out *out)
{
    const struct app *a = app_number(in->number);

    (void)s, (void)o;
    if (a == NULL) {
        return ERR_INVAL;
    }
    _Static_assert(sizeof(out->name) == POLICY_NAME, "a kernel's name");
    memcpy(out->name, a->policy->name, sizeof(out->name));
    out->state = a->state;
    out->value = a->value;
    out->units = first_units(a) + granted_units(a);
    return ERR_OK;
}

const struct account_operations account_operations = {
    .null = account_do_null, .status = account_do_status, .more = account_do_more, .share = account_do_share,
    .priority = account_do_priority, .kernel = account_do_kernel,
};
