// race.c - writebacks that race with everything else.
//
// Workers run a program that checks its own registers and pages, and end and begin anew at times.  Senders send
// numbered messages to receivers.  The owner (the first thread) loads what is not loaded, each time on other processors
// and at another priority, redirects receivers' pages to itself and unloads them, and looks whether the modified bits
// of workers' pages tell of all that changed.  Meddlers unload, reprioritize and signal workers, and unload and protect
// their mappings and spaces, from other processors.  All at random, by a seed that is printed.
#include "../harness.h"

enum {
    WORKERS = 6, SPACES = 3, PAIRS = 2, MEDDLERS = 2, PAGES = 3, DURATION_MS = 4000, WINDOW = 32, MESSAGES = 200000,
    WORDS = ABI_PAGE / 8,                // of a message page, one for each message
    DATA = 0x500000, FAR = 0x40000000, LOST = 3000, CONFUSED = 4000,
};
static const va_t out_at = 0x200000000000, in_at = 0x210000000000;

struct actor {                           // a thread of the kernel's own
    struct test_thread thread;           // first: the cookie
    pa_t     stack;
    unsigned number;
    uint64_t random;
};
struct worker {
    struct test_thread thread;           // first: the cookie
    unsigned number;
    pa_t     page[PAGES];
    uint64_t snapshot[PAGES], rounds;
};
struct pair {
    struct actor sender, receiver;
    pa_t     page;
    volatile uint64_t sent, got, refused;
    volatile uint8_t seen[MESSAGES];             // how often each message was taken
};

static struct test_space space[SPACES];
static struct worker worker[WORKERS];
static struct actor meddler[MEDDLERS];
static struct pair pair[PAIRS];
static unsigned spaces, workers, pairs, meddlers;
static volatile bool stop;
static pa_t text;
static uint64_t seed, owner_random;
static struct {
    volatile uint64_t wrong, bits_lost, exits, migrations, redirects, meddled, bits_seen;
} tally;
DECLARE_PROGRAM(worker);

static uint64_t next(uint64_t *r)
{
    *r ^= *r << 13;
    *r ^= *r >> 7;
    *r ^= *r << 17;
    return *r * 0x2545f4914f6cdd1dull >> 16;
}

static void wrong(const char *what, uint64_t a, uint64_t b)
{
    if (tally.wrong++ < 5) {
        check(false, what, "0x%lx, 0x%lx", (unsigned long)a, (unsigned long)b);
    }
}

// ---- workers ------------------------------------------------------------------------------------------------

static volatile uint64_t *page_word(const struct worker *w, unsigned page)
{
    return window(w->page[page]);
}

static va_t page_va(const struct worker *w, unsigned page)
{
    return page < 2 ? DATA + (w->number * 2 + page) * (va_t)ABI_PAGE : FAR + w->number * (va_t)ABI_LARGE;
}

static bool whole(const struct worker *w)
{
    uint64_t n = w->thread.state->frame[0].r15;

    return *page_word(w, 0) == n && *page_word(w, 1) == n && *page_word(w, 2) == n;
}

static void on_trap(struct test_thread *t, unsigned depth)
{
    struct worker *w = (struct worker *)t;
    struct frame *f = &t->state->frame[depth];

    if (depth != 0 || f->rax != 77 || !whole(w)) {
        wrong("a worker finds its registers or its memory changed", f->rax, f->r15);
        thread_end(CONFUSED);
    }
    w->rounds = f->r15;
    if (f->r15 / 64 % 16 == 0) {
        thread_end(f->r15 ^ f->rbx);
    }
    thread_return(t);
}

