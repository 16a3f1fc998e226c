// test_senders.c - multi-mapping consistency in bounded steps: a page with as many senders as it can have loses a
// receiver.  Between any two steps: whoever can send has a receiver, and no step does more than it may.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <abi/syscalls.h>

#include "pmap.h"
#include "table.h"
#include "two_kernels.h"

enum {
    SENDERS = PMAP_WAYS - 1, AT = 0x40000000, RECEIVER = 0x50000000, OTHER = 0x60000000,
    SEND = MAP_READ | MAP_WRITE | MAP_MESSAGE, RECEIVE = MAP_READ | MAP_MESSAGE | MAP_SIGNAL,
    MOST_WORK = STEP_WORK + 700,         // one sender and the receiver more, each behind all others in the map
};

static struct test_kernel k[2];
static pa_t page;                        // of k[1], as are the spaces
static oid_t senders, receivers, thread;

static oid_t space_of(struct test_kernel *owner)
{
    struct space_desc s = {.rule = TRAP_FORWARD, .place = kernel_pages(owner, 1)};
    oid_t id;

    assert_int_equal(kernel_load(owner, SYS_space_load, &s, sizeof(s), &id), ERR_OK);
    return id;
}

static oid_t thread_of(struct test_kernel *owner, oid_t space)
{
    pa_t state = kernel_pages(owner, 2);
    struct thread_desc t = {.priority = 3, .space = space, .state = state, .state_va = ABI_WINDOW + state,
                            .xstack = ABI_WINDOW + state + 2 * ABI_PAGE, .affinity = 1ull << owner->cpu};
    oid_t id;

    ((struct thread_state *)host_at(state))->frame[0].rip = HOST_TEXT;
    assert_int_equal(kernel_load(owner, SYS_thread_load, &t, sizeof(t), &id), ERR_OK);
    return id;
}

static int64_t map(oid_t s, va_t va, uint64_t flags, oid_t receiver)
{
    uint64_t a[6] = {s, va, page, flags, receiver};
    return kernel_call(&k[1], SYS_mapping_load, a, NULL);
}

static void map_senders(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(map(senders, AT + i * ABI_PAGE, SEND, 0), ERR_OK);
    }
}

static void boot(unsigned count, uint64_t receive)
{
    const struct kernel_limits limits[2] = {{0}, {.max_priority = 20, .locked_spaces = 1, .locked_threads = 1,
                                                  .locked_mappings = 4}};

    kernels_boot("", k, 2, limits);
    page = kernel_pages(&k[1], 1);
    senders = space_of(&k[1]);
    receivers = space_of(&k[1]);
    thread = thread_of(&k[1], receivers);
    assert_int_equal(map(receivers, RECEIVER, receive, thread), ERR_OK);
    map_senders(count);
}

static uint32_t access_at(oid_t s, va_t va)
{
    struct space *sp = space_find(host_instance(), s);
    struct leaf leaf;

    return sp != NULL && table_find(host_instance(), sp, va, 0, &leaf) && arch_pte_present(*leaf.pte)
               ? arch_pte_access(*leaf.pte)
               : 0;
}

static unsigned can_send(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SENDERS; i++) {
        count += (access_at(senders, AT + i * ABI_PAGE) & MAP_WRITE) != 0;
    }
    return count;
}

static unsigned have_receiver(void)
{
    uint64_t pfn = page >> ABI_PAGE_SHIFT;
    unsigned count = 0;

    for (struct record *r = pmap_frame_first(host_instance(), pfn); r != NULL;
         r = pmap_frame_next(host_instance(), r)) {
        count += r->signal;
    }
    return count;
}

// One entry of a call.
static bool once(struct test_kernel *by, uint64_t number, uint64_t a[6])
{
    struct frame *f = host_enter(by->cpu)->frame;
    bool done = host_call_once(by->cpu, number, a);

    assert_in_range(host_instance()->work, 0, MOST_WORK);
    host_check();
    a[4] = f->r8;
    a[5] = f->r9;
    if (done) {
        assert_int_equal(f->rax, ERR_OK);
    }
    return done;
}

// A call after which the receiver has gone, entry by entry; gives how many there were.
static unsigned all(struct test_kernel *by, uint64_t number, uint64_t a[6])
{
    unsigned steps = 1;

    for (; !once(by, number, a); steps++) {
        assert_true(can_send() == 0 || have_receiver() == 1);
        host_deliver_all();
    }
    assert_int_equal(can_send(), 0);
    assert_int_equal(have_receiver(), 0);
    host_shutdown();
    return steps;
}

