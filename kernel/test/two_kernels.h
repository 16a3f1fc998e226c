// two_kernels.h - for tests with kernels beside the first one: each is pinned, and runs on a processor of its own.
#pragma once
#include "arch/host/host.h"

enum { TEST_PAGES = 256, TEST_AT = 0x10000 };

struct test_kernel {
    oid_t    id, space, thread;
    uint32_t cpu;
    pa_t     memory;                     // a 2-MiB unit that it may write
    unsigned taken;                      // pages of it
    struct kernel_desc desc;
};

// Boot with this many processors; the first kernel is k[0], and k[1], k[2]... are loaded with these limits.
void kernels_boot(const char *cmdline, struct test_kernel *k, unsigned count, const struct kernel_limits *limits);
// A call by a thread of k's; every invariant is checked.  *value gets what it gives.
int64_t kernel_call(struct test_kernel *k, uint64_t number, const uint64_t a[6], uint64_t *value);
// The same with a descriptor, which is copied to where the kernel can read it.  Waits while the answer is `again`.
int64_t kernel_load(struct test_kernel *k, uint64_t number, const void *desc, size_t size, oid_t *id);
int64_t kernel_limits(struct test_kernel *k, const struct kernel_limits *l);       // set by the first kernel
// Load a kernel again that was unloaded: k->desc says what, but for its own space; it has its whole unit.
void kernel_reload(struct test_kernel *k);
// Pages of k's, cleared.
pa_t kernel_pages(struct test_kernel *k, unsigned count);
