// batch.c - a kernel that computes while the policy swaps it out and in.
//
// It makes a chain of numbers over its memory, again and again, and each must end as the first one did.  It goes on
// until it has been swapped out and in so often as args="N" says (it sees that by its id), and sleeps now and then,
// with a time-out that may run over while it is out.  A second thread of its own counts, which nobody but it loads
// again; what that had counted must be there each time.
#include "../harness.h"

enum { PAGES = 64 };

static uint64_t *page[PAGES];
static struct test_thread helper;

static uint64_t mix(uint64_t v)
{
    v ^= v << 13;
    v ^= v >> 7;
    return v ^ v << 17;
}

static uint64_t chain(void)
{
    uint64_t v = 0x9e3779b97f4a7c15ull;

    for (unsigned i = 0; i < PAGES; i++) {
        for (unsigned w = 0; w < ABI_PAGE / 8; w++) {
            page[i][w] = v = mix(v);
        }
    }
    for (unsigned i = 0; i < PAGES; i++) {
        for (unsigned w = 0; w < ABI_PAGE / 8; w++) {
            v = mix(v ^ page[i][w]);
        }
    }
    return v;
}

static void help(struct test_thread *t)
{
    for (;;) {
        t->traps++;
        (void)sys_wait(now() + machine->slice / 8);
    }
}

static unsigned wanted(void)
{
    for (const char *at = info->args; *at != '\0'; at++) {
        if (strncmp(at, "args=\"", 6) == 0) {
            uint64_t n = 0;
            at += 6;
            return base_parse_number(&at, &n) ? (unsigned)n : 0;
        }
    }
    return 0;
}

static oid_t present(void)
{
    return *(volatile const oid_t *)&info->kernel;
}

// It goes on where it was: its registers are in its state page.
static unsigned help_again(void)
{
    if (thread_loaded(&helper)) {
        return 0;
    }
    helper.desc.space = info->space;
    err_t e = thread_start(&helper);
    if (e != ERR_OK) {
        check_error(e, ERR_OK, "load the helper again");
    }
    return 1;
}

unsigned test_main(void)
{
    unsigned swaps = 0, again = 0, back = 0;
    uint64_t wrong = 0, counted = 0;
    oid_t id = present();

    for (unsigned i = 0; i < PAGES; i++) {
        page[i] = window(page_take());
    }
    thread_make(&helper, NULL);
    thread_call(&helper, help);
    check_error(thread_start(&helper), ERR_OK, "a helper");
    uint64_t first = chain();
    while (swaps < wanted()) {
        wrong += chain() != first;
        (void)sys_wait(now() + machine->slice / 2);
        if (present() != id) {
            id = present();
            swaps++;
        }
        again += help_again();
        back += helper.traps < counted;
        counted = helper.traps;
    }
    check(wrong == 0, "every chain ends as the first", "%lu did not", (unsigned long)wrong);
    check(back == 0 && counted > 0, "the helper's count goes on", "%u times back, %lu", back, (unsigned long)counted);
    check(again >= swaps, "the helper was written back each time", "%u of %u", again, swaps);
    check(swaps >= 10, "there were rotations", "%u", swaps);
    note("%u times swapped out and in", swaps);
    thread_free(&helper);
    return failures();
}
