// refused.c - accesses that are refused where no thread can be ended for them: the program ends, and says why.
//
// refused=1   in the code that the library calls for events         2   in a critical section, whose rest is run by a
// handler that faults again        3   the stack of a handler is used up
#include "test.h"

enum { IN_EVENT = 1, IN_SECTION = 2, STACK_USED_UP = 3, NOWHERE = 0x123000, NO_CONDITION = 0x125000 };

static uint64_t use_up(uint64_t n)
{
    volatile uint8_t room[512];

    room[n % 512] = (uint8_t)n;
    return n == 0 ? 0 : use_up(n + 1) + room[n % 512];
}

static void *faults(void *argument)
{
    if (native_number("refused", 0) == IN_SECTION) {
        condition_broadcast((struct condition *)NO_CONDITION);
    }
    *(volatile int *)NOWHERE = 1;
    return argument;
}

void test_refused_event(void)
{
    uint64_t where = native_number("refused", 0);

    if (where == IN_EVENT) {
        *(volatile int *)NOWHERE = 1;
    } else if (where == STACK_USED_UP) {
        (void)use_up(1);
    }
}

void test_refused(void)
{
    struct thread *t;

    CHECK(thread_fork(&t, NULL, faults, NULL) == THREAD_OK && thread_join(t, NULL) == THREAD_OK);
    (void)check(false, "the program goes on", native_number("refused", 0));
}
