// multicast.c - a channel with one sender and three receivers, each a thread with a mapping of its own of the page.
//
// One write and one signal for all: each receiver is given every message at an address of its own.  One of them is
// slow: it misses messages, is told how many, and delays nobody.
#include <communication.h>

#include "../harness.h"
#include "multicast.h"

enum { RECEIVERS = 3, MESSAGES = 400, LENGTH = 40 };
static const va_t send_at = 0x210000000000, receive_at = 0x211000000000, stride = 0x10000000;

struct receiver {
    struct com_channel channel;          // first
    struct test_thread thread;
    pa_t stack;
    volatile uint64_t got, wrong, last;
    volatile bool done;
};

static struct receiver receiver[RECEIVERS];
static struct com_operations hearing;

static void hear(struct com_channel *c, const void *message, size_t length)
{
    struct receiver *r = (struct receiver *)c;
    const uint64_t *words = message;

    r->wrong += length != LENGTH || words[0] <= r->last || words[4] != words[0] * 3;
    r->last = words[0];
    r->got++;
    if (r == &receiver[0]) {
        for (uint64_t until = now() + milliseconds(1); now() < until;) {
        }
    }
}

static _Noreturn void receive(struct receiver *r)
{
    while (r->last < MESSAGES) {
        va_t va = 0;
        (void)sys_wait_signal(0, &va);
        r->wrong += va != 0 && !com_is_mine(&r->channel, va);
        while (com_signalled(&r->channel) > 0) {
        }
    }
    r->done = true;
    thread_end(0);
}

static err_t start(unsigned i, pa_t page)
{
    struct receiver *r = &receiver[i];

    com_open(&r->channel, &hearing, (void *)(receive_at + i * stride), receive_at + i * stride);
    thread_make(&r->thread, NULL);
    r->stack = page_take();
    r->thread.desc.priority = 14;
    r->thread.desc.affinity = 1ull << i % machine->cpus;
    struct frame *f = &r->thread.state->frame[0];
    f->rip = (uint64_t)receive;
    f->rdi = (uint64_t)r;
    f->rsp = ABI_WINDOW + r->stack + ABI_PAGE - 8;
    f->rflags = 0x202;
    err_t e = thread_start(&r->thread);
    return e != ERR_OK ? e : sys_mapping_load_signal(info->space, receive_at + i * stride, page, MAP_READ,
                                                     r->thread.id);
}

void multicast(void)
{
    struct com_channel sender;
    pa_t page = page_take();
    uint64_t words[LENGTH / 8], bad = 0;

    hearing = com_page_operations;
    hearing.deliver = hear;
    for (unsigned i = 0; i < RECEIVERS; i++) {
        check_error(start(i, page), ERR_OK, "a receiver");
    }
    check_error(sys_mapping_load(info->space, send_at, page, MAP_WRITE | MAP_MESSAGE), ERR_OK, "the sender");
    com_open(&sender, NULL, (void *)send_at, send_at);
    for (uint64_t n = 1; n <= MESSAGES; n++) {
        words[0] = n, words[4] = n * 3;
        bad += com_send(&sender, words, LENGTH) != ERR_OK || sender.receivers != RECEIVERS;
        (void)sys_wait(now() + milliseconds(1) / 5);
    }
    CHECK(bad == 0, "each message is one signal to all three");
    CHECK(EVENTUALLY(receiver[0].done && receiver[1].done && receiver[2].done), "the last one reaches everybody");
    for (unsigned i = 0; i < RECEIVERS; i++) {
        struct receiver *r = &receiver[i];
        check(r->wrong == 0 && r->got + r->channel.missed == MESSAGES, "what was not heard was counted",
              "receiver %u: %lu heard, %u missed, %lu wrong", i, (unsigned long)r->got, r->channel.missed,
              (unsigned long)r->wrong);
        note("receiver %u heard %lu", i, (unsigned long)r->got);
        (void)EVENTUALLY(!thread_loaded(&r->thread));
        thread_free(&r->thread);
        page_give(r->stack);
    }
    (void)sys_mapping_unload(info->space, send_at, ABI_PAGE, &bad);
    page_give(page);
}