// ---- every way in which a receiver goes ---------------------------------------------------------------------

static void test_unload(void **state)
{
    (void)state;
    boot(SENDERS, RECEIVE);
    uint64_t a[6] = {receivers, RECEIVER, ABI_PAGE};
    assert_in_range(all(&k[1], SYS_mapping_unload, a), 5, SENDERS);
}

static void test_thread(void **state)
{
    (void)state;
    boot(SENDERS, RECEIVE);
    uint64_t a[6] = {thread};
    assert_in_range(all(&k[1], SYS_thread_unload, a), 5, SENDERS);
}

static void test_space(void **state)
{
    (void)state;
    boot(SENDERS, RECEIVE);
    uint64_t a[6] = {receivers};
    assert_in_range(all(&k[1], SYS_space_unload, a), 5, SENDERS);
}

static void test_displaced(void **state)
{
    (void)state;
    boot(SENDERS, RECEIVE);
    uint64_t a[6] = {receivers, RECEIVER, k[1].memory, MAP_READ};
    assert_in_range(all(&k[1], SYS_mapping_load, a), 5, SENDERS);
}

// The bucket of its frame is full: the oldest mapping goes, which is the receiver's.
static void test_crowd(void **state)
{
    (void)state;
    boot(SENDERS, RECEIVE);
    uint64_t a[6] = {senders, OTHER, page, MAP_READ};
    assert_false(once(&k[1], SYS_mapping_load, a));
    assert_int_equal(have_receiver(), 1);
    unsigned left = can_send();
    assert_in_range(left, 1, SENDERS - 1);
    assert_true(once(&k[1], SYS_mapping_load, a));              // there is room now: the rest may stay
    assert_int_equal(can_send(), left);
    assert_int_equal(have_receiver(), 1);
    host_shutdown();
}

static void test_revoked(void **state)
{
    (void)state;
    boot(SENDERS, RECEIVE);
    uint64_t a[6] = {k[1].id, page >> ABI_GROUP_SHIFT, 1, GROUP_NONE};
    assert_in_range(all(&k[0], SYS_kernel_grant, a), 5, 4 * SENDERS);
}

static void test_kernel(void **state)
{
    (void)state;
    boot(SENDERS, RECEIVE);
    uint64_t a[6] = {k[1].id};
    assert_in_range(all(&k[0], SYS_kernel_unload, a), 5, 4 * SENDERS);
}

// ---- between two steps --------------------------------------------------------------------------------------

// A signal through a sender that is left reaches the receiver; when the sender has gone too, its kernel hears of it.
static void test_signal_between(void **state)
{
    (void)state;
    boot(0, RECEIVE);
    assert_int_equal(map(k[1].space, OTHER, SEND, 0), ERR_OK);  // the oldest goes last
    map_senders(SENDERS - 1);
    uint64_t a[6] = {receivers, RECEIVER, ABI_PAGE}, at[6] = {OTHER}, value;
    while (!once(&k[1], SYS_mapping_unload, a)) {
        assert_int_equal(kernel_call(&k[1], SYS_signal_at, at, &value), ERR_OK);
        assert_int_equal(value, 1);
    }
    uint64_t faults = host_instance()->cpu[1].stats->faults;
    (void)host_call_once(1, SYS_signal_at, at);
    assert_int_equal(host_instance()->cpu[1].stats->faults, faults + 1);
    host_shutdown();
}

// A sender that is loaded meanwhile carries the unload on, and comes when the receiver has gone; the call that began
// it may be made again, or never.
static void loaded_between(bool again)
{
    boot(SENDERS, RECEIVE);
    uint64_t a[6] = {receivers, RECEIVER, ABI_PAGE}, b[6] = {k[1].space, OTHER, page, SEND};
    assert_false(once(&k[1], SYS_mapping_unload, a));
    while (!once(&k[1], SYS_mapping_load, b)) {
        assert_int_equal(access_at(k[1].space, OTHER), 0);
        assert_int_equal(have_receiver(), 1);
    }
    assert_int_equal(can_send(), 0);
    assert_int_equal(have_receiver(), 0);
    if (again) {
        assert_true(once(&k[1], SYS_mapping_unload, a));
    }
    assert_true(access_at(k[1].space, OTHER) & MAP_WRITE);
    host_shutdown();
}

static void test_load_between(void **state)
{
    (void)state;
    loaded_between(true);
    loaded_between(false);
}