static void on_fault(struct test_thread *t, unsigned depth)
{
    struct worker *w = (struct worker *)t;
    struct frame *f = &t->state->frame[depth];
    va_t va = f->addr & ~(va_t)(ABI_PAGE - 1);

    if (depth != 0) {
        return;                          // the harness says what
    }
    for (unsigned i = 0; i <= PAGES; i++) {
        if (va == (i < PAGES ? page_va(w, i) : TEXT)) {
            (void)sys_mapping_load_and_resume(t->space->id, va, i < PAGES ? w->page[i] : text,
                                              MAP_READ | (i < PAGES ? MAP_WRITE : MAP_EXEC));
            thread_end(LOST);            // its space is gone, or there is no room now: later, from here
        }
    }
    wrong("a worker faults where nothing is", f->addr, f->rip);
    thread_end(CONFUSED);
}

static void worker_begin(struct worker *w)
{
    uint64_t r = next(&owner_random);
    struct frame *f = &w->thread.state->frame[0];

    w->thread.state->depth = 0;
    *f = (struct frame){.rip = TEXT, .rflags = 0x202, .rbx = r, .rbp = r, .rsi = r, .r8 = r, .r9 = r, .r10 = r,
                        .r12 = r, .r14 = r, .r15 = *page_word(w, 0), .rdi = page_va(w, 0), .r13 = page_va(w, 2)};
}

// An unloaded worker: what does its state page say, and how does it go on?
static void worker_look(struct worker *w)
{
    struct thread_state *s = w->thread.state;

    if (s->reason == REASON_EXITED && (s->value == LOST || s->value == 2000)) {
        s->depth = 0;                    // where it was, in its program
    } else if (s->reason == REASON_EXITED) {
        if (s->value != (s->frame[0].r15 ^ s->frame[0].rbx) || !whole(w)) {
            wrong("a worker's end", s->value, s->frame[0].r15);
        }
        tally.exits++;
        worker_begin(w);
        s->reason = REASON_NONE;         // it may take more than one attempt to load it
    } else if (s->reason > REASON_UNLOADED) {
        wrong("why a worker was written back", s->reason, s->frame[0].rip);
    }
}

// ---- messages -----------------------------------------------------------------------------------------------

static void take(struct pair *p, va_t va)
{
    uint64_t n = *(volatile uint64_t *)(ABI_WINDOW + p->page + va % ABI_PAGE);

    if (n >= MESSAGES || p->seen[n]++ != 0) {
        wrong("a message that is none, or came twice", n, va);
    }
    __atomic_fetch_add(&p->got, 1, __ATOMIC_SEQ_CST);
}

static bool point_at(unsigned n, oid_t receiver)
{
    va_t in = in_at + n * (va_t)ABI_LARGE;

    return sys_mapping_load_signal(info->space, in, pair[n].page, MAP_READ, receiver) == ERR_OK &&
           sys_mapping_load(info->space, out_at + n * (va_t)ABI_LARGE, pair[n].page, MAP_WRITE | MAP_MESSAGE) == ERR_OK;
}

static _Noreturn void receive(struct actor *a)
{
    for (;;) {
        va_t va = 0;
        (void)sys_wait_signal(0, &va);
        if (va != 0) {
            take(&pair[a->number], va);
        }
    }
}

static _Noreturn void send(struct actor *a)
{
    struct pair *p = &pair[a->number];
    va_t out = out_at + a->number * (va_t)ABI_LARGE;
    while (!stop && p->sent < MESSAGES) {
        uint64_t n = p->sent, receivers = 0;
        bool used = n >= WORDS && p->seen[n - WORDS] == 0;       // it may lie in the queue of one who is not loaded
        if (used || n - __atomic_load_n(&p->got, __ATOMIC_SEQ_CST) >= WINDOW) {
            (void)sys_wait(now() + machine->slice / 8);
            continue;
        }
        *(volatile uint64_t *)(ABI_WINDOW + p->page + n * 8 % ABI_PAGE) = n;
        while (sys_signal_at(out + n * 8 % ABI_PAGE, &receivers) != ERR_OK || receivers != 1) {
            if (receivers > 1) {
                wrong("a signal reached more than one receiver", receivers, n);
            }
            p->refused++;                // the owner maps it again
            receivers = 0;
            (void)sys_wait(now() + machine->slice / 8);
        }
        p->sent = n + 1;
        if (n % 16 == 15) {
            (void)sys_wait(now() + machine->slice / 2);          // leave time to the workers
        }
    }
    thread_end(0);
}

