// pages.c - upcall handlers that touch pages which come late: Scheduler Activations, 3.1.
#include "test.h"

enum { TOUCHES = 8 };                    // activations that each would use up: the program has four times as many

static const volatile uint8_t *page[2];  // late, each
static volatile bool in_event, in_clock; // who touches the first, the second
static volatile uint8_t got;
static volatile uint32_t stop;

void test_pages_event(void)
{
    if (in_event) {
        got = *page[0];
    }
}

// The clock of the library: each handler looks at it first.
uint64_t test_pages_clock(void)
{
    if (in_clock) {
        (void)*page[1];
    }
    return threads_native_clock();
}

static void *counts(void *argument)
{
    while (!stop) {
        (*(volatile uint64_t *)argument)++;
    }
    return NULL;
}

static void *touches_nothing(void *argument)
{
    *(volatile int *)0x123000 = 1;
    return argument;
}

// The handler of a refused access blocks; another thread, of the same priority, has the processor meanwhile.
static void handler_blocks(const struct space_kernel_page *k)
{
    volatile uint64_t counted = 0;
    struct thread *t, *c;
    uint64_t blocked = k->told[2], unblocked = k->told[3], begin = now();

    in_event = true;
    stop = 0;
    CHECK(thread_fork(&t, NULL, touches_nothing, NULL) == THREAD_OK);
    CHECK(thread_fork(&c, NULL, counts, (void *)&counted) == THREAD_OK);
    CHECK(thread_join(t, NULL) == THREAD_OK);
    uint64_t took = now() - begin;
    in_event = false;
    stop = 1;
    CHECK(thread_join(c, NULL) == THREAD_OK);
    said("an upcall handler waits for a page");
    check(got == 0x7f, "has it then", got);          // the first byte of an ELF file
    check(took >= milliseconds(20), "and goes on not before", took);
    check(counted > 1000, "another thread runs meanwhile", counted);
    blocked = k->told[2] - blocked;
    unblocked = k->told[3] - unblocked;
    check(blocked > 0 && unblocked > 0, "and the program is told of it", blocked);
}

// A thread blocks for a page, and whoever is told touches it, too: so nobody else is told until it is there.
static void told_in_vain(const struct space_kernel_page *k)
{
    uint64_t upcalls = k->upcalls, blocked = k->told[2], begin = now();

    in_clock = true;
    got = *page[1];
    uint64_t took = now() - begin;
    in_clock = false;
    blocked = k->told[2] - blocked;
    upcalls = k->upcalls - upcalls;
    check(took >= milliseconds(20), "a thread waits for a page that each upcall touches", took);
    check(blocked >= 1 && blocked <= TOUCHES, "and not all activations wait for it", blocked);
    check(upcalls <= 2 * TOUCHES, "nor is each upcall followed by another", upcalls);
}

void test_pages(void)
{
    static const char name[] = "bin/threads_test";

    for (unsigned i = 0; i < 2; i++) {
        va_t va = 0;
        err_t e = native_map_file(name, sizeof(name) - 1, ABI_PAGE, milliseconds(20), &va);
        if (!check(e == ERR_OK, "a file whose pages come late", e)) {
            return;
        }
        page[i] = (const volatile uint8_t *)va;
    }
    handler_blocks(threads_native_area());
    told_in_vain(threads_native_area());
}
