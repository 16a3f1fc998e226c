// message.c - memory-based messaging in the booted machine: threads that send each other addresses.
//
// All threads are of one kernel and run in its own space, where a message page is mapped once for its sender and once
// for each receiver, at addresses of their own.  A mapping may be replaced at any moment when the caches are small: the
// sender's call then faults (FAULTED), and all mappings of the page are loaded again, as an application kernel does.
#include "../harness.h"

enum {
    SLOTS = 64, SLOT = 64,               // messages in a page, and bytes of each
    ROUNDS = 1500, BURSTS = 60, RECEIVERS = 3, TAKEN = 400,
    PRIORITY = 5,
};
static const va_t send_at = 0x200000000000, receive_at = 0x210000000000, stride = 0x10000000;

struct actor {
    struct test_thread thread;           // first
    pa_t     stack;
    void   (*run)(struct actor *a);
    volatile uint64_t got, wrong, sum;
    volatile bool done;
};

struct page {                            // a message page, and everyone who has to do with it
    pa_t     frame;
    va_t     out;                        // where its sender writes
    unsigned receivers;
    struct actor *receiver[RECEIVERS];
    va_t     in[RECEIVERS];
};

static struct page forth, back, all;
static struct actor pinger, ponger, many[RECEIVERS], taker, giver;
static volatile bool others_done;        // the slow receiver waits for that

// ---- threads and mappings -----------------------------------------------------------------------------------

static _Noreturn void actor_begin(struct actor *a)
{
    a->run(a);
    a->done = true;
    thread_end(0);
}

static void actor_make(struct actor *a, void (*run)(struct actor *), void (*function)(va_t, uint64_t), unsigned cpu)
{
    memset(a, 0, sizeof(*a));
    thread_make(&a->thread, NULL);
    a->stack = page_take();
    a->run = run;
    a->thread.desc.priority = PRIORITY;
    a->thread.desc.affinity = 1ull << cpu % machine->cpus;
    a->thread.desc.signal = (va_t)function;
    struct frame *f = &a->thread.state->frame[0];
    f->rip = (uint64_t)actor_begin;
    f->rdi = (uint64_t)a;
    f->rsp = ABI_WINDOW + a->stack + ABI_PAGE - 8;
    f->rflags = 0x202;
}

// A thread that was written back to make room for another is loaded again.
static bool keep_loaded(struct actor *a)
{
    if (!a->done && !thread_loaded(&a->thread)) {
        a->thread.desc.flags |= LOAD_SIGNALED;
        (void)sys_thread_load(&a->thread.desc, &a->thread.id);
    }
    return a->done && !thread_loaded(&a->thread);
}

static void actor_free(struct actor *a)
{
    thread_free(&a->thread);
    page_give(a->stack);
}

static void page_make(struct page *p, unsigned number)
{
    memset(p, 0, sizeof(*p));
    p->frame = page_take();
    p->out = send_at + number * stride;
}

static void receiver_add(struct page *p, struct actor *a)
{
    p->in[p->receivers] = receive_at + (va_t)(p->out - send_at) * 16 + p->receivers * stride;
    p->receiver[p->receivers++] = a;
}

// Load all mappings of a message page: receivers first.  False: a receiver is not loaded now.
static bool page_load(struct page *p)
{
    for (unsigned i = 0; i < p->receivers; i++) {
        if (sys_mapping_load_signal(info->space, p->in[i], p->frame, MAP_READ, p->receiver[i]->thread.id) != ERR_OK) {
            return false;
        }
    }
    return sys_mapping_load(info->space, p->out, p->frame, MAP_WRITE | MAP_MESSAGE) == ERR_OK;
}

// Write a message and signal it.  False: not everybody who should hear of it is there.
static bool try_send(struct page *p, unsigned slot, uint64_t message)
{
    uint64_t *at = (uint64_t *)((char *)window(p->frame) + slot * SLOT), receivers = 0;

    __atomic_store_n(at, message, __ATOMIC_RELEASE);
    return sys_signal_at(p->out + slot * SLOT, &receivers) == ERR_OK && receivers == p->receivers;
}

static void send(struct page *p, unsigned slot, uint64_t message)
{
    while (!try_send(p, slot, message)) {
        (void)page_load(p);
        (void)sys_wait(now() + machine->slice / 8);
    }
}

// ---- back and forth -----------------------------------------------------------------------------------------