// This thread waits a little; it is whom pages are redirected to.
static void stand_in(uint64_t ticks)
{
    uint64_t until = now() + ticks;
    va_t va = 0;

    do {
        (void)sys_wait_signal(until, &va);
        if (va >= in_at && va < in_at + pairs * (va_t)ABI_LARGE) {         // devices' signals come here, too
            take(&pair[(va - in_at) / ABI_LARGE], va);
        }
    } while (va != 0 || now() < until);
}

// ---- meddlers -----------------------------------------------------------------------------------------------

static void meddle_once(uint64_t *r)
{
    struct worker *w = &worker[next(r) % workers];
    oid_t t = *(volatile oid_t *)&w->thread.id, s = *(volatile oid_t *)&w->thread.space->id;
    va_t va = page_va(w, (unsigned)(next(r) % PAGES));
    uint64_t n;

    switch (t == 0 || s == 0 ? 7 : next(r) % 7) {            // 0 would be the caller
    case 7:  break;
    case 0:  (void)sys_thread_unload(t, 0); break;
    case 1:  (void)sys_thread_priority(t, (uint32_t)(1 + next(r) % 4)); break;
    case 2:  (void)sys_signal(t); break;
    case 3:  (void)sys_mapping_unload(s, va, ABI_PAGE, &n); break;
    case 4:  (void)sys_mapping_protect(s, va, ABI_PAGE, MAP_READ, &n); break;
    case 5:  (void)sys_mapping_unload(s, 0, ABI_USER_END, &n); break;
    default: (void)sys_space_unload(s); break;
    }
    tally.meddled++;
}

static _Noreturn void meddle(struct actor *a)
{
    while (!stop) {
        meddle_once(&a->random);
        (void)sys_wait(now() + next(&a->random) % (machine->slice / 8));
    }
    thread_end(0);
}

// ---- the owner ----------------------------------------------------------------------------------------------

static void actor_make(struct actor *a, void (*run)(struct actor *), unsigned number, uint32_t priority)
{
    memset(a, 0, sizeof(*a));
    thread_make(&a->thread, NULL);
    a->stack = page_take();
    a->number = number;
    a->random = next(&owner_random) | 1;
    a->thread.desc.priority = priority;
    a->thread.desc.flags = LOAD_SIGNALED;
    struct frame *f = &a->thread.state->frame[0];
    f->rip = (uint64_t)run;
    f->rdi = (uint64_t)a;
    f->rsp = ABI_WINDOW + a->stack + ABI_PAGE - 8;
    f->rflags = 0x202;
}

// Load a thread that is not loaded, elsewhere than before.
static void reload(struct test_thread *t)
{
    uint64_t all = (1ull << machine->cpus) - 1, affinity = next(&owner_random) & all;
    oid_t id;

    tally.migrations += (t->desc.affinity & affinity) == 0;
    t->desc.affinity = affinity != 0 ? affinity : all;
    if (t->space != NULL) {
        t->desc.priority = (uint32_t)(1 + next(&owner_random) % 4);
        t->desc.space = t->space->id;
    }
    if (sys_thread_load(&t->desc, &id) == ERR_OK) {
        __atomic_store_n(&t->id, id, __ATOMIC_RELEASE);
    }
}

static bool ended(const struct actor *a)
{
    return !thread_loaded(&a->thread) && a->thread.state->reason == REASON_EXITED;
}

static void keep_actor(struct actor *a)
{
    if (!thread_loaded(&a->thread) && !ended(a)) {
        reload(&a->thread);
    }
}

