// serve.c - srm's service: each app calls it through two message pages of its own first memory.
//
// The pages belong to page groups that both may write (Cache Kernel, 4.3).  The app writes calls into one and signals
// srm's thread; srm answers in the other and signals the app's first thread, which wakes whoever called.  srm's
// mapping to hear calls is there from the start; each side makes its mapping to send from when a signal shows that it
// is not there, and srm then also the app's to hear answers.  Both may go at any moment, with the app's thread or its
// page tables, and srm's own with them (multi-mapping consistency): the signal faults (main.c), and they are made
// again.
//
// Signals are hints: every round looks at the pages of all apps, so a lost or false one costs nothing.  Nobody can
// stall another: an app's calls are served for a part of each time slice at most, whatever it sends, and no call waits.
#include <base.h>
#include <sys.h>

#include "srm.h"
#include "srm_stubs.h"

enum { CALLS_IN_A_ROW = 16 };            // that serve_wait() serves before everything else has its turn

static va_t here(unsigned index, unsigned page)
{
    return SERVICE_VA + (va_t)(2 * index + page) * ABI_PAGE;             // in the unit that is nobody's memory
}
_Static_assert(SERVICE_PAGE + 2 * POLICY_KERNELS <= ABI_LARGE / ABI_PAGE, "message pages of all apps");

static pa_t page_of(const struct app *a, unsigned page)
{
    return a->range[0].base + (pa_t)page * ABI_PAGE;
}

// The app's mapping for answers, whose signals go to its first thread, and srm's to send from.
static err_t attach(struct app *a, unsigned index)
{
    pa_t answers = page_of(a, PAGE_ANSWERS);
    err_t e = sys_mapping_load_signal(a->space, SERVICE_VA + ABI_PAGE, answers, MAP_READ | MAP_LOCKED, a->thread);

    if (e == ERR_OK) {
        e = sys_mapping_load(srm_info->space, here(index, 1), answers, MAP_WRITE | MAP_MESSAGE | MAP_LOCKED);
    }
    return e;
}

// Signal an answer.  Nobody hears it if that cannot be, and the app finds it when it looks.
static err_t ring_app(va_t va, uint64_t *receivers)
{
    unsigned index = (unsigned)((va - here(0, 0)) / (2 * ABI_PAGE));
    err_t e = com_signal(va, receivers);

    if (e == ERR_STALE && attach(app_number(index), index) == ERR_OK) {
        e = com_signal(va, receivers);
    }
    return e;
}

void serve_open(struct app *a, unsigned index)
{
    static struct com_operations answering;
    err_t e = sys_mapping_load_signal(srm_info->space, here(index, 0), page_of(a, PAGE_CALLS), MAP_READ | MAP_LOCKED,
                                      srm_info->thread);

    if (e != ERR_OK) {
        srm_log("%s cannot call srm: %s", a->policy->name, srm_error_text(e));
    }
    answering = com_page_operations;
    answering.ring = ring_app;
    com_open(&a->calls, NULL, srm_window(page_of(a, PAGE_CALLS)), here(index, 0));
    com_open(&a->answers, &answering, srm_window(page_of(a, PAGE_ANSWERS)), here(index, 1));
    a->server = (struct rpc_server){.object = a->object, .objects = 1 + APP_GRANTS, .owner = a};
    memset(a->object, 0, sizeof(a->object));
    (void)rpc_object_add(&a->server, &account_interface, &account_operations, NULL);
}

void serve_close(struct app *a, unsigned index)
{
    uint64_t count;

    (void)sys_mapping_unload(srm_info->space, here(index, 0), 2 * ABI_PAGE, &count);
    account_release(a);
}

// Serve an app within its part of the present slice.  Gives the moment at which it may go on, if it has used that up.
static uint64_t serve(struct app *a, unsigned count)
{
    uint64_t begin = srm_now(), part = srm_system->slice / 2 / count;

    if (a->state != APP_LIVE) {
        return 0;
    }
    if (begin - a->busy_since >= srm_system->slice) {
        a->busy_since = begin;
        a->busy = 0;
    }
    for (unsigned i = 0; i < COM_SLOTS && a->busy < part; i++) {
        if (rpc_channel_serve(&a->server, &a->calls, &a->answers, 1) == 0) {
            return 0;
        }
        a->busy += srm_now() - begin;
        begin = srm_now();
    }
    return a->busy < part ? begin : a->busy_since + srm_system->slice;
}

uint64_t serve_all(struct app *apps, unsigned count)
{
    uint64_t again = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t when = serve(&apps[i], count);
        again = when != 0 && (again == 0 || when < again) ? when : again;
    }
    return again;
}

void serve_wait(struct app *apps, unsigned count, uint64_t deadline)
{
    for (unsigned i = 0; i < CALLS_IN_A_ROW; i++) {
        va_t va = 0;
        err_t e = sys_wait_signal(deadline, &va);
        uint64_t index = (va - here(0, 0)) / (2 * ABI_PAGE);
        if (e != ERR_OK || va < here(0, 0) || index >= count || serve(&apps[index], count) != 0) {
            return;
        }
    }
}
