// grind.c - random calls, more or less right ones, by several threads at once, for some seconds.
//
// Nothing that a kernel asks for may hurt anybody else, or leave anything behind: the supervisor lives,
// every answer is one of errors.def, and in the end, when all is unloaded, as much is free as before. What
// a worker leaves out is what would only end the test: its own text, window and first thread.
#include "../harness.h"

enum { WORKERS = 4, SPACES = 8, THREADS = 12, PAGES = 32, DURATION_MS = 3000 };
#define OWN 0x600000000000ull

struct random {
    uint64_t state;
};

struct worker {
    struct test_thread t;                // first: the cookie
    struct random random;
    pa_t     stack;
    uint64_t calls, good, odd;
    uint64_t odd_number, odd_answer;
    struct map_entry entry[MAP_BATCH];
};

static struct test_space space[SPACES];
static struct test_thread thread[THREADS];
static struct worker worker[WORKERS];
static pa_t page[PAGES];
static volatile bool stop;

static uint64_t next(struct random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state * 0x2545f4914f6cdd1dull;
}

static uint64_t below(struct random *r, uint64_t n)
{
    return (next(r) >> 11) % n;
}

static bool one_in(struct random *r, uint64_t n)
{
    return below(r, n) == 0;
}

// ---- arguments --------------------------------------------------------------------------------------------

static oid_t any_space(struct random *r)
{
    oid_t id = space[below(r, SPACES)].id;

    return one_in(r, 20) ? id + (below(r, 9) << 16) : one_in(r, 30) ? machine->space : id;
}

static oid_t any_thread(struct random *r)
{
    oid_t id = thread[below(r, THREADS)].id;

    // Never the first thread, nor 0, which would be the caller.
    return one_in(r, 30) ? machine->thread : id != 0 ? id : 1;
}

static pa_t any_frame(struct random *r)
{
    return one_in(r, 20) ? next(r) & 0xfffffffff000 : one_in(r, 10) ? info->system : page[below(r, PAGES)];
}

static va_t any_address(struct random *r)
{
    return one_in(r, 40)  ? next(r)
           : one_in(r, 5) ? TEXT
                          : (below(r, 64) << 12) + (below(r, 4) << 30) + 0x500000;
}

static uint64_t any_flags(struct random *r)
{
    return one_in(r, 20) ? next(r)
                         : below(r, 8) | (one_in(r, 10) ? MAP_LOCKED : 0) | (one_in(r, 15) ? MAP_LARGE : 0);
}

// ---- calls ------------------------------------------------------------------------------------------------

static err_t do_space_load(struct worker *w)
{
    struct random *r = &w->random;
    struct test_space *s = &space[below(r, SPACES)];
    struct space_desc d = {.flags = one_in(r, 5) ? (uint32_t)below(r, 4) : 0, .rule = (uint32_t)below(r, 2),
                           .place = (pa_t)s->place - ABI_WINDOW};
    oid_t id;

    if (one_in(r, 20)) {
        d.place = any_frame(r);
    }
    err_t e = sys_space_load(&d, &id);
    if (e == ERR_OK && d.place == (pa_t)s->place - ABI_WINDOW) {
        // The place may hold several spaces by now; those whose ids are forgotten are found at the end by
        // eviction.
        oid_t old = __atomic_exchange_n(&s->id, id, __ATOMIC_RELAXED);
        (void)sys_space_unload(old);
    } else if (e == ERR_OK) {
        (void)sys_space_unload(id);
    }
    return e;
}

static err_t do_thread_load(struct worker *w)
{
    struct random *r = &w->random;
    struct test_thread *t = &thread[below(r, THREADS)];
    struct thread_desc d = t->desc;
    oid_t id;

    d.space = any_space(r);
    d.priority = (uint32_t)below(r, 9);
    d.flags = one_in(r, 4) ? (uint32_t)below(r, 5) : 0;
    d.affinity = one_in(r, 3) ? next(r) : 0;
    if (!thread_loaded(t)) {
        t->state->depth = one_in(r, 50) ? (uint32_t)below(r, 7) : 0;
        t->state->frame[0].rip = one_in(r, 20) ? next(r) : TEXT;
        t->state->frame[0].rdi = any_address(r);
        t->state->frame[0].rbx = below(r, 30);
        t->state->frame[0].rflags = next(r) & ~0x100ull;
    }
    err_t e = sys_thread_load(&d, &id);
    if (e == ERR_OK) {
        __atomic_store_n(&t->id, id, __ATOMIC_RELAXED);
    }
    return e;
}

static err_t do_batch(struct worker *w)
{
    struct random *r = &w->random;
    uint64_t n = one_in(r, 20) ? next(r) : below(r, MAP_BATCH + 1), loaded;

    for (unsigned i = 0; i < MAP_BATCH; i++) {
        w->entry[i] =
            (struct map_entry){any_address(r), any_frame(r), MAP_READ | (one_in(r, 2) ? MAP_WRITE : 0)};
    }
    return sys_mapping_load_batch(any_space(r), w->entry, n, &loaded);
}

