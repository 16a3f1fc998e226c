// test_scans.c - searches over caches of thousands: each step of them is bounded, and they find what is there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "two_kernels.h"

enum { THREADS = 4000, MOST_WORK = STEP_WORK + 100 };

static struct test_kernel k[2];
static unsigned steps;

static void boot(const char *cmdline)
{
    const struct kernel_limits limits[2] = {{0}, {.max_priority = 20, .locked_spaces = 1, .locked_threads = 1,
                                                  .locked_mappings = 4}};

    kernels_boot(cmdline, k, 2, limits);
}

// One entry; a[5] is carried on.
static bool once(struct test_kernel *by, uint64_t number, uint64_t a[6])
{
    struct frame *f = host_enter(by->cpu)->frame;
    bool done = host_call_once(by->cpu, number, a);

    assert_in_range(host_instance()->work, 0, MOST_WORK);
    host_check();
    a[5] = f->r9;
    steps++;
    return done;
}

static int64_t call(struct test_kernel *by, uint64_t number, const void *argument, size_t size, oid_t *id)
{
    uint64_t a[6] = {by == &k[0] ? ABI_WINDOW + k[0].memory : TEST_AT};
    struct frame *f = host_enter(by->cpu)->frame;

    memcpy(host_at(by->memory), argument, size);
    steps = 0;
    while (!once(by, number, a)) {
        host_deliver_all();
    }
    *id = f->rdx;
    return (int64_t)f->rax;
}

static struct thread_desc desc_of(struct test_kernel *owner, oid_t space, pa_t state)
{
    ((struct thread_state *)host_at(state))->frame[0].rip = HOST_TEXT;
    return (struct thread_desc){.priority = 5, .space = space, .state = state, .state_va = ABI_WINDOW + state,
                                .xstack = ABI_WINDOW + state + ABI_PAGE, .affinity = 1ull << owner->cpu};
}

static oid_t space_of(struct test_kernel *owner)
{
    struct space_desc s = {.rule = TRAP_FORWARD, .place = kernel_pages(owner, 1)};
    oid_t id;

    assert_int_equal(kernel_load(owner, SYS_space_load, &s, sizeof(s), &id), ERR_OK);
    return id;
}

// Threads of k[1] in a space of its own; gives the first one's state page.
static pa_t threads_of(unsigned count, oid_t *id)
{
    oid_t space = space_of(&k[1]);
    pa_t state = kernel_pages(&k[1], count + 1);

    for (unsigned i = 0; i < count; i++) {
        struct thread_desc t = desc_of(&k[1], space, state + i * (pa_t)ABI_PAGE);
        assert_int_equal(kernel_load(&k[1], SYS_thread_load, &t, sizeof(t), &id[i]), ERR_OK);
    }
    return state;
}

// A kernel at its maximum looks for one of its own among all slots.
static void test_own_victim(void **state)
{
    struct kernel_limits l = {.max_priority = 20, .locked_spaces = 1, .locked_threads = 1, .locked_mappings = 4,
                              .range[OBJECT_THREAD] = {0, 3}};
    oid_t id[3], more;

    (void)state;
    boot("threads=4000");
    (void)threads_of(3, id);
    assert_int_equal(kernel_limits(&k[1], &l), ERR_OK);
    host_instance()->threads.hand = THREADS / 2;
    host_advance(2 * host_instance()->slice);
    struct thread_desc t = desc_of(&k[1], space_of(&k[1]), kernel_pages(&k[1], 2));
    assert_int_equal(call(&k[1], SYS_thread_load, &t, sizeof(t), &more), ERR_OK);
    assert_in_range(steps, 5, 20);
    unsigned left = 0;
    for (unsigned i = 0; i < 3; i++) {
        left += thread_find(host_instance(), id[i]) != NULL;
    }
    assert_int_equal(left, 2);
    assert_non_null(thread_find(host_instance(), more));
    // All of its own are just loaded, and ready: nothing is found, and the next search begins anew.
    t.state = kernel_pages(&k[1], 2);
    ((struct thread_state *)host_at(t.state))->frame[0].rip = HOST_TEXT;
    uint64_t now = arch_now();
    for (unsigned i = 0; i < THREADS; i++) {
        thread_at(host_instance(), i)->o.loaded_at = now;
    }
    assert_int_equal(call(&k[1], SYS_thread_load, &t, sizeof(t), &more), ERR_AGAIN);
    assert_int_equal(kernel_find(host_instance(), k[1].id)->looked[OBJECT_THREAD], 0);
    host_shutdown();
}

