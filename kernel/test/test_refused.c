// test_refused.c - what is refused to the owner and the program of a space of activations.
#include "activations.h"

static struct party a;

// A second activation with index i, in the program; or in a handler, with or without the space.
static int64_t second(const struct party *p, uint64_t i, uint32_t depth, bool in_space, oid_t *id)
{
    pa_t page = frames(1), state = frames(2);
    struct thread_state *s = host_at(state);
    struct thread_desc d = {.space = in_space ? p->space : 0, .flags = LOAD_SIGNALED, .priority = PRIORITY,
                            .state = state, .activation = i, .state_va = ABI_WINDOW + state,
                            .xstack = ABI_WINDOW + state + 2 * ABI_PAGE, .affinity = 1};

    s->depth = depth;
    s->run = depth == 0 ? RUN_FRESH : RUN_READY;
    s->frame[depth].rip = depth == 0 ? 0 : HOST_TRAP;
    memcpy(host_at(page), &d, sizeof(d));
    int64_t e = call(0, SYS_thread_load, ABI_WINDOW + page, 0, 0);
    *id = value;
    return e;
}

// An index is free again when its activation has been written back, and not before.
static void one_of_an_index(void **state)
{
    oid_t id;

    (void)state;
    host_boot(2, 64 << 20, "kernels=4 spaces=8 threads=128 mappings=1024");
    activations_begin();
    make(&a, 70, 80, 2);
    assert_int_equal(running(&a, 1), 0);
    for (uint64_t i = 0; i < 70; i += 23) {
        assert_int_equal(second(&a, i, 0, true, &id), ERR_INVAL);
        assert_int_equal(second(&a, i, 1, true, &id), ERR_INVAL);
    }
    assert_int_equal(second(&a, 70, 0, true, &id), ERR_INVAL);
    assert_int_equal(second(&a, UINT64_MAX, 0, true, &id), ERR_INVAL);
    assert_false(host_call_once(0, SYS_thread_unload, (uint64_t[6]){a.thread[0]}));
    assert_int_equal(second(&a, 0, 0, true, &id), ERR_INVAL);         // it runs until its processor hears of it
    settle();
    assert_int_equal(state_of(&a, 0)->loaded, 0);
    assert_int_equal(second(&a, 0, 0, true, &id), ERR_OK);
    assert_int_equal(load_activation(&a, 0, RUN_FRESH), ERR_INVAL);
    unload(&a, 69);
    assert_int_equal(load_activation(&a, 69, RUN_FRESH), ERR_OK);
    host_shutdown();
}

// One that is in a handler and has no space cannot come to that of another with its index.
static void not_by_resume(void **state)
{
    oid_t id;

    (void)state;
    boot(1);
    make(&a, 2, 8, 0);
    assert_int_equal(second(&a, 1, 1, false, &id), ERR_OK);
    first_sleeps();
    assert_int_equal(host_instance()->cpu[0].thread->o.id, id);
    assert_int_equal(call(0, SYS_resume, a.space, 0, 0), ERR_INVAL);
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_FAULT, 0), ERR_INVAL);
    first_wakes();
    unload(&a, 1);
    first_sleeps();
    assert_int_equal(call(0, SYS_resume, a.space, 0, 0), -1);
    assert_int_equal(running(&a, 0) >= 0, 1);
    host_shutdown();
}

// The space is written back and loaded again while one of its activations is in a handler: its index is free.
static void after_its_space(void **state)
{
    oid_t id;

    (void)state;
    have(&a, 1, 2, 8);
    int i = running(&a, 0);
    works(0, 0x11);
    trap(0);
    assert_int_equal(call(0, SYS_wait, 0, 0, 0), -1);
    first_wakes();
    assert_int_equal(second(&a, (uint64_t)i, 0, true, &id), ERR_INVAL);
    while (call(0, SYS_space_unload, a.space, 0, 0) != ERR_OK) {
        settle();
    }
    assert_int_equal(load_space(&a), ERR_OK);
    assert_int_equal(state_of(&a, i)->loaded, 1);
    assert_int_equal(second(&a, (uint64_t)i, 0, true, &id), ERR_OK);
    host_shutdown();
}