static err_t do_own(struct worker *w)
{
    struct random *r = &w->random;
    va_t va = OWN + (below(r, 64) << 12);
    uint64_t n;

    switch (below(r, 3)) {
    case 0:
        return sys_mapping_load(info->space, va, any_frame(r), any_flags(r) & ~(uint64_t)MAP_LARGE);
    case 1:
        return sys_mapping_protect(info->space, OWN, 64 * ABI_PAGE, 1 + below(r, 7), &n);
    default:
        return sys_mapping_unload(info->space, OWN, 64 * ABI_PAGE, &n);
    }
}

// Random messages to the devices; nothing random is to be printed, and the input is the harness's.
static err_t do_device(struct worker *w)
{
    struct random *r = &w->random;
    struct port_message *m = (struct port_message *)DEVICE_PLACE(PLACE_SEND + DEVICE_ERRORS) + below(r, PORT_MESSAGES);
    uint64_t n;

    if (one_in(r, 2)) {
        return device_alarm(info, one_in(r, 4) ? next(r) : now() + below(r, 1 << 20), one_in(r, 2) ? 0 : next(r));
    }
    m->length = one_in(r, 2) ? 0 : PORT_BYTES + 1 + (uint32_t)below(r, ~0u - PORT_BYTES);
    return sys_signal_at((va_t)m + (one_in(r, 4) ? below(r, sizeof(*m)) : 0), &n);
}

// Any number with any arguments, but for the calls that would end the test.
static err_t do_anything(struct worker *w)
{
    struct random *r = &w->random;
    uint64_t number = one_in(r, 3) ? next(r) : below(r, SYS_COUNT + 3);

    switch (number) {
    case SYS_thread_unload: case SYS_mapping_unload: case SYS_mapping_protect: case SYS_wait: case SYS_signal_wait:
    case SYS_listen:
        return ERR_OK;
    default:
        return raw(number, next(r) >> below(r, 64), next(r) >> below(r, 64), next(r) >> below(r, 64),
                   next(r));
    }
}

static err_t one_call(struct worker *w, unsigned which)
{
    struct random *r = &w->random;
    uint64_t n;

    switch (which) {
    case 0:  return do_space_load(w);
    case 1:  return one_in(r, 3) ? sys_space_unload(any_space(r)) : ERR_OK;
    case 2:  return do_thread_load(w);
    case 3:  return sys_thread_unload(any_thread(r), next(r));
    case 4:  return sys_thread_priority(any_thread(r), (uint32_t)below(r, 9) + (one_in(r, 20) ? 11 : 0));
    case 5:
    case 6:  return sys_mapping_load(any_space(r), any_address(r), any_frame(r), any_flags(r));
    case 7:  return do_batch(w);
    case 8:  return sys_mapping_unload(any_space(r), one_in(r, 3) ? 0 : any_address(r) & ~0xfffull,
                                       one_in(r, 3) ? ABI_USER_END : below(r, 99) << 12, &n);
    case 9:
        return sys_mapping_protect(any_space(r), any_address(r) & ~0xfffull, below(r, 99) << 12, below(r, 9),
                                   &n);
    case 10: return sys_signal(any_thread(r));
    case 11: return sys_yield();
    case 12: return one_in(r, 4) ? sys_wait(now() + below(r, milliseconds(1))) : ERR_OK;
    case 13: return do_own(w);
    case 14: return do_device(w);
    case 15: return sys_resume(any_space(r));
    case 16: return sys_mapping_load_and_resume(any_space(r), any_address(r), any_frame(r), any_flags(r));
    default: return do_anything(w);
    }
}

static _Noreturn void work(struct worker *w)
{
    while (!stop) {
        unsigned which = (unsigned)below(&w->random, 18);
        err_t e = one_call(w, which);
        w->calls++;
        w->good += e == ERR_OK;
        if ((unsigned)e > ERR_BADSTATE && (unsigned)e != FAULTED) {
            w->odd++;
            w->odd_number = which;
            w->odd_answer = e;
        }
    }
    thread_end(0);
}

// ---- the programs' handlers: now and then they go on ------------------------------------------------------

static void go_on(struct test_thread *t, unsigned depth)
{
    struct frame *f = &t->state->frame[depth];

    if (depth == 0 && (f->rax & 3) != 0 && t->traps % 50 != 0) {
        (void)sys_resume(0);
    }
    thread_end(f->rax);
}

