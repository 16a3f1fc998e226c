// events.c - what the supervisor tells: refused accesses, timers, blocked threads; and its accounts.
#include "test.h"

static uint64_t heard[UPCALL_KINDS];

bool test_event(struct thread *thread, const struct upcall_slot *slot)
{
    (void)thread;
    for (unsigned k = 0; k < UPCALL_KINDS; k++) {
        if (slot->kinds >> k & 1) {
            __atomic_fetch_add(&heard[k], 1, __ATOMIC_SEQ_CST);
        }
    }
    return false;
}

void test_many(void) {}
void test_block(void) {}
void test_faults(void) {}
void test_timers(void) {}
void test_inversion(void) {}
void test_accounts(void) {}