static void ping(struct actor *a)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        unsigned slot = (unsigned)(i * 7 % SLOTS);
        va_t va = 0;
        send(&forth, slot, i);
        while (va == 0) {
            (void)sys_wait_signal(0, &va);
        }
        a->wrong += va != back.in[0] + slot * SLOT || *(volatile uint64_t *)va != i * 3;
        a->got++;
    }
}

static void pong(struct actor *a)
{
    while (a->got < ROUNDS) {
        va_t va = 0;
        (void)sys_wait_signal(0, &va);
        if (va == 0) {
            continue;
        }
        uint64_t message = *(volatile uint64_t *)va;
        a->wrong += message != a->got || va != forth.in[0] + (message * 7 % SLOTS) * SLOT;
        a->got++;
        send(&back, (unsigned)(message * 7 % SLOTS), message * 3);
    }
}

static void back_and_forth(unsigned other_cpu, const char *name)
{
    page_make(&forth, 0);
    page_make(&back, 1);
    actor_make(&pinger, ping, NULL, 0);
    actor_make(&ponger, pong, NULL, other_cpu);
    receiver_add(&forth, &ponger);
    receiver_add(&back, &pinger);
    bool ended = EVENTUALLY(keep_loaded(&pinger) & keep_loaded(&ponger));
    check(ended && pinger.got == ROUNDS && pinger.wrong == 0 && ponger.wrong == 0, name,
          "ended %d, %lu and %lu of %u, wrong %lu and %lu", ended, (unsigned long)pinger.got,
          (unsigned long)ponger.got, (unsigned)ROUNDS, (unsigned long)pinger.wrong, (unsigned long)ponger.wrong);
    actor_free(&pinger);
    actor_free(&ponger);
    (void)sys_mapping_unload(info->space, send_at, 16 * stride, &(uint64_t){0});
    (void)sys_mapping_unload(info->space, receive_at, 64 * stride, &(uint64_t){0});
    page_give(forth.frame);
    page_give(back.frame);
}

// ---- several receivers --------------------------------------------------------------------------------------

static void heard(va_t va, uint64_t cookie)
{
    unsigned me = 0;

    (void)cookie;
    while (va - all.in[me] >= ABI_PAGE) {
        me++;
    }
    struct actor *a = &many[me];
    a->sum += *(volatile uint64_t *)va;
    while (me == 0 && !others_done) {    // the slow one
        __asm__ volatile("pause");
    }
    a->got++;
    (void)sys_signal_return();
}

static void idle(struct actor *a)
{
    while (!a->done) {
        (void)sys_wait(0);
    }
}

static void several(void)
{
    uint64_t expected = 0, receivers = 0;

    page_make(&all, 2);
    others_done = false;
    for (unsigned i = 0; i < RECEIVERS; i++) {
        actor_make(&many[i], idle, heard, i);
        check_error(thread_start(&many[i].thread), ERR_OK, "a receiver");
        receiver_add(&all, &many[i]);
    }
    check(page_load(&all), "mappings of three receivers and a sender", "they are refused");
    for (uint64_t i = 0; i < BURSTS; i++) {
        *((uint64_t *)window(all.frame) + i * SLOT / 8) = i * i;
        expected += i * i;
        if (sys_signal_at(all.out + i * SLOT, &receivers) != ERR_OK || receivers != RECEIVERS) {
            check(false, "a signal to all", "%lu receivers", (unsigned long)receivers);
        }
    }
    bool good = EVENTUALLY(many[1].got == BURSTS && many[2].got == BURSTS);
    check(good, "a slow receiver delays no other", "%lu and %lu of %u", (unsigned long)many[1].got,
          (unsigned long)many[2].got, (unsigned)BURSTS);
    others_done = true;
    good = good && EVENTUALLY(many[0].got == BURSTS);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        good = good && many[i].sum == expected;
    }
    check(good, "each receiver gets each signal, in its own translation", "%lu %lu %lu of %u",
          (unsigned long)many[0].got, (unsigned long)many[1].got, (unsigned long)many[2].got, (unsigned)BURSTS);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        many[i].done = true;
        (void)sys_signal(many[i].thread.id);
        (void)EVENTUALLY(!thread_loaded(&many[i].thread));
        actor_free(&many[i]);
    }
    (void)sys_mapping_unload(info->space, all.out, ABI_PAGE, &receivers);
    page_give(all.frame);
}

