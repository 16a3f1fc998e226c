// two_kernels.c - for tests with kernels beside the first one.
#include "two_kernels.h"

#include <assert.h>
#include <string.h>

#include <abi/syscalls.h>

static struct test_kernel *first;

int64_t kernel_call(struct test_kernel *k, uint64_t number, const uint64_t a[6], uint64_t *value)
{
    int64_t e = host_call(k->cpu, number, a, value);

    host_deliver_all();
    host_check();
    return e;
}

pa_t kernel_pages(struct test_kernel *k, unsigned count)
{
    pa_t page = k->memory + k->taken * (pa_t)ABI_PAGE;

    k->taken += count;
    assert(k->taken <= 512);
    memset(host_at(page), 0, count * (size_t)ABI_PAGE);
    return page;
}

// The first page of its memory is for descriptors: at TEST_AT, and in the first kernel's window.
int64_t kernel_load(struct test_kernel *k, uint64_t number, const void *desc, size_t size, oid_t *id)
{
    uint64_t a[6] = {k == first ? ABI_WINDOW + k->memory : TEST_AT};
    int64_t e;

    memcpy(host_at(k->memory), desc, size);
    while ((e = kernel_call(k, number, a, id)) == ERR_AGAIN) {
        host_advance(host_instance()->slice / 2);
    }
    return e;
}

int64_t kernel_limits(struct test_kernel *k, const struct kernel_limits *l)
{
    uint64_t a[6] = {k->id, ABI_WINDOW + first->memory};

    memcpy(host_at(first->memory), l, sizeof(*l));
    return kernel_call(first, SYS_kernel_limits, a, NULL);
}

static void must(int64_t e)
{
    assert(e == ERR_OK);
}

void kernel_reload(struct test_kernel *k)
{
    uint64_t grant[6] = {0, k->memory >> ABI_GROUP_SHIFT, ABI_LARGE / ABI_GROUP, GROUP_WRITE};
    uint64_t map[6] = {0, TEST_AT, k->memory, MAP_READ | MAP_WRITE | MAP_LOCKED};
    struct space_desc s = {.flags = LOAD_LOCKED, .rule = TRAP_NATIVE, .place = k->desc.place + 64};
    pa_t state = k->desc.place + ABI_PAGE;
    struct thread_desc t = {.flags = LOAD_LOCKED,
                            .priority = 20,
                            .state = state,
                            .state_va = ABI_WINDOW + state,
                            .xstack = ABI_WINDOW + state + ABI_PAGE,
                            .affinity = 1ull << k->cpu};

    must(kernel_load(first, SYS_space_load, &s, sizeof(s), &k->space));
    map[0] = t.space = k->desc.space = k->space;
    must(kernel_call(first, SYS_mapping_load, map, NULL));
    must(kernel_load(first, SYS_kernel_load, &k->desc, sizeof(k->desc), &k->id));
    grant[0] = k->id;
    must(kernel_call(first, SYS_kernel_grant, grant, NULL));
    ((struct thread_state *)host_at(state))->frame[0].rip = HOST_TEXT;
    must(kernel_load(first, SYS_thread_load, &t, sizeof(t), &k->thread));
    host_deliver_all();
    assert(host_instance()->cpu[k->cpu].thread == thread_find(host_instance(), k->thread));
}

// Its place and the space's, its first thread's state page, its channel, its frame states.
static void load_one(struct test_kernel *k, const struct kernel_limits *limits)
{
    pa_t own = kernel_pages(first, 4);

    k->taken = 1;
    k->desc = (struct kernel_desc){.flags = LOAD_LOCKED,
                                   .trap = HOST_TRAP,
                                   .fault = HOST_FAULT,
                                   .exception = HOST_EXCEPTION,
                                   .place = own,
                                   .channel = own + 2 * ABI_PAGE,
                                   .frame_states = own + 3 * ABI_PAGE,
                                   .first_frame = k->memory >> ABI_PAGE_SHIFT,
                                   .frame_count = ABI_LARGE / ABI_PAGE,
                                   .limits = *limits};
    memset(k->desc.share, 100, sizeof(k->desc.share));
    kernel_reload(k);
}

void kernels_boot(const char *cmdline, struct test_kernel *k, unsigned count, const struct kernel_limits *limits)
{
    struct instance *in;

    host_boot(count, 64 << 20, cmdline);
    in = host_instance();
    memset(k, 0, count * sizeof(*k));
    first = &k[0];
    for (unsigned i = 0; i < count; i++) {
        k[i].cpu = i;
        k[i].memory = in->info->range[0].base + i * (pa_t)ABI_LARGE;
    }
    *first = (struct test_kernel){.id = in->info->kernel, .space = in->info->space, .thread = in->info->thread,
                                  .memory = first->memory, .taken = 1};
    for (unsigned i = 1; i < count; i++) {
        load_one(&k[i], &limits[i]);
    }
}
