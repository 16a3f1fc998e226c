// test_handlers.c - handlers that are stopped, and continued by another one: nobody waits for a lock that is in the
// same hands.
// And which stacks upcalls touch and use.
//
// Step by step, on one processor: some thread blocks; thread C is stopped with the lock of the ready list, and H, whose
// event that is, at its beginning; the thread is back, and A, whose event that is, blocks as it makes it ready.  Then
// one upcall has both of them, A first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../threads_impl.h"
#include "host.h"

enum { YIELDERS = 3, LIMIT = 300000 };
enum stage { BLOCK_ANY, STOP_C, BLOCK_H, UNBLOCK_ANY, BLOCK_A, UNBLOCK_H, UNBLOCK_A, OVER };
static volatile enum stage stage;        // what the script waits to do
static volatile uint64_t yields_done;
static void use_stacks(void);

static bool is_critical(uint64_t rip)
{
    return rip >= (uint64_t)__start_threads_critical && rip < (uint64_t)__stop_threads_critical;
}
static bool it_is_time(uint64_t rip)
{
    switch (stage) {
    case BLOCK_ANY:
        return rip == (uint64_t)critical_yield;
    case STOP_C:                         // one processor: the lock is that of who runs
        return is_critical(rip) && thread_self()->kind == FLOW_THREAD && threads.ready[0].lock != 0;
    case BLOCK_H:
        return rip > (uint64_t)threads_upcall && rip < (uint64_t)threads_start;  // it traps after the first
    case BLOCK_A:
        return rip == (uint64_t)critical_ready && thread_self()->kind == FLOW_HANDLER;
    case UNBLOCK_ANY:
    case UNBLOCK_H:
    case UNBLOCK_A:
        return true;
    case OVER:
        break;
    }
    return false;
}
static enum host_op step(uint64_t rip)
{
    static const enum host_op op[] = {[BLOCK_ANY] = HOST_BLOCK, [STOP_C] = HOST_TELL, [BLOCK_H] = HOST_BLOCK,
                                      [UNBLOCK_ANY] = HOST_UNBLOCK, [BLOCK_A] = HOST_BLOCK,
                                      [UNBLOCK_H] = HOST_UNBLOCK, [UNBLOCK_A] = HOST_UNBLOCK};

    if (host.steps > LIMIT) {
        _exit(20 + (int)stage);                     // it hangs
    }
    if (!it_is_time(rip)) {
        return HOST_NONE;
    }
    stage++;
    return op[stage - 1];
}
static void *yields(void *argument)
{
    while (stage != OVER) {
        yields_done++;
        thread_yield();
    }
    return argument;
}
static void *first(void *argument)
{
    struct thread *t[YIELDERS];

    for (unsigned i = 0; i < YIELDERS; i++) {
        (void)thread_fork(&t[i], NULL, yields, NULL);
    }
    for (unsigned i = 0; i < YIELDERS; i++) {
        (void)thread_join(t[i], NULL);
    }
    __atomic_store_n(&host.finished, 1, __ATOMIC_RELEASE);
    return argument;
}
static void run(enum host_op (*with)(uint64_t))
{
    struct threads_setup setup = {.spins = 3};

    host.step = with;
    host_begin(&setup, 1);
    if (threads_begin(&setup, first, NULL) != THREAD_OK) {
        exit(2);
    }
    if (with == NULL) {
        (void)host_do(0, HOST_ADD);
        use_stacks();
        stage = OVER;
    }
    host_run(1, 0);
    if (stage != OVER || host.declined != 0) {
        exit(5);                                     // it was not a test
    }
    if (!host_balanced()) {
        exit(4);
    }
}
static void run_order(void)
{
    run(step);
}
static void test_order(void **state)
{
    (void)state;
    host_child(run_order);
}

// ---- stacks ---------------------------------------------------------------------------------------------------

enum { BEHIND = 3 * HOST_SLOTS / 4, HIDDEN = 32 };       // slots from that one on in the ring, when the program begins
// The next slot begins, after some thread has run.  Gives it.
static uint32_t tell(void)
{
    const struct threads_machine *m = &host.machine;

    for (uint64_t before = yields_done; yields_done == before;) {
        usleep(0);
    }
    uint32_t slot = m->user->slot[m->kernel->slots_taken % SLOTS_MOST] & 0xffff;
    if (!host_do(0, HOST_TELL)) {
        exit(6);
    }
    return slot;
}
static void hide(int access)
{
    for (uint32_t i = BEHIND; i < BEHIND + HIDDEN; i++) {
        uint64_t record = host.machine.slot[host.machine.user->slot[i] & 0xffff].stack;
        if (mprotect((void *)(record & ~(uint64_t)(ABI_PAGE - 1)), ABI_PAGE, access) != 0) {
            exit(7);
        }
    }
}
// Stacks of slots that are in the ring are not touched when others go back to it; and some are used again, not all.
static void use_stacks(void)
{
    bool used[HOST_SLOTS] = {false};
    unsigned different = 0;

    hide(PROT_NONE);
    for (unsigned i = 0; i < 5 * HOST_SLOTS / 8; i++) {
        (void)tell();
    }
    if (host.machine.user->slots_given == HOST_SLOTS) {
        exit(5);                                     // it was not a test
    }
    hide(PROT_READ | PROT_WRITE);
    for (unsigned i = 0; i < 3 * HOST_SLOTS; i++) {
        uint32_t slot = tell();
        different += i >= 2 * HOST_SLOTS && !used[slot];
        used[slot] = i >= 2 * HOST_SLOTS;
    }
    if (different > 3 * HOST_SLOTS / 4) {
        fprintf(stderr, "%u of %u stacks are used\n", different, (unsigned)HOST_SLOTS);
        exit(8);
    }
}
static void run_stacks(void)
{
    run(NULL);
}
static void test_stacks(void **state)
{
    (void)state;
    host_child(run_stacks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_stacks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