// ---- a receiver that comes and goes -------------------------------------------------------------------------

static struct page taken;
static volatile uint32_t seen[TAKEN];             // how often each message was taken

static void count(va_t va)
{
    seen[*(volatile uint64_t *)va]++;
    __atomic_fetch_add(&taker.got, 1, __ATOMIC_SEQ_CST);
}

static void take(struct actor *a)
{
    (void)a;
    for (;;) {
        va_t va = 0;
        (void)sys_wait_signal(0, &va);
        if (va != 0) {
            count(va);
        }
    }
}

// A place in the page is used again when what was there has been taken; so the queue is never over-full either.
static void give(struct actor *a)
{
    for (uint64_t i = 0; i < TAKEN; i++) {
        while (i >= SLOTS && seen[i - SLOTS] == 0) {
            (void)sys_wait(now() + machine->slice / 8);
        }
        uint64_t *at = (uint64_t *)((char *)window(taken.frame) + i % SLOTS * SLOT), receivers = 0;
        *at = i;
        while (sys_signal_at(taken.out + i % SLOTS * SLOT, &receivers) != ERR_OK || receivers != 1) {
            a->wrong++;
            (void)sys_wait(now() + machine->slice / 8);
        }
    }
}

static oid_t self_id(void)
{
    return *(volatile oid_t *)&info->thread;
}

// This thread waits; what came for the receiver meanwhile is counted.  True if something did.
static bool stand_in(uint64_t ticks)
{
    va_t va = 0;

    (void)sys_wait_signal(now() + ticks, &va);
    if (va != 0) {
        count(va);
    }
    return va != 0;
}

static void point_at(oid_t receiver)
{
    while (sys_mapping_load_signal(info->space, taken.in[0], taken.frame, MAP_READ, receiver) != ERR_OK ||
           sys_mapping_load(info->space, taken.out, taken.frame, MAP_WRITE | MAP_MESSAGE) != ERR_OK) {
        (void)stand_in(machine->slice / 8);
    }
}

// Redirect the page to this thread, unload the receiver, wait for signals, load it, and point the page at it again.
static uint64_t come_and_go(void)
{
    uint64_t times = 0, until = now() + milliseconds(30000);

    while (taker.got < TAKEN && now() < until) {
        point_at(self_id());
        (void)sys_thread_unload(taker.thread.id, 0);
        while (stand_in(machine->slice)) {
        }
        taker.thread.desc.flags |= LOAD_SIGNALED;
        while (sys_thread_load(&taker.thread.desc, &taker.thread.id) != ERR_OK) {
            (void)stand_in(machine->slice / 8);
        }
        point_at(taker.thread.id);
        while (stand_in(machine->slice / 4)) {
        }
        (void)keep_loaded(&giver);
        times++;
    }
    return times;
}

static void comes_and_goes(void)
{
    unsigned wrong = 0;

    page_make(&taken, 3);
    actor_make(&taker, take, NULL, 1);
    actor_make(&giver, give, NULL, 2);
    receiver_add(&taken, &taker);
    check_error(thread_start(&taker.thread), ERR_OK, "the receiver");
    check(page_load(&taken), "its page", "it is refused");
    check_error(thread_start(&giver.thread), ERR_OK, "the sender");
    uint64_t times = come_and_go();
    for (unsigned i = 0; i < TAKEN; i++) {
        wrong += seen[i] != 1;
    }
    check(taker.got == TAKEN && wrong == 0, "no signal is lost or doubled while its receiver comes and goes",
          "%lu of %u, %u wrong", (unsigned long)taker.got, (unsigned)TAKEN, wrong);
    note("unloaded %lu times, refused sends %lu", (unsigned long)times, (unsigned long)giver.wrong);
    (void)EVENTUALLY(!thread_loaded(&giver.thread));
    actor_free(&giver);
    actor_free(&taker);
    (void)sys_mapping_unload(info->space, taken.out, ABI_PAGE, &times);
    page_give(taken.frame);
}

unsigned test_main(void)
{
    struct counts before = counts_now();

    back_and_forth(0, "back and forth on one processor");
    back_and_forth(1, "back and forth between two");
    if (machine->threads >= 4 + RECEIVERS) {
        several();
    }
    comes_and_goes();
    if (machine->mappings > 1000) {
        counts_check(&before, "nothing is left behind");
    }
    return failures();
}
