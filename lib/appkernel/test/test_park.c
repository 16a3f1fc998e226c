// test_park.c - records of parked threads: nothing that a load looks at is lost, whatever the page says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../park.h"

enum { PAGES = 20000, GUARD = 16 };

static union page {
    struct thread_state state;
    uint8_t  byte[ABI_PAGE];
} before, after;
static uint8_t record[AK_PARK_MOST + GUARD] __attribute__((aligned(8)));
static uint64_t random_state = 1;

static uint64_t next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1dull;
}

static void park_and_back(void)
{
    memset(record, 0xee, sizeof(record));
    memset(&after, 0xdd, sizeof(after));
    size_t size = ak_park(&before.state, record, AK_PARK_MOST);
    assert_true(size >= 8 && size <= AK_PARK_MOST && size % 8 == 0);
    for (unsigned i = 0; i < GUARD; i++) {
        assert_int_equal(record[size + i], 0xee);
    }
    assert_int_equal(ak_unpark(record, &after.state), size);
}

// Every word random, or one in a few: what is live must be the same.
static void fill(unsigned one_in)
{
    uint64_t *word = (uint64_t *)before.byte;

    for (unsigned i = 0; i < ABI_PAGE / 8; i++) {
        word[i] = next() % one_in == 0 ? next() : 0;
    }
    before.state.loaded = 0;
    before.state.depth = (uint32_t)(next() % (ABI_MAX_DEPTH + 1));
    before.state.signal_tail = (uint32_t)next();
    before.state.signal_head = before.state.signal_tail + (uint32_t)(next() % (SIGNAL_ENTRIES + 3));
    before.state.signal_active = (uint32_t)(next() % 2);
}

static void check_live(void)
{
    const struct thread_state *a = &before.state, *b = &after.state;
    uint32_t waiting = a->signal_head - a->signal_tail;

    assert_memory_equal(a, b, offsetof(struct thread_state, frame) + (a->depth + 1) * sizeof(struct frame));
    assert_memory_equal(a->xstate, b->xstate, XSTATE_SIZE);
    assert_memory_equal(&a->signal_head, &b->signal_head, 16);
    for (uint32_t i = 0; i < waiting && i < SIGNAL_ENTRIES; i++) {
        uint32_t at = (a->signal_tail + i) % SIGNAL_ENTRIES;
        assert_memory_equal(&a->signal[at], &b->signal[at], sizeof(struct signal_entry));
    }
    if (a->signal_active) {
        assert_memory_equal(&a->interrupted, &b->interrupted, sizeof(struct frame));
    }
}

static void test_random_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PAGES; i++) {
        fill(i % 3 == 0 ? 1 : (unsigned)(1 + next() % 40));
        park_and_back();
        check_live();
    }
}

// What nobody looks at takes no room, and comes back as zero.
static void test_dead_words(void **state)
{
    (void)state;
    memset(&before, 0, sizeof(before));
    before.state.frame[0].rip = 0x400000;
    size_t size = ak_park(&before.state, record, AK_PARK_MOST);
    assert_int_equal(size, 24);
    memset(&before.state.frame[1], 0x55, ABI_MAX_DEPTH * sizeof(struct frame));
    memset(before.state.signal, 0x55, sizeof(before.state.signal));
    memset(&before.state.interrupted, 0x55, sizeof(struct frame));
    park_and_back();
    assert_int_equal(ak_park(&before.state, record, AK_PARK_MOST), size);
    assert_int_equal(after.state.frame[1].rip, 0);
    assert_int_equal(after.state.interrupted.rip, 0);
}

static void test_room(void **state)
{
    (void)state;
    fill(2);
    size_t size = ak_park(&before.state, record, AK_PARK_MOST);
    memset(record, 0xee, sizeof(record));
    assert_int_equal(ak_park(&before.state, record, size - 8), size);
    for (size_t i = 0; i < sizeof(record); i++) {
        assert_int_equal(record[i], 0xee);
    }
    assert_int_equal(ak_park(&before.state, record, size), size);
    before.state.loaded = 1;
    assert_int_equal(ak_park(&before.state, record, AK_PARK_MOST), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_pages),
        cmocka_unit_test(test_dead_words),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
