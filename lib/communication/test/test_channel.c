// test_channel.c - channels over a simulated message page: order, multicast, slow receivers, hostile senders.
//
// The page is memory of the test; a signal is noted and handed to each receiver in its own translation.
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "communication.h"

enum { RECEIVERS = 3, ROUNDS = 20000, PATIENCE = 1000, BASE = 0x100000 };

static struct com_page page;
static struct com_channel sender, receiver[RECEIVERS];
static uint64_t told[RECEIVERS], order[RECEIVERS], seed = 1;
static unsigned listening;
static va_t last_signal;

static uint64_t next(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 33;
}

// Each receiver has the page at an address of its own.
static va_t base_of(unsigned i)
{
    return BASE * (2 + i);
}

err_t com_signal(va_t va, uint64_t *receivers)
{
    assert_true(va >= BASE && va < BASE + ABI_PAGE && va % COM_SLOT == 0);
    last_signal = va;
    if (listening == 0) {
        return ERR_STALE;                // multi-mapping consistency: the sender's mapping has gone
    }
    *receivers = listening;
    return ERR_OK;
}

static void note(struct com_channel *c, const void *message, size_t length)
{
    unsigned i = (unsigned)(c - receiver);
    uint64_t number;

    assert_true(length >= 8 && length <= COM_MESSAGE);
    memcpy(&number, message, 8);
    for (size_t k = 8; k < length; k++) {
        assert_int_equal(((const uint8_t *)message)[k], (uint8_t)(number + k));
    }
    assert_true(number > order[i]);      // never twice, never out of order
    order[i] = number;
    told[i]++;
}

static struct com_operations noting;

static int set_up(void **state)
{
    (void)state;
    memset(&page, 0, sizeof(page));
    memset(told, 0, sizeof(told));
    memset(order, 0, sizeof(order));
    com_open(&sender, NULL, &page, BASE);
    noting = com_page_operations;
    noting.deliver = note;
    for (unsigned i = 0; i < RECEIVERS; i++) {
        com_open(&receiver[i], &noting, &page, base_of(i));
    }
    listening = RECEIVERS;
    return 0;
}

static void send_number(uint64_t number, size_t length)
{
    uint8_t message[COM_MESSAGE];

    memcpy(message, &number, 8);
    for (size_t k = 8; k < length; k++) {
        message[k] = (uint8_t)(number + k);
    }
    assert_int_equal(com_send(&sender, message, length), ERR_OK);
}

// One write, three receivers, who look whenever they like: each gets every message in order, or is told that it missed.
static void test_multicast(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= ROUNDS; n++) {
        send_number(n, 8 + next() % (COM_MESSAGE - 7));
        assert_int_equal(sender.receivers, RECEIVERS);
        assert_int_equal(com_signalled(&receiver[0]), 1);              // the quick one
        if (next() % 6 == 0) {
            (void)com_signalled(&receiver[1]);
        }
        if (next() % 40 == 0) {
            (void)com_signalled(&receiver[2]);                         // the slow one
        }
    }
    for (unsigned i = 0; i < RECEIVERS; i++) {
        while (com_signalled(&receiver[i]) > 0) {
        }
        assert_int_equal(told[i] + receiver[i].missed, ROUNDS);
        assert_int_equal(order[i], ROUNDS);
        assert_int_equal(receiver[i].garbage, 0);
    }
    assert_int_equal(receiver[0].missed, 0);
    assert_true(receiver[2].missed > ROUNDS / 2);
}

static void test_addresses(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 20; n++) {
        send_number(n, 8);
        assert_int_equal(last_signal, BASE + n % COM_SLOTS * COM_SLOT);
        assert_true(com_is_mine(&receiver[1], base_of(1) + (last_signal - BASE)));
        assert_false(com_is_mine(&receiver[1], base_of(0) + (last_signal - BASE)));
    }
    assert_int_equal(com_send(&sender, &page, COM_MESSAGE + 1), ERR_INVAL);
}

// Nobody listens: the message is in the page all the same, and is found later.
static void test_nobody(void **state)
{
    (void)state;
    listening = 0;
    send_number(1, 20);
    assert_int_equal(sender.receivers, 0);
    assert_int_equal(com_ring(&sender), ERR_STALE);
    assert_int_equal(com_signalled(&receiver[0]), 1);
    assert_int_equal(com_signalled(&receiver[0]), 0);
}

static void test_numbers_wrap(void **state)
{
    (void)state;
    sender.next = receiver[0].next = receiver[1].next = UINT32_MAX - 3;
    for (uint64_t n = 1; n <= 10; n++) {
        send_number(n, 30);
        assert_int_equal(com_signalled(&receiver[0]), 1);
    }
    assert_int_equal(told[0], 10);
    while (com_signalled(&receiver[1]) > 0) {
    }
    assert_int_equal(order[1], 10);
}

