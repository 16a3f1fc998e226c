// pages.c - upcall handlers that touch pages which come late: Scheduler Activations, 3.1.
#include "test.h"

enum {
    TOUCHES = 8,                         // activations that each would use up: the program has four times as many
    ATTEMPTS = 7, LATE = 20,             // milliseconds; in each attempt twice as many
};

static const volatile uint8_t *page;     // late
static volatile bool in_event, in_clock; // who touches it
static volatile uint8_t got;
static volatile uint32_t stop;

void test_pages_event(void)
{
    if (in_event) {
        got = *page;
    }
}

// The clock of the library: each handler looks at it first.
uint64_t test_pages_clock(void)
{
    if (in_clock) {
        (void)*page;
    }
    return threads_native_clock();
}

// It lets others on: nothing else does, if the page is there before this one has begun.
static void *counts(void *argument)
{
    while (!stop) {
        if (++*(volatile uint64_t *)argument % 1024 == 0) {
            thread_yield();
        }
    }
    return NULL;
}

static void *touches_nothing(void *argument)
{
    *(volatile int *)0x123000 = 1;
    return argument;
}

static uint64_t late(unsigned attempt)
{
    return milliseconds(LATE << attempt);
}

// The page comes so late after it is touched first.  If the host lets the processor rest for so long it is there before
// anybody has waited: then there is another attempt.
static bool page_is_late(unsigned attempt)
{
    static const char name[] = "bin/threads_test";
    va_t va = 0;

    CHECK(native_map_file(name, sizeof(name) - 1, ABI_PAGE, late(attempt), &va) == ERR_OK);
    page = (const volatile uint8_t *)va;
    return va != 0;
}

struct told { uint64_t blocked, unblocked, upcalls; };
static struct told told_since(struct told before)
{
    const struct space_kernel_page *k = threads_native_area();

    return (struct told){k->told[2] - before.blocked, k->told[3] - before.unblocked, k->upcalls - before.upcalls};
}

static struct thread *begin(void *(*fn)(void *), void *argument)
{
    struct thread *t = NULL;

    CHECK(thread_fork(&t, NULL, fn, argument) == THREAD_OK);
    return t;
}

// The handler of a refused access blocks; another thread, of the same priority, has the processor meanwhile.
static struct told block_handler(volatile uint64_t *counted, uint64_t *took)
{
    struct told before = told_since((struct told){0});
    uint64_t since = now();

    in_event = true;
    stop = 0;
    struct thread *t = begin(touches_nothing, NULL), *c = begin(counts, (void *)counted);
    CHECK(thread_join(t, NULL) == THREAD_OK);
    *took = now() - since;
    in_event = false;
    stop = 1;
    CHECK(thread_join(c, NULL) == THREAD_OK);
    return told_since(before);
}
static void handler_blocks(void)
{
    volatile uint64_t counted = 0;
    uint64_t took = 0, least = 0;
    struct told t = {0};

    for (unsigned i = 0; i < ATTEMPTS && (counted <= 1000 || t.blocked == 0 || t.unblocked == 0); i++) {
        if (page_is_late(i)) {
            counted = 0;
            least = late(i);
            t = block_handler(&counted, &took);
        }
    }
    said("an upcall handler waits for a page");
    check(got == 0x7f, "has it then", got);          // the first byte of an ELF file
    check(took >= least, "and goes on not before", took);
    check(counted > 1000, "another thread runs meanwhile", counted);
    check(t.blocked > 0 && t.unblocked > 0, "and the program is told of it", t.blocked);
}

// A thread blocks for a page, and whoever is told touches it, too: so nobody else is told until it is there.
static void told_in_vain(void)
{
    uint64_t took = 0, least = 0;
    struct told t = {0};

    for (unsigned i = 0; i < ATTEMPTS && t.blocked == 0; i++) {
        if (page_is_late(i)) {
            struct told before = told_since((struct told){0});
            uint64_t since = now();
            in_clock = true;
            got = *page;
            took = now() - since;
            in_clock = false;
            least = late(i);
            t = told_since(before);
        }
    }
    said("a late page");
    check(took >= least, "a thread waits for a page that each upcall touches", took);
    check(t.blocked >= 1 && t.blocked <= TOUCHES, "and not all activations wait for it", t.blocked);
    check(t.upcalls <= 2 * TOUCHES, "nor is each upcall followed by another", t.upcalls);
}

void test_pages(void)
{
    handler_blocks();
    told_in_vain();
}
