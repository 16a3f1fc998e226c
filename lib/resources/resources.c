// resources.c - the thread that asks srm for memory.  See resources.h.
//
// `refused` is the moment until which nobody asks again; while it lies in the past and frames are low, whoever needs
// one wakes the thread.  Grants are known to the thread alone.
#include "resources.h"

#include <base.h>
#include <rpc_channel.h>
#include <srm_stubs.h>
#include <sys.h>

enum { GRANTS = 32, UNITS = 4 };         // asked for at a time
static const uint64_t second = 1000000000;

struct grant {
    uint64_t id;                         // 0: none
    pa_t     base;
    uint64_t length;
};

static struct ak_thread thread;
static struct rpc_channel channel;
static struct rpc_client client = {&rpc_channel_transport, &channel, 0, 0};
static struct grant grants[GRANTS];
static uint64_t account, low_mark;
static uint64_t refused = UINT64_MAX;    // a
static uint32_t asking;                  // a  the thread was woken and has not come to an end

// ---- the channel --------------------------------------------------------------------------------------------

static void wait(struct rpc_channel *r, uint64_t deadline)
{
    (void)r;
    (void)ak_block(&thread, deadline);
}

static void signalled(va_t va)
{
    if (com_is_mine(&channel.answers, va)) {
        ak_wake(&thread);
    }
}

// The mapping to send from may be replaced at any moment.
static err_t ring(va_t va, uint64_t *receivers)
{
    err_t e = com_signal(va, receivers);

    if (e == ERR_STALE) {
        oid_t space = __atomic_load_n(&ak_info->space, __ATOMIC_RELAXED);
        (void)sys_mapping_load(space, ak_info->service_va, ak_info->service, MAP_WRITE | MAP_MESSAGE);
        e = com_signal(va, receivers);
    }
    return e;
}

static void open_channel(void)
{
    static struct com_operations calling;

    calling = com_page_operations;
    calling.ring = ring;
    com_open(&channel.calls, &calling, ak_window(ak_info->service), ak_info->service_va);
    com_open(&channel.answers, NULL, ak_window(ak_info->service + ABI_PAGE), ak_info->service_va + ABI_PAGE);
    channel.wait = wait;
    channel.again = ak_ticks_from_ns(second / 100);
    client.patience = ak_ticks_from_ns(second);
    ak_signalled = signalled;
}

// ---- more and less ------------------------------------------------------------------------------------------

static uint32_t ask(struct grant *g)
{
    struct account_more_out m;
    uint32_t e = account_more(&client, account, &(struct account_more_in){UNITS}, &m);

    if (e == ERR_LIMIT || e == ERR_AGAIN) {
        e = account_more(&client, account, &(struct account_more_in){1}, &m);
    }
    if (e == ERR_OK) {
        *g = (struct grant){m.grant, m.base, m.length};
    }
    return e;
}

static bool more(void)
{
    for (unsigned i = 0; i < GRANTS; i++) {
        struct grant *g = &grants[i];
        if (g->id != 0) {
            continue;
        }
        if (ask(g) != ERR_OK) {
            return false;
        }
        if (!ak_frames_add(g->base, g->length)) {
            (void)grant_give(&client, g->id);
            g->id = 0;
            return false;
        }
        ak_log("%lu MiB more from srm", (unsigned long)(g->length >> 20));
        return true;
    }
    return false;
}

// Give a grant back that is wholly free, if twice the mark is free without it.
static void less(void)
{
    for (unsigned i = 0; i < GRANTS; i++) {
        struct grant *g = &grants[i];
        if (g->id == 0 || ak_frames_free() < 2 * low_mark + (g->length >> ABI_PAGE_SHIFT) ||
            !ak_frames_remove(g->base)) {
            continue;
        }
        uint32_t e = grant_give(&client, g->id);
        ak_log("%lu MiB back to srm%s%s", (unsigned long)(g->length >> 20), e == ERR_OK ? "" : ": ",
               e == ERR_OK ? "" : rpc_error_text(e));
        if (e == ERR_OK) {
            g->id = 0;
        } else {
            (void)ak_frames_add(g->base, g->length);     // there is a place: it had one
        }
    }
}

static bool has_grants(void)
{
    for (unsigned i = 0; i < GRANTS; i++) {
        if (grants[i].id != 0) {
            return true;
        }
    }
    return false;
}

static void run(void *arg)
{
    (void)arg;
    uint32_t e = rpc_bind(&client, ACCOUNT_SIGNATURE, &account);
    if (e != ERR_OK) {
        ak_log("no service of srm: %s", rpc_error_text(e));
    }
    __atomic_store_n(&refused, e == ERR_OK ? 0 : UINT64_MAX, __ATOMIC_RELEASE);
    for (;;) {
        if (ak_frames_free() < low_mark && ak_now() >= refused) {
            if (!more()) {
                __atomic_store_n(&refused, ak_now() + ak_ticks_from_ns(second), __ATOMIC_RELEASE);
            }
            continue;
        }
        less();
        __atomic_store_n(&asking, 0, __ATOMIC_RELEASE);          // pairs with resources_frame()
        (void)ak_block(&thread, has_grants() ? ak_now() + ak_ticks_from_ns(second / 2) : 0);
    }
}

bool resources_begin(uint64_t low)
{
    uint64_t has = 0;

    for (uint32_t i = 0; i < ak_info->ranges; i++) {
        has += ak_info->range[i].length;
    }
    if (ak_info->service == 0 || ak_info->most <= has ||
        ak_thread_create(&thread, ak_info->limits.max_priority, 0) != ERR_OK) {
        return false;
    }
    low_mark = low;
    open_channel();
    ak_thread_run(&thread, run, NULL);
    return true;
}

// ---- frames -------------------------------------------------------------------------------------------------

// More may come, and somebody asks for it.
static bool may_come(void)
{
    if (ak_now() < __atomic_load_n(&refused, __ATOMIC_ACQUIRE)) {
        return false;
    }
    if (__atomic_exchange_n(&asking, 1, __ATOMIC_ACQ_REL) == 0) {
        ak_wake(&thread);
    }
    return true;
}

pa_t resources_frame(void)
{
    pa_t frame = ak_frame_alloc();

    if (ak_frames_free() >= low_mark || !may_come()) {
        return frame;
    }
    while (frame == 0 && may_come()) {
        ak_pause();
        frame = ak_frame_alloc();
    }
    return frame;
}
