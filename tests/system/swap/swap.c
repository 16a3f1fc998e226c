// swap.c - one of several kernels that share too few kernel descriptors.
//
// It works through its memory, sleeping now and then.  It may be written back as a whole at any instruction, and is
// loaded again by srm; it must not notice, but for the time that has passed and for its ids.
#include "../harness.h"

enum { PAGES = 64, ROUNDS = 40 };

static uint64_t mix(uint64_t v)
{
    v ^= v << 13;
    v ^= v >> 7;
    return v ^ v << 17;
}

static bool swapped_out(void)
{
    return stats->unloads[OBJECT_KERNEL] > 0;
}

unsigned test_main(void)
{
    char name[128];
    uint64_t *page[PAGES], seed = 0x9e3779b97f4a7c15ull, wrong = 0;
    uint64_t until = now() + milliseconds(60000);
    oid_t id = info->kernel, changes = 0;

    for (unsigned i = 0; i < PAGES; i++) {
        page[i] = window(page_take());
    }
    for (unsigned round = 0; (round < ROUNDS || !swapped_out()) && now() < until; round++) {
        uint64_t v = mix(seed + round);
        for (unsigned i = 0; i < PAGES; i++) {
            for (unsigned w = 0; w < ABI_PAGE / 8; w++) {
                page[i][w] = v = mix(v);
            }
        }
        (void)sys_wait(now() + machine->slice);
        v = mix(seed + round);
        for (unsigned i = 0; i < PAGES; i++) {
            for (unsigned w = 0; w < ABI_PAGE / 8; w++) {
                wrong += page[i][w] != (v = mix(v));
            }
        }
        oid_t present = *(volatile oid_t *)&info->kernel;
        changes += present != id;
        id = present;
    }
    base_format(name, sizeof(name), "memory and registers survive (%s)", info->args);
    check(wrong == 0, name, "%lu words are wrong", (unsigned long)wrong);
    check(swapped_out(), "kernels were written back", "none was");
    note("%lu times with a fresh id", (unsigned long)changes);
    return failures();
}
