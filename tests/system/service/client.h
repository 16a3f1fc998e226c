// client.h - a test kernel's end of srm's service: one thread, which waits for the answer itself.
#pragma once
#include <rpc_channel.h>
#include <srm_stubs.h>

#include "../harness.h"

static struct rpc_channel srm_channel;
static struct rpc_client  srm_client = {&rpc_channel_transport, &srm_channel, 0, 0};

static inline void client_wait(struct rpc_channel *r, uint64_t deadline)
{
    va_t va = 0;

    (void)r;
    (void)sys_wait_signal(deadline, &va);
}

// The mapping to send from may go at any moment, and is made again.
static inline err_t client_ring(va_t va, uint64_t *receivers)
{
    err_t e = com_signal(va, receivers);

    if (e != ERR_OK) {
        oid_t space = *(volatile const oid_t *)&info->space;
        (void)sys_mapping_load(space, info->service_va, info->service, MAP_WRITE | MAP_MESSAGE);
        e = com_signal(va, receivers);
    }
    return e;
}

// The pages are written and read through the window, which is always there; signals go by their message mappings.
static inline void client_open(void)
{
    static struct com_operations calling;

    calling = com_page_operations;
    calling.ring = client_ring;
    com_open(&srm_channel.calls, &calling, window(info->service), info->service_va);
    com_open(&srm_channel.answers, NULL, window(info->service + ABI_PAGE), info->service_va + ABI_PAGE);
    srm_channel.wait = client_wait;
    srm_channel.again = milliseconds(5);
    srm_client.patience = milliseconds(60000);       // the host may be slow
}
