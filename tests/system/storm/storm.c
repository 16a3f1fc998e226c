// storm.c - signals as fast as they can be sent, to receivers that vanish.
//
// Senders signal the pages of all receivers at random and wait for nobody.  The owner (the first thread) unloads
// receivers and their mappings without redirecting anything, and loads them again a little later.  Each signal that a
// sender was told to have been taken is got by its receiver, or counted as lost because the queue was full: the sums
// agree exactly.  A sender whose receiver has gone faults, and nobody waits for anybody.
#include "../harness.h"

enum {
    RECEIVERS = 4, SENDERS = 3, DURATION_MS = 2000, ROUNDS = 20, FRAMES = 1024,
    SENDER_PRIORITY = 5, RECEIVER_PRIORITY = 5,
};
static const va_t in_at = 0x210000000000, out_at = 0x200000000000, many_at = 0x300000000000;
enum { MANY_OUT = 1 << 30 };             // from a page's mapping for its receiver to the one for its sender

struct actor {
    struct test_thread thread;           // first: the cookie
    pa_t     stack;
    unsigned number;
    uint64_t random, taken[RECEIVERS], faults, odd;      // of a sender
    volatile uint64_t got;                               // of a receiver
};

static struct actor sender[SENDERS], receiver[RECEIVERS], clock_actor;
static pa_t page[RECEIVERS];
static volatile bool stop;

static uint64_t next(uint64_t *r)
{
    *r ^= *r << 13;
    *r ^= *r >> 7;
    *r ^= *r << 17;
    return *r * 0x2545f4914f6cdd1dull >> 16;
}

// ---- threads ------------------------------------------------------------------------------------------------

static _Noreturn void receive(struct actor *a)
{
    for (;;) {
        va_t va = 0;
        (void)sys_wait_signal(0, &va);
        a->got += va != 0;
    }
}

static _Noreturn void send(struct actor *a)
{
    while (!stop) {
        unsigned to = (unsigned)(next(&a->random) % RECEIVERS);
        uint64_t receivers = 0;
        err_t e = sys_signal_at(out_at + to * (va_t)ABI_LARGE + next(&a->random) % ABI_PAGE, &receivers);
        a->taken[to] += e == ERR_OK ? receivers : 0;
        a->faults += e == (err_t)FAULTED;
        a->odd += (e != ERR_OK && e != (err_t)FAULTED) || (e == ERR_OK && receivers > 1);
    }
    thread_end(0);
}

// Wakes every millisecond, above the storm.
static _Noreturn void tick(struct actor *a)
{
    while (!stop) {
        (void)sys_wait(now() + milliseconds(1));
        a->got++;
    }
    thread_end(0);
}

static void actor_start(struct actor *a, void (*run)(struct actor *), unsigned number, uint32_t priority)
{
    thread_make(&a->thread, NULL);
    a->stack = page_take();
    a->number = number;
    a->random = now() | 1;
    a->thread.desc.priority = priority;
    struct frame *f = &a->thread.state->frame[0];
    f->rip = (uint64_t)run;
    f->rdi = (uint64_t)a;
    f->rsp = ABI_WINDOW + a->stack + ABI_PAGE - 8;
    f->rflags = 0x202;
    check_error(thread_start(&a->thread), ERR_OK, "a thread");
}

static void keep(struct actor *a)
{
    if (!thread_loaded(&a->thread) && a->thread.state->reason != REASON_EXITED) {
        a->thread.desc.flags = LOAD_SIGNALED;
        (void)sys_thread_load(&a->thread.desc, &a->thread.id);
    }
}

// ---- the storm ----------------------------------------------------------------------------------------------

static void keep_all(void)
{
    struct channel *c = window(info->channel);

    c->tail = __atomic_load_n(&c->head, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        keep(&receiver[i]);
        oid_t id = receiver[i].thread.id;
        (void)sys_mapping_load_signal(info->space, in_at + i * (va_t)ABI_LARGE, page[i], MAP_READ, id);
        (void)sys_mapping_load(info->space, out_at + i * (va_t)ABI_LARGE, page[i], MAP_WRITE | MAP_MESSAGE);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        keep(&sender[i]);
    }
    keep(&clock_actor);
}

static void vanish(uint64_t *r)
{
    unsigned i = (unsigned)(next(r) % RECEIVERS);
    uint64_t n;

    switch (next(r) % 3) {
    case 0:  (void)sys_thread_unload(receiver[i].thread.id, 0); break;
    case 1:  (void)sys_mapping_unload(info->space, in_at + i * (va_t)ABI_LARGE, ABI_PAGE, &n); break;
    default: (void)sys_mapping_unload(info->space, out_at + i * (va_t)ABI_LARGE, ABI_PAGE, &n); break;
    }
}

static bool all_ended(void)
{
    bool ended = !thread_loaded(&clock_actor.thread);

    for (unsigned i = 0; i < SENDERS; i++) {
        ended = ended && !thread_loaded(&sender[i].thread) && sender[i].thread.state->reason == REASON_EXITED;
    }
    keep_all();
    return ended;
}

// What its senders were told, less what it got and what it lost.
static int64_t unaccounted(unsigned i)
{
    int64_t n = -(int64_t)receiver[i].got - (int64_t)receiver[i].thread.state->signal_lost;

    for (unsigned s = 0; s < SENDERS; s++) {
        n += (int64_t)sender[s].taken[i];
    }
    return n;
}

