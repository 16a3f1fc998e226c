// clocked.h - for tests of shares: a clock that moves from one timer to the next, and kernels with shares.
//
// The test plays threads that always want to run, and adds up itself how long each kernel's ran where.
// Two thousand ticks are a slice, a million a second.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "arch/host/host.h"
#include "share.h"

enum { SECOND = 1000000, SLICE = 2000, CPUS = 4, KERNELS = 8, MIDDLE = 16 };

static pa_t next_frame;
static uint64_t ran[KERNELS][CPUS], last;        // by kernel slot
static void (*played)(uint32_t n);               // what the program on n does after an interrupt
static void (*passed)(uint64_t ticks);           // so long everything has been as it is

// ---- the machine ------------------------------------------------------------------------------------------

static inline void boot(uint32_t cpus)
{
    host_boot(cpus, 64 << 20, "kernels=8 slice=2000");
    next_frame = host_instance()->info->range[0].base;
    memset(ran, 0, sizeof(ran));
    last = host.clock;
}

static inline pa_t frame(void)
{
    next_frame += ABI_PAGE;
    memset(host_at(next_frame), 0, ABI_PAGE);
    return next_frame;
}

static inline void add_up(void)
{
    for (uint32_t i = 0; i < host.cpus; i++) {
        struct thread *t = host_instance()->cpu[i].thread;
        if (t != NULL) {
            ran[t->kern->o.slot][i] += host.clock - last;
        }
    }
    if (passed != NULL) {
        passed(host.clock - last);
    }
    last = host.clock;
}

static inline void settle(void)
{
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < host.cpus; i++) {
            struct host_cpu *h = &host.cpu[i];
            if (h->ipi || (h->timer != 0 && h->timer <= host.clock)) {
                add_up();
                host_deliver(i);
                if (played != NULL) {
                    played(i);
                }
                more = true;
            }
        }
    }
}

// Time passes, all threads do nothing but run.
static inline void run_until(uint64_t end)
{
    static unsigned steps;

    settle();
    while (host.clock < end) {
        uint64_t next = end;
        for (uint32_t i = 0; i < host.cpus; i++) {
            uint64_t timer = host.cpu[i].timer;
            next = timer != 0 && timer < next ? timer : next;
        }
        host.clock = next > host.clock ? next : host.clock;
        settle();
        if (++steps % 16 == 0) {
            host_check();
        }
    }
    add_up();
}

// A call of the first kernel's thread, which runs.
static inline int64_t call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t *value)
{
    const uint64_t args[6] = {a, b, c};
    uint32_t n = 0;

    while (host_instance()->cpu[n].thread == NULL ||
           host_instance()->cpu[n].thread->o.id != host_instance()->info->thread) {
        n++;
        assert_true(n < host.cpus);
    }
    add_up();
    int64_t e = host_call(n, number, args, value);
    host_check();
    return e;
}

// The first kernel's thread sleeps so long; nothing of that counts for it.
static inline void sleep_for(uint64_t ticks)
{
    uint64_t end = host.clock + ticks;

    assert_int_equal(call(SYS_wait, end, 0, 0, NULL), -1);
    run_until(end + 100);
}

// ---- kernels and threads ----------------------------------------------------------------------------------

struct kernel {
    oid_t id, space;
    uint32_t slot;
};

// With this space as its own.
static inline struct kernel load_on(oid_t space, const uint8_t share[CPUS])
{
    pa_t page = frame();
    struct kernel_desc *d = host_at(page);
    struct kernel k = {.space = space};

    *d = (struct kernel_desc){.space = k.space, .trap = HOST_TRAP, .fault = HOST_FAULT,
                              .exception = HOST_EXCEPTION, .place = frame(), .channel = frame(),
                              .limits.max_priority = ABI_PRIORITIES - 1};
    memcpy(d->share, share, CPUS);
    assert_int_equal(call(SYS_kernel_load, ABI_WINDOW + page, 0, 0, &k.id), ERR_OK);
    k.slot = OID_SLOT(k.id);
    return k;
}

static inline struct kernel load(const uint8_t share[CPUS])
{
    pa_t page = frame();
    struct space_desc *s = host_at(page);
    oid_t space;

    *s = (struct space_desc){.rule = TRAP_NATIVE, .place = frame()};
    assert_int_equal(call(SYS_space_load, ABI_WINDOW + page, 0, 0, &space), ERR_OK);
    return load_on(space, share);
}

static inline struct kernel load_even(uint8_t share)
{
    return load((uint8_t[]){share, share, share, share});
}

static inline oid_t start(struct kernel k, uint32_t priority, uint64_t affinity)
{
    pa_t state = frame(), page = frame();
    struct thread_desc *d = host_at(page);
    uint64_t id;

    ((struct thread_state *)host_at(state))->frame[0].rip = HOST_TEXT;
    *d = (struct thread_desc){.space = k.space, .priority = priority, .state = state,
                              .state_va = ABI_WINDOW + state, .xstack = 0x700000, .affinity = affinity};
    assert_int_equal(call(SYS_thread_load, ABI_WINDOW + page, 0, 0, &id), ERR_OK);
    return id;
}

static inline double percent(struct kernel k, uint32_t cpu)
{
    return (double)ran[k.slot][cpu] * 100 / SECOND;
}

static inline const struct kernel_usage *usage(struct kernel k, uint32_t cpu)
{
    const struct kernel_usage *u = host_at(host_instance()->system + SYSTEM_USAGE_PAGE * ABI_PAGE);

    return &u[k.slot * host.cpus + cpu];
}

// Within five parts of a hundred of what is expected.
static inline void expect(const char *what, double got, double wanted)
{
    printf("%s: %.2f, wanted %.2f\n", what, got, wanted);
    assert_true(got <= wanted * 1.05 + 0.1 && got >= wanted * 0.95 - 0.1);
}

static inline void measure(uint64_t seconds)
{
    memset(ran, 0, sizeof(ran));
    sleep_for(seconds * SECOND);
    for (uint32_t k = 0; k < KERNELS; k++) {
        for (uint32_t i = 0; i < CPUS; i++) {
            ran[k][i] /= seconds;
        }
    }
}