static void give_page(struct test_thread *t, unsigned depth)
{
    struct frame *f = &t->state->frame[depth];

    if (depth == 0 && t->faults % 20 != 0) {
        (void)sys_mapping_load_and_resume(space[t->faults % SPACES].id, f->addr & ~0xfffull,
                                          page[t->faults % PAGES],
                                          MAP_READ | (f->error & FAULT_WRITE ? MAP_WRITE : MAP_EXEC));
    }
    thread_end(1014);
}

// ---- the whole --------------------------------------------------------------------------------------------

static void set_up(void)
{
    static const struct { const char *begin, *end;
    } text[] = {
        {PROGRAM(spin)}, {PROGRAM(trap)},  {PROGRAM(store)},
        {PROGRAM(load)}, {PROGRAM(count)}, {PROGRAM(wait)},
    };

    for (unsigned i = 0; i < PAGES; i++) {
        page[i] = page_take();
        if (i < 18) {                    // also run as programs, when a mapping says so
            memcpy(window(page[i]), text[i % 6].begin, (size_t)(text[i % 6].end - text[i % 6].begin));
        }
    }
    for (unsigned i = 0; i < SPACES; i++) {
        space[i].place = window(page_take());
    }
    for (unsigned i = 0; i < THREADS; i++) {
        thread_make(&thread[i], &space[i % SPACES]);
        thread[i].on_trap = go_on;
        thread[i].on_fault = give_page;
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        struct worker *w = &worker[i];
        thread_make(&w->t, NULL);
        w->t.desc.priority = 9;          // above all programs, which never end of themselves
        w->random.state = 0x9e3779b97f4a7c15ull * (i + 1);
        w->stack = page_take();
        w->t.state->frame[0].rip = (uint64_t)work;
        w->t.state->frame[0].rdi = (uint64_t)w;
        w->t.state->frame[0].rsp = ABI_WINDOW + w->stack + ABI_PAGE - 8;
    }
}

// Keep the workers loaded until the time is over, then until each has ended.
static void supervise(void)
{
    uint64_t until = now() + milliseconds(DURATION_MS), limit = until + milliseconds(60000);
    unsigned left = WORKERS;

    while (left > 0 && now() < limit) {
        struct channel *c = window(info->channel);
        c->tail = __atomic_load_n(&c->head, __ATOMIC_ACQUIRE);
        stop = now() >= until;
        left = 0;
        for (unsigned i = 0; i < WORKERS; i++) {
            struct test_thread *t = &worker[i].t;
            bool ended = !thread_loaded(t) && t->state->reason == REASON_EXITED;
            left += !ended;
            if (!ended && !thread_loaded(t)) {
                (void)sys_thread_load(&t->desc, &t->id);
            }
        }
        (void)sys_wait(now() + machine->slice);
    }
    check(left == 0, "the workers end", "%u do not", left);
}

static void take_down(void)
{
    uint64_t n;

    for (unsigned i = 0; i < THREADS; i++) {
        for (unsigned tries = 0; thread_loaded(&thread[i]) && tries < 3; tries++) {
            (void)sys_thread_unload(thread[i].id, 0);
        }
    }
    for (unsigned i = 0; i < SPACES; i++) {
        (void)sys_space_unload(space[i].id);
    }
    check_error(sys_mapping_unload(info->space, OWN, 64 * ABI_PAGE, &n), ERR_OK, "unload the rest");
}

static bool all_free(const struct counts *before)
{
    struct counts after = counts_now();

    return after.kernels >= before->kernels && after.spaces >= before->spaces && after.threads >= before->threads &&
           after.locked >= before->locked;
}

unsigned test_main(void)
{
    sleep_for(milliseconds(400));        // the other kernel has loaded what it needs
    struct counts before = counts_now();
    uint64_t calls = 0, good = 0;

    check_error(sys_listen(info->thread), ERR_OK, "listen");
    set_up();
    supervise();
    take_down();
    for (unsigned i = 0; i < WORKERS; i++) {
        struct worker *w = &worker[i];
        calls += w->calls;
        good += w->good;
        check(w->odd == 0, "every answer is one of the table", "%lu are not: call %lu answered %lu",
              (unsigned long)w->odd, (unsigned long)w->odd_number, (unsigned long)w->odd_answer);
    }
    note("%lu calls, %lu of them done", (unsigned long)calls, (unsigned long)good);
    // Few if the emulator is short of time: a thread that runs elsewhere is waited for.
    check(calls > 20 && good > 5, "calls were made", "%lu, %lu of them done", (unsigned long)calls,
          (unsigned long)good);
    // The other kernel may have ended meanwhile, so there may be more, but not less.  If it began late that is so
    // once it has ended.
    bool all = EVENTUALLY(all_free(&before));
    struct counts after = counts_now();
    check(all, "nothing is left behind",
          "kernels %u -> %u, spaces %u -> %u, threads %u -> %u, locked mappings %u -> %u", before.kernels,
          after.kernels, before.spaces, after.spaces, before.threads, after.threads, before.locked,
          after.locked);
    return failures();
}