// A lower priority for all threads of a kernel; the call may be left after a step, then the next one goes on.
static void priorities(bool left)
{
    enum { COUNT = 200 };
    struct kernel_limits l = {.max_priority = 3, .locked_spaces = 1, .locked_threads = 1, .locked_mappings = 4};
    oid_t id[COUNT];

    boot("threads=4000");
    (void)threads_of(COUNT, id);
    uint64_t a[6] = {k[1].id, ABI_WINDOW + k[0].memory};
    memcpy(host_at(k[0].memory), &l, sizeof(l));
    assert_false(once(&k[0], SYS_kernel_limits, a));
    assert_int_equal(thread_find(host_instance(), id[COUNT - 1])->priority, 5);
    if (left) {
        l.max_priority = 4;          // for those that are left
        memcpy(host_at(k[0].memory), &l, sizeof(l));
    }
    while (!once(&k[0], SYS_kernel_limits, a)) {
    }
    for (unsigned i = 0; i < COUNT; i++) {
        assert_in_range(thread_find(host_instance(), id[i])->priority, 3, l.max_priority);
    }
    host_shutdown();
}

static void test_priorities(void **state)
{
    (void)state;
    priorities(false);
    priorities(true);
}

static unsigned waiting(const oid_t *id, unsigned count)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        n += thread_find(host_instance(), id[i])->status == THREAD_WAITING;
    }
    return n;
}

// Many waits end at the same moment: a tick ends as many as a step may, and the timer comes again for the others.
static void test_deadlines(void **state)
{
    enum { COUNT = 200 };
    oid_t id[COUNT];
    const uint64_t forever[6] = {0};

    (void)state;
    boot("threads=4000");
    (void)threads_of(COUNT, id);
    const uint64_t until[6] = {host.clock + 1000000};
    assert_int_equal(host_call(k[1].cpu, SYS_wait, forever, NULL), -1);
    for (unsigned i = 0; i < 2 * COUNT; i++) {       // each forwards its first call to its handler, which waits
        assert_int_equal(host_call(k[1].cpu, SYS_wait, until, NULL), -1);
    }
    assert_int_equal(waiting(id, COUNT), COUNT);
    host.clock = until[0];
    host_interrupt(k[1].cpu, ARCH_IRQ_TIMER);
    assert_in_range(host_instance()->work, STEP_WORK, MOST_WORK);
    assert_in_range(waiting(id, COUNT), COUNT / 2, COUNT - 2);
    assert_in_range(host.cpu[k[1].cpu].timer, 1, host.clock);
    for (unsigned tick = 1; tick < COUNT * WORK_WAKE / STEP_WORK; tick++) {
        host_deliver_all();
    }
    assert_int_equal(waiting(id, COUNT), 0);
    host_shutdown();
}

// The kernel cache is full, and the only one that may go has a thread: what that does, a sweep over all finds.
static oid_t kernel_of(unsigned i)
{
    struct space_desc s = {.rule = TRAP_NATIVE, .place = kernel_pages(&k[0], 1)};
    struct kernel_desc d = k[1].desc;

    d.flags = 0;
    d.place = kernel_pages(&k[0], 1);
    d.channel = kernel_pages(&k[0], 1);
    d.cookie = 100 + i;
    d.limits = (struct kernel_limits){.max_priority = 20};
    assert_int_equal(kernel_load(&k[0], SYS_space_load, &s, sizeof(s), &d.space), ERR_OK);
    oid_t id, space = d.space;
    assert_int_equal(call(&k[0], SYS_kernel_load, &d, sizeof(d), &id), ERR_OK);
    struct thread_desc t = desc_of(&k[0], space, kernel_pages(&k[0], 2));
    t.affinity = 2;
    oid_t thread;
    assert_int_equal(kernel_load(&k[0], SYS_thread_load, &t, sizeof(t), &thread), ERR_OK);
    return id;
}

static void test_kernel_victim(void **state)
{
    (void)state;
    boot("kernels=3 threads=4000");
    oid_t one = kernel_of(1);
    host_advance(2 * host_instance()->slice);
    oid_t two = kernel_of(2);
    assert_null(kernel_find(host_instance(), one));
    assert_non_null(kernel_find(host_instance(), two));
    assert_non_null(kernel_find(host_instance(), k[1].id));
    assert_in_range(steps, THREADS / STEP_WORK, 2 * THREADS / STEP_WORK + 8);
    host_shutdown();
}

// State pages that somebody has chosen so that they fall into one bucket of the hash: there are not many such pages.
static void test_state_pages(void **state)
{
    (void)state;
    boot("threads=100");
    struct instance *in = host_instance();
    assert_true(in->state_mask + 1 >= 2 * in->threads.size && ((in->state_mask + 1) & in->state_mask) == 0);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_victim), cmocka_unit_test(test_priorities), cmocka_unit_test(test_kernel_victim),
        cmocka_unit_test(test_state_pages),  cmocka_unit_test(test_deadlines),
    };
    return cmocka_run_group_tests_name("scans", tests, NULL, NULL);
}