static bool sums_agree(void)
{
    bool agree = true;

    keep_all();
    for (unsigned i = 0; i < RECEIVERS; i++) {
        agree = agree && unaccounted(i) == 0;
    }
    return agree;
}

static void storm(void)
{
    uint64_t until = now() + milliseconds(DURATION_MS), r = now() | 1, rounds = 0, faults = 0, odd = 0;
    uint64_t got = 0, lost = 0, n;

    note("seed 0x%lx", (unsigned long)r);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        page[i] = page_take();
        actor_start(&receiver[i], receive, i, RECEIVER_PRIORITY);
    }
    actor_start(&clock_actor, tick, 0, SENDER_PRIORITY + 1);
    for (unsigned i = 0; i < SENDERS; i++) {
        actor_start(&sender[i], send, i, SENDER_PRIORITY);
    }
    // Longer where the emulator gets little time.
    for (; now() < until || (rounds < ROUNDS && now() < until + milliseconds(20000)); rounds++) {
        keep_all();
        sleep_for(machine->slice / 4);
        vanish(&r);
        sleep_for(machine->slice / 8);
    }
    stop = true;
    CHECK(EVENTUALLY(all_ended()), "all senders end");
    bool agree = EVENTUALLY(sums_agree());
    for (unsigned i = 0; i < RECEIVERS; i++) {
        check(unaccounted(i) == 0, "each signal is accounted for", "receiver %u: %ld are not", i, (long)unaccounted(i));
        got += receiver[i].got;
        lost += receiver[i].thread.state->signal_lost;
        thread_free(&receiver[i].thread);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        faults += sender[i].faults;
        odd += sender[i].odd;
    }
    check(agree && odd == 0, "signals are taken or fault, nothing else", "%lu times", (unsigned long)odd);
    check(got > 0 && faults > 0 && rounds >= ROUNDS, "receivers got signals, and vanished",
          "%lu got, %lu faults, %lu rounds", (unsigned long)got, (unsigned long)faults, (unsigned long)rounds);
    check(clock_actor.got > 0, "who has a higher priority runs", "it ran %lu times",
          (unsigned long)clock_actor.got);
    note("%lu got, %lu lost in full queues, %lu faults of senders, %lu rounds, the clock %lu times", (unsigned long)got,
         (unsigned long)lost, (unsigned long)faults, (unsigned long)rounds, (unsigned long)clock_actor.got);
    (void)sys_mapping_unload(info->space, in_at, RECEIVERS * (uint64_t)ABI_LARGE, &n);
    (void)sys_mapping_unload(info->space, out_at, RECEIVERS * (uint64_t)ABI_LARGE, &n);
}

// ---- full caches of message mappings ------------------------------------------------------------------------

static uint64_t number_of(va_t va)
{
    return (va - many_at) / ABI_PAGE % FRAMES;
}

// More pages with a receiver and a sender than there are mappings.  Each pair that is still there works, and translates
// as it should; of one whose receiver's mapping was replaced, the sender's has gone too.
static void many_pages(void)
{
    uint64_t pairs = machine->mappings / 2 + 1000, failed = 0, works = 0, faults = 0, wrong = 0, n;

    for (uint64_t i = 0; i < pairs; i++) {
        pa_t frame = info->range[0].base + info->range[0].length - (1 + i % FRAMES) * (pa_t)ABI_PAGE;
        va_t in = many_at + i * ABI_PAGE;
        struct test_space own = {.id = info->space};
        failed += sys_mapping_load_signal(info->space, in, frame, MAP_READ, info->thread) != ERR_OK;
        failed += map_page(&own, in + MANY_OUT, frame, MAP_WRITE | MAP_MESSAGE) != ERR_OK;
        // At once, and one of long ago: it is its frame's present receivers that get it.
        for (unsigned k = 0; k < 2; k++) {
            va_t va = 0, out = in + MANY_OUT - k * (i / 2) * ABI_PAGE;
            uint64_t receivers = 0;
            err_t e = sys_signal_at(out + 40, &receivers);
            faults += e == (err_t)FAULTED;
            wrong += e != ERR_OK && e != (err_t)FAULTED;
            for (; receivers > 0; receivers--) {
                (void)sys_wait_signal(0, &va);
                works += va != 0;
                wrong += va != 0 && (va % ABI_PAGE != 40 || number_of(va) != number_of(out - MANY_OUT));
            }
        }
    }
    check(failed == 0, "more message pages are loaded than there are mappings", "%lu failed", (unsigned long)failed);
    check(wrong == 0 && works >= pairs / 2 && faults > 0, "they work until they are replaced",
          "%lu wrong, %lu signals, %lu faults", (unsigned long)wrong, (unsigned long)works, (unsigned long)faults);
    note("%lu pages, %lu signals, %lu faults", (unsigned long)pairs, (unsigned long)works, (unsigned long)faults);
    check_error(sys_mapping_unload(info->space, many_at, 2ull * MANY_OUT, &n), ERR_OK, "unload them");
}

unsigned test_main(void)
{
    struct counts before = counts_now();

    check_error(sys_listen(info->thread), ERR_OK, "listen");
    storm();
    many_pages();
    if (machine->threads >= 256) {       // else srm's may have gone meanwhile
        counts_check(&before, "nothing is left behind");
    }
    return failures();
}