static void keep_actors(void)
{
    for (unsigned i = 0; i < pairs; i++) {
        keep_actor(&pair[i].sender);
        keep_actor(&pair[i].receiver);
        (void)point_at(i, pair[i].receiver.thread.id);
    }
    for (unsigned i = 0; i < meddlers; i++) {
        keep_actor(&meddler[i]);
    }
}

static void keep_workers(void)
{
    for (unsigned i = 0; i < workers; i++) {
        struct worker *w = &worker[next(&owner_random) % workers];
        if (!thread_loaded(&w->thread)) {
            worker_look(w);
            reload(&w->thread);
        }
    }
}

static void keep_all(void)
{
    struct channel *c = window(info->channel);
    c->tail = __atomic_load_n(&c->head, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < spaces; i++) {
        if (!__atomic_load_n(&space[i].place->loaded, __ATOMIC_ACQUIRE)) {
            struct space_desc d = {.rule = TRAP_FORWARD, .place = (pa_t)space[i].place - ABI_WINDOW};
            oid_t id;
            if (sys_space_load(&d, &id) == ERR_OK) {
                __atomic_store_n(&space[i].id, id, __ATOMIC_RELEASE);
            }
        }
    }
    // With hardly any descriptors the ones leave no room to the others: in turns.
    unsigned turn = machine->threads < 16 ? (unsigned)next(&owner_random) % 2 : 2;
    if (turn != 0 || stop) {
        keep_actors();
    }
    if (turn != 1) {
        keep_workers();
    }
}

// What was written after the snapshot is told by the bits that come with this unload or came since.
static void check_bits(struct worker *w, unsigned page)
{
    uint8_t *byte = (uint8_t *)window(info->frame_states) + (w->page[page] / ABI_PAGE - info->first_frame);
    uint64_t n, content = *page_word(w, page);
    err_t e = sys_mapping_unload(w->thread.space->id, page_va(w, page), ABI_PAGE, &n);

    if (e != ERR_OK) {
        return;                          // its space may be on its way out, the bits not yet told
    }
    uint8_t bits = __atomic_exchange_n(byte, 0, __ATOMIC_SEQ_CST);
    if (content != w->snapshot[page]) {
        tally.bits_seen++;
        tally.bits_lost += !(bits & FRAME_MODIFIED);
    }
    w->snapshot[page] = *page_word(w, page);
}

// Cache Kernel, 2.3: redirect, then unload; signals go on coming.
static void redirect(unsigned n)
{
    struct actor *a = &pair[n].receiver;

    if (a->thread.id == 0 || !point_at(n, *(volatile oid_t *)&info->thread)) {
        return;                          // 0 would be the caller
    }
    (void)sys_thread_unload(a->thread.id, 0);
    stand_in(next(&owner_random) % machine->slice);
    tally.redirects++;
    keep_actor(a);
}

static void disturb(void)
{
    struct worker *w = &worker[next(&owner_random) % workers];

    switch (next(&owner_random) % 4) {
    case 0:  redirect((unsigned)(next(&owner_random) % pairs)); break;
    case 1:  (void)sys_thread_unload(w->thread.id != 0 ? w->thread.id : 1, 0); break;
    default: check_bits(w, (unsigned)(next(&owner_random) % PAGES)); break;
    }
}

// ---- the whole ----------------------------------------------------------------------------------------------