// In place too: a mapping that could only be read.
static void test_change_between(void **state)
{
    (void)state;
    boot(SENDERS - 1, RECEIVE);
    assert_int_equal(map(receivers, OTHER, MAP_READ | MAP_MESSAGE, 0), ERR_OK);
    uint64_t a[6] = {receivers, RECEIVER, ABI_PAGE}, b[6] = {receivers, OTHER, page, SEND};
    assert_false(once(&k[1], SYS_mapping_unload, a));
    assert_false(once(&k[1], SYS_mapping_load, b));
    assert_int_equal(access_at(receivers, OTHER) & MAP_WRITE, 0);
    assert_int_equal(have_receiver(), 1);
    while (!once(&k[1], SYS_mapping_load, b)) {
    }
    assert_true(access_at(receivers, OTHER) & MAP_WRITE);
    assert_int_equal(have_receiver(), 0);
    assert_int_equal(can_send(), 0);
    host_shutdown();
}

// Redirected meanwhile, it is whole again: the thread goes, the senders that are left stay, and others may come.
static void test_redirect_between(void **state)
{
    (void)state;
    boot(SENDERS, RECEIVE);
    oid_t service = thread_of(&k[1], receivers);
    uint64_t a[6] = {thread};
    assert_false(once(&k[1], SYS_thread_unload, a));
    unsigned left = can_send();
    assert_in_range(left, 1, SENDERS - 1);
    assert_int_equal(map(receivers, RECEIVER, RECEIVE, service), ERR_OK);
    assert_true(once(&k[1], SYS_thread_unload, a));
    assert_int_equal(map(k[1].space, OTHER, SEND, 0), ERR_OK);
    assert_int_equal(can_send(), left);
    assert_int_equal(have_receiver(), 1);
    host_shutdown();
}

// ---- senders that are receivers -----------------------------------------------------------------------------

// It only loses its right to write, and signals still reach it.
static void test_both(void **state)
{
    (void)state;
    boot(SENDERS - 2, RECEIVE | MAP_WRITE);
    assert_int_equal(map(receivers, OTHER, RECEIVE | MAP_WRITE, thread), ERR_OK);
    assert_int_equal(map(receivers, OTHER + ABI_PAGE, MAP_READ | MAP_MESSAGE, 0), ERR_OK);
    uint64_t a[6] = {receivers, RECEIVER, ABI_PAGE};
    while (!once(&k[1], SYS_mapping_unload, a)) {
        assert_int_equal(have_receiver(), 2);
    }
    assert_int_equal(can_send(), 0);
    assert_int_equal(have_receiver(), 1);
    assert_int_equal(access_at(receivers, OTHER) & (MAP_WRITE | MAP_MESSAGE), MAP_MESSAGE);
    assert_true(access_at(receivers, OTHER + ABI_PAGE) & MAP_MESSAGE);        // a reader stays
    assert_int_equal(map(receivers, OTHER, RECEIVE | MAP_WRITE, thread), ERR_OK);
    assert_true(access_at(receivers, OTHER) & MAP_WRITE);
    host_shutdown();
}

// A remote one has no rights to lose: it goes, but after all that could send to it.
static void test_both_remote(void **state)
{
    (void)state;
    boot(SENDERS / 2, RECEIVE);
    assert_int_equal(map(receivers, OTHER, RECEIVE | MAP_REMOTE, thread), ERR_OK);
    for (unsigned i = SENDERS / 2; i < SENDERS - 1; i++) {
        assert_int_equal(map(senders, AT + i * ABI_PAGE, SEND, 0), ERR_OK);
    }
    uint64_t a[6] = {receivers, RECEIVER, ABI_PAGE};
    while (!once(&k[1], SYS_mapping_unload, a)) {
        assert_true(can_send() == 0 || have_receiver() == 2);
    }
    assert_int_equal(can_send(), 0);
    assert_int_equal(have_receiver(), 0);
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unload),         cmocka_unit_test(test_thread),         cmocka_unit_test(test_space),
        cmocka_unit_test(test_displaced),      cmocka_unit_test(test_crowd),          cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_kernel),         cmocka_unit_test(test_signal_between),
        cmocka_unit_test(test_load_between),   cmocka_unit_test(test_change_between),
        cmocka_unit_test(test_redirect_between), cmocka_unit_test(test_both), cmocka_unit_test(test_both_remote),
    };
    return cmocka_run_group_tests_name("senders", tests, NULL, NULL);
}