// With upcalls disabled the call may end in none: so it is refused, with events and without.
static void release_disabled(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    works(0, 0x21);
    assert_int_equal(call(0, SYS_wait, host.clock + 100, 0, 0), -1);
    int i = running(&a, 0);
    works(0, 0x22);
    words(&a, (uint32_t)i)->disabled = 1;
    assert_int_equal(call(0, SYS_processor_release, 0, 0, 0), ERR_DENIED);
    host_advance(1000);
    settle();
    assert_int_equal(page_of(&a)->pending, 1);
    assert_int_equal(call(0, SYS_processor_release, 0, 0, 0), ERR_DENIED);
    assert_int_equal(running(&a, 0), i);
    assert_int_equal(frame_on(0)->rbx, 0x22);
    assert_int_equal(page_of(&a)->held, 1);
    words(&a, (uint32_t)i)->disabled = 0;
    (void)call(0, SYS_processor_release, 0, 0, 0);
    assert_int_equal(begun(&a, 0, s), UPCALL_UNBLOCKED);
    assert_int_equal(s[0]->context.rbx, 0x21);
    host_shutdown();
}

// What the owner has said waits for a slot, and the processor is given back meanwhile.
static void release_with_owners(void **state)
{
    struct upcall_slot *s[UPCALL_BATCH];

    (void)state;
    have(&a, 1, 4, 8);
    int i = running(&a, 0);
    works(0, 0x31);
    user_of(&a)->slots_given = page_of(&a)->slots_taken;
    trap(0);
    assert_int_equal(call(0, SYS_upcall, a.space, UPCALL_OWNER, 5), -1);
    assert_int_equal(frame_on(0)->rbx, 0x31);
    assert_int_equal(call(0, SYS_processor_release, 0, 0, 0), -1);
    settle();
    assert_int_equal(running(&a, 0), -1);
    assert_int_equal(page_of(&a)->pending, 1);
    user_of(&a)->slots_given = a.given;
    first_wakes();
    first_sleeps();
    assert_int_equal(begun(&a, 0, s), UPCALL_OWNER | UPCALL_PREEMPTED | UPCALL_TAKEN | UPCALL_ADDED);
    struct upcall_slot *x = s[s[0]->kinds & UPCALL_OWNER ? 0 : 1];
    assert_int_equal(x->value, 5);
    assert_int_equal(x->activation, i);
    assert_int_equal(x->context.rbx, 0x31);
    assert_int_equal(x->context.rax, ERR_OK);
    accounts_balance(&a);
    host_shutdown();
}

// The area says what it is like, each time its space is loaded; a reader of another version refuses it.
static void area_of_a_version(void **state)
{
    (void)state;
    boot(1);
    make(&a, 38, 40, 0);
    struct space_kernel_page *page = page_of(&a);
    const uint32_t *word = host_at(a.area);
    assert_int_equal(word[0], AREA_MAGIC);
    assert_int_equal(word[1], AREA_VERSION);
    const struct area_header h = page->header;
    assert_ptr_equal(host_at(a.area + h.user_page), user_of(&a));
    assert_ptr_equal(host_at(a.area + h.user_blocks + 3 * h.user_size), words(&a, 3));
    assert_ptr_equal(host_at(a.area + h.slots_at + 7 * h.slot_size), slot(&a, 7));
    const struct activation_kernel *block = host_at(a.area + h.kernel_blocks + 5 * h.kernel_size);
    assert_int_equal(block->index, 5);
    assert_true(h.ring == SLOTS_MOST && h.kinds == UPCALL_KINDS && h.size == area_size(a.activations, a.slots));
    assert_true(area_known(page, a.activations, a.slots));
    assert_false(area_known(page, a.activations, a.slots + 1));
    page->header.version++;
    assert_false(area_known(page, a.activations, a.slots));
    while (call(0, SYS_space_unload, a.space, 0, 0) != ERR_OK) {
        settle();
    }
    assert_int_equal(load_space(&a), ERR_OK);
    assert_memory_equal(&h, &page->header, sizeof(h));
    host_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_an_index),
        cmocka_unit_test(not_by_resume),
        cmocka_unit_test(after_its_space),
        cmocka_unit_test(release_disabled),
        cmocka_unit_test(release_with_owners),
        cmocka_unit_test(area_of_a_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