static void set_up(void)
{
    bool many = machine->threads >= 16;

    spaces = many ? SPACES : 1;
    workers = many ? WORKERS : 2;
    pairs = many ? PAIRS : 1;
    meddlers = many ? MEDDLERS : 1;
    text = page_take();
    memcpy(window(text), program_worker, (size_t)(program_worker_end - program_worker));
    for (unsigned i = 0; i < spaces; i++) {
        space[i].place = window(page_take());
    }
    for (unsigned i = 0; i < workers; i++) {
        struct worker *w = &worker[i];
        thread_make(&w->thread, &space[i % spaces]);
        w->number = i;
        w->thread.on_trap = on_trap;
        w->thread.on_fault = on_fault;
        for (unsigned p = 0; p < PAGES; p++) {
            w->page[p] = page_take();
        }
        worker_begin(w);
    }
    for (unsigned i = 0; i < pairs; i++) {
        pair[i].page = page_take();
        actor_make(&pair[i].sender, send, i, 5);
        actor_make(&pair[i].receiver, receive, i, 4);   // below: messages lie in its queue
    }
    for (unsigned i = 0; i < meddlers; i++) {
        actor_make(&meddler[i], meddle, i, 7);
    }
}

// No more is sent; what is on its way arrives, and everybody ends.
static bool wind_down(void)
{
    uint64_t until = now() + milliseconds(60000);
    bool done = false;

    stop = true;
    while (!done && now() < until) {
        keep_all();
        stand_in(machine->slice / 4);
        done = true;
        for (unsigned i = 0; i < pairs; i++) {
            done = done && ended(&pair[i].sender) && pair[i].got == pair[i].sent;
        }
        for (unsigned i = 0; i < meddlers; i++) {
            done = done && ended(&meddler[i]);
        }
    }
    return done;
}

static void take_down(void)
{
    uint64_t n;

    for (unsigned i = 0; i < workers; i++) {
        thread_free(&worker[i].thread);
    }
    for (unsigned i = 0; i < pairs; i++) {
        thread_free(&pair[i].receiver.thread);
    }
    (void)sys_mapping_unload(info->space, out_at, pairs * (va_t)ABI_LARGE, &n);
    (void)sys_mapping_unload(info->space, in_at, pairs * (va_t)ABI_LARGE, &n);
    for (unsigned i = 0; i < spaces; i++) {
        (void)sys_space_unload(space[i].id);
    }
}

unsigned test_main(void)
{
    struct counts before = counts_now();
    uint64_t until = now() + milliseconds(DURATION_MS), sent = 0, got = 0, idle = 0;

    seed = now() | 1;
    owner_random = seed;
    note("seed 0x%lx", (unsigned long)seed);
    check_error(sys_listen(info->thread), ERR_OK, "listen");
    set_up();
    while (now() < until || (idle > 0 && now() < until + milliseconds(60000))) {       // longer on a slow host
        keep_all();
        disturb();
        stand_in(machine->slice / 8);
        idle = 0;
        for (unsigned i = 0; i < workers; i++) {
            idle += *(volatile uint64_t *)&worker[i].rounds == 0;
        }
    }
    bool done = wind_down();
    for (unsigned i = 0; i < WORKERS; i++) {
        sent += i < pairs ? pair[i].sent : 0;
        got += i < pairs ? pair[i].got : 0;
    }
    check(tally.wrong == 0, "no register and no word of memory was lost", "%lu were", (unsigned long)tally.wrong);
    check(tally.bits_lost == 0, "no modified bit was lost", "%lu of %lu were", (unsigned long)tally.bits_lost,
          (unsigned long)tally.bits_seen);
    check(done && sent == got && sent > 0, "no signal was lost or doubled", "ended %d, %lu sent, %lu got", done,
          (unsigned long)sent, (unsigned long)got);
    check(idle == 0, "each worker made progress", "%lu did not", (unsigned long)idle);
    note("%lu messages, %lu redirections, %lu exits, %lu migrations, %lu calls of meddlers, %lu pages looked at",
         (unsigned long)sent, (unsigned long)tally.redirects, (unsigned long)tally.exits,
         (unsigned long)tally.migrations, (unsigned long)tally.meddled, (unsigned long)tally.bits_seen);
    take_down();
    if (machine->threads >= 256) {       // else srm's may have gone meanwhile
        counts_check(&before, "nothing is left behind");
    }
    return failures();
}
