// test_handlers.c - handlers that are stopped, and continued by another one: nobody waits for a lock that is in the
// same hands.
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
#include <unistd.h>

#include <cmocka.h>

#include "../threads_impl.h"
#include "host.h"

enum { YIELDERS = 3, LIMIT = 300000 };
enum stage { BLOCK_ANY, STOP_C, BLOCK_H, UNBLOCK_ANY, BLOCK_A, UNBLOCK_H, UNBLOCK_A, OVER };
static volatile enum stage stage;        // what the script waits to do

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
static void run(void)
{
    struct threads_setup setup = {.spins = 3};

    host.step = step;
    host_begin(&setup, 1);
    if (threads_begin(&setup, first, NULL) != THREAD_OK) {
        exit(2);
    }
    host_run(1, 0);
    if (stage != OVER || host.declined != 0) {
        exit(5);                                     // it was not a test
    }
    if (!host_balanced()) {
        exit(4);
    }
}
static void test_order(void **state)
{
    (void)state;
    host_child(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