// The sender writes what it likes where it likes.
static void test_hostile(void **state)
{
    uint64_t message[COM_MESSAGE / 8];
    unsigned good = 0;
    size_t n;

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = next() % 4; k > 0; k--) {
            struct com_slot *s = &page.slot[next() % COM_SLOTS];
            s->turn = next() % 3 ? receiver[0].next + (uint32_t)(next() % 20) - 5 : (uint32_t)next() * 2654435761u;
            s->length = next() % 2 ? (uint32_t)next() : (uint32_t)(next() % (COM_MESSAGE + 10));
        }
        n = 0;
        err_t e = com_receive(&receiver[0], message, sizeof(message), &n);
        assert_true(e == ERR_OK || e == ERR_AGAIN || e == ERR_INVAL);
        assert_true(e != ERR_OK || n <= COM_MESSAGE);
        good += e == ERR_OK;
    }
    assert_true(good > 0 && receiver[0].garbage > 0);
    // A buffer that is too small for a good message: an error, and the next one is taken.
    assert_int_equal(set_up(NULL), 0);
    send_number(1, 100);
    send_number(2, 8);
    assert_int_equal(com_receive(&receiver[0], message, 99, &n), ERR_INVAL);
    assert_int_equal(com_receive(&receiver[0], message, 99, &n), ERR_OK);
    assert_int_equal(message[0], 2);
}


static void *send_all(void *arg)
{
    (void)arg;
    for (uint64_t n = 1; n <= 10 * ROUNDS; n++) {
        send_number(n, 8 + n % (COM_MESSAGE - 7));
    }
    return NULL;
}

// A sender that never waits, on another processor: what is delivered is never torn.
static void test_overwritten(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, send_all, NULL), 0);
    while (order[0] < 10 * ROUNDS) {
        (void)com_signalled(&receiver[0]);
    }
    pthread_join(thread, NULL);
    assert_int_equal(told[0] + receiver[0].missed, 10 * ROUNDS);
}

static uint32_t stop;

// Always the same slot, as if seven other messages had come in between.
static void *overwrite(void *arg)
{
    uint64_t words[COM_MESSAGE / 8];

    (void)arg;
    for (uint32_t n = 1; __atomic_load_n(&stop, __ATOMIC_RELAXED) == 0; n += COM_SLOTS) {
        for (unsigned i = 0; i < COM_MESSAGE / 8; i++) {
            words[i] = n;
        }
        sender.next = n;
        (void)com_send(&sender, words, COM_MESSAGE);
    }
    return NULL;
}

// A message that is overwritten while it is copied is not delivered.
static void test_torn(void **state)
{
    uint64_t words[COM_MESSAGE / 8];
    unsigned whole = 0, torn = 0, vain = 0;
    pthread_t thread;
    size_t n;

    (void)state;
    stop = 0;
    assert_int_equal(pthread_create(&thread, NULL, overwrite, NULL), 0);
    while (whole < ROUNDS) {             // the writer may have no processor, in the middle of a message
        uint32_t turn = __atomic_load_n(&page.slot[1].turn, __ATOMIC_RELAXED);
        receiver[0].next = turn != 0 ? turn : 1;
        if (com_receive(&receiver[0], words, sizeof(words), &n) != ERR_OK) {
            if (++vain % PATIENCE == 0) {
                (void)sched_yield();
            }
            continue;
        }
        whole++;
        for (unsigned i = 1; i < COM_MESSAGE / 8; i++) {
            torn += words[i] != words[0];
        }
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    assert_int_equal(torn, 0);
}

// The supervisor's writeback channel through the same calls.
static void test_writeback(void **state)
{
    static struct channel ring;
    struct com_channel c;
    struct channel_entry e;
    size_t n;

    (void)state;
    ring.head = ring.tail = UINT32_MAX - 2;
    com_open_writeback(&c, &ring);
    assert_int_equal(com_receive(&c, &e, sizeof(e), &n), ERR_AGAIN);
    for (uint32_t i = 0; i < 300; i++) {
        ring.entry[ring.head % CHANNEL_ENTRIES] = (struct channel_entry){.type = OBJECT_THREAD, .cookie = i};
        ring.head++;
        if (i % 50 == 49) {
            ring.lost++;
        }
        if (i % 3 == 2) {
            for (uint32_t k = i - 2; k <= i; k++) {
                assert_int_equal(com_receive(&c, &e, sizeof(e), &n), ERR_OK);
                assert_true(n == sizeof(e) && e.type == OBJECT_THREAD && e.cookie == k);
            }
            assert_int_equal(com_receive(&c, &e, sizeof(e), &n), ERR_AGAIN);
            assert_int_equal(ring.tail, ring.head);
        }
    }
    assert_int_equal(c.missed, 6);
    assert_int_equal(com_send(&c, &e, sizeof(e)), ERR_NOCALL);
    ring.head++;
    assert_int_equal(com_receive(&c, &e, sizeof(e) - 1, &n), ERR_INVAL);
    assert_int_equal(ring.tail, ring.head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_multicast, set_up),    cmocka_unit_test_setup(test_addresses, set_up),
        cmocka_unit_test_setup(test_nobody, set_up),       cmocka_unit_test_setup(test_numbers_wrap, set_up),
        cmocka_unit_test_setup(test_hostile, set_up),      cmocka_unit_test_setup(test_overwritten, set_up),
        cmocka_unit_test_setup(test_torn, set_up),         cmocka_unit_test_setup(test_writeback, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
