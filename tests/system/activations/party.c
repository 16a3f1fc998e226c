// party.c - the owner of a space of activations.  See party.h.
#include "party.h"

static pa_t text, text_pages;

struct shared *party_shared(const struct party *p)
{
    return window(p->data);
}

struct space_kernel_page *party_page(const struct party *p)
{
    return window(p->area);
}

struct space_user_page *party_user(const struct party *p)
{
    return window(p->area + ABI_PAGE);
}

struct activation_user *activation_words(const struct party *p, uint32_t i)
{
    return (struct activation_user *)window(p->area + area_user_blocks(p->activations)) + i;
}

uint64_t party_ran(const struct party *p)
{
    uint64_t ran = 0;

    for (uint32_t i = 0; i < p->activations; i++) {
        ran += *(volatile uint64_t *)&p->thread[i].state->ran;
    }
    return ran;
}

uint64_t party_steps(const struct party *p)
{
    uint64_t steps = 0;

    for (uint32_t i = 0; i < p->activations; i++) {
        uint64_t line = __atomic_load_n(&party_shared(p)->line[i], __ATOMIC_RELAXED);
        uint32_t sum = 0, a = 1664525, c = 1013904223;
        for (uint32_t n = (uint32_t)line; n != 0; n >>= 1) {     // so many steps at once
            sum = n & 1 ? sum * a + c : sum;
            c = c * a + c;
            a *= a;
        }
        if (sum != line >> 32) {
            check(false, "a checksum", "0x%lx", (unsigned long)line);
        }
        steps += (uint32_t)line;
    }
    return steps;
}

// party_keep() meanwhile: where descriptors are few, none of them may be loaded.
void party_check(struct party *p, const char *name)
{
    const struct shared *s = party_shared(p);
    uint64_t before[ACTIVATIONS];
    uint32_t moved = 0, all = (1u << p->activations) - 1;

    memcpy(before, s->line, sizeof(before));
    for (uint64_t until = now() + milliseconds(20000); moved != all && now() < until;) {
        party_keep(p);
        (void)sys_wait(now() + milliseconds(1));
        for (uint32_t i = 0; i < p->activations; i++) {
            moved |= (uint32_t)(__atomic_load_n(&s->line[i], __ATOMIC_RELAXED) != before[i]) << i;
        }
    }
    (void)party_steps(p);
    check(moved == all && s->wrong == 0, name, "of its workers only %x get on, %u wrong", moved, s->wrong);
}

// ---- its handlers -------------------------------------------------------------------------------------------

// The space may be gone; whoever keeps the party loads it again.
static oid_t space_of(const struct test_thread *t)
{
    return __atomic_load_n(&t->space->id, __ATOMIC_ACQUIRE);
}

static void pause_a_little(void)
{
    (void)sys_wait(now() + machine->slice / 8);
}

static _Noreturn void go_back(struct test_thread *t)
{
    for (;;) {
        err_t e = sys_resume(space_of(t));
        if (e != ERR_STALE) {
            check(false, "resume", "%s", error_name(e));
            thread_end(1);
        }
        pause_a_little();
    }
}

static struct party *party_of(const struct test_thread *t)
{
    return (struct party *)((char *)t->space - offsetof(struct party, space));
}

static void on_trap(struct test_thread *t, unsigned depth)
{
    struct frame *f = &t->state->frame[depth];

    __atomic_fetch_add(&party_of(t)->blocks, 1, __ATOMIC_RELAXED);
    if (f->rdi % 4 != 0) {
        (void)sys_wait(now() + f->rdi % 4 * machine->slice / 4);
    }
    while (party_of(t)->holds) {
        pause_a_little();
    }
    f->rax = ERR_OK;
    go_back(t);
}

// The frame at a program's address; 0: none.  Pages of the supervisor's are for reading.
static pa_t page_at(const struct party *p, va_t va, uint64_t *flags)
{
    *flags = MAP_READ | MAP_WRITE;
    if (va >= AREA && va < AREA + AREA_PAGES * (va_t)ABI_PAGE) {
        uint64_t page = (va - AREA) / ABI_PAGE;
        *flags = page == 0 || page == 2 ? MAP_READ : *flags;
        return p->area + page * ABI_PAGE;
    }
    if (va >= STACKS && va < STACKS + STACK_PAGES * (va_t)ABI_PAGE) {
        return p->stack + (va - STACKS) / ABI_PAGE * ABI_PAGE;
    }
    if (va >= TEXT && va < TEXT + text_pages * ABI_PAGE) {
        *flags = MAP_READ | MAP_EXEC;
        return text + (va - TEXT) / ABI_PAGE * ABI_PAGE;
    }
    return va >= DATA && va < DATA + ABI_PAGE ? p->data : 0;
}

static void refuse(struct test_thread *t)
{
    __atomic_fetch_add(&party_of(t)->refused, 1, __ATOMIC_RELAXED);
    while (sys_upcall(space_of(t), UPCALL_FAULT, 0) == ERR_STALE) {
        pause_a_little();
    }
    thread_end(1);                       // upcalls are disabled
}

static void on_fault(struct test_thread *t, unsigned depth)
{
    struct frame *f = &t->state->frame[depth];
    uint64_t flags;

    if (depth > 0) {
        return;
    }
    pa_t page = page_at(party_of(t), f->addr & ~(va_t)(ABI_PAGE - 1), &flags);
    if (page == 0 || ((f->error & FAULT_WRITE) && !(flags & MAP_WRITE))) {
        refuse(t);
    }
    for (;;) {
        (void)sys_mapping_load_and_resume(space_of(t), f->addr & ~(va_t)(ABI_PAGE - 1), page, flags);
        pause_a_little();
    }
}

static void on_exception(struct test_thread *t, unsigned depth)
{
    if (depth == 0) {
        refuse(t);
    }
}

// ---- coming and going -----------------------------------------------------------------------------------------

static pa_t run_of(unsigned count)
{
    pa_t first = page_take(), last = first;

    while (last + ABI_PAGE - first < count * (pa_t)ABI_PAGE) {
        pa_t next = page_take();
        first = next == last + ABI_PAGE ? first : next;
        last = next;
    }
    return first;
}

static void make_text(void)
{
    text_pages = (pa_t)(__stop_program - __start_program + ABI_PAGE - 1) / ABI_PAGE;
    text = run_of((unsigned)text_pages);
    memcpy(window(text), __start_program, (size_t)(__stop_program - __start_program));
}

void party_make(struct party *p, uint32_t priority, enum behaviour behaviour, uint32_t wanted)
{
    if (text == 0) {
        make_text();
    }
    if (p->area == 0) {
        p->area = run_of(AREA_PAGES);
        p->stack = run_of(STACK_PAGES);
        p->data = page_take();
        p->space.place = window(page_take());
    }
    memset(window(p->area), 0, AREA_PAGES * (size_t)ABI_PAGE);
    memset(window(p->data), 0, ABI_PAGE);
    p->priority = priority;
    p->activations = machine->cpus + 2 < ACTIVATIONS ? machine->cpus + 2 : ACTIVATIONS;
    p->entry = TEXT + (va_t)(program_entry - __start_program);
    p->blocks = p->refused = p->ended = 0;
    party_shared(p)->behaviour = behaviour;
    party_shared(p)->random = now();
    party_shared(p)->fresh = (1u << p->activations) - 1;
    struct space_user_page *u = party_user(p);
    struct upcall_slot *slot = window(p->area + area_slots(p->activations));
    for (uint32_t i = 0; i < SLOTS_MOST; i++) {
        u->slot[i] = i % SLOTS;
        slot[i % SLOTS].stack = STACKS + (i % SLOTS + 1) * (va_t)ABI_PAGE;
    }
    u->slots_given = SLOTS;
    u->tick = 1;
    u->wanted = wanted;
    for (uint32_t i = 0; i < p->activations; i++) {
        thread_make(&p->thread[i], &p->space);
        p->thread[i].state->run = RUN_FRESH;
        p->thread[i].on_trap = on_trap;
        p->thread[i].on_fault = on_fault;
        p->thread[i].on_exception = on_exception;
        p->thread[i].desc.priority = priority;
        p->thread[i].desc.activation = i;
        activation_words(p, i)->interval = machine->slice;
    }
}

static bool is_done(err_t e, const char *what)
{
    if (e != ERR_OK && e != ERR_AGAIN && e != ERR_STALE) {
        check_error(e, ERR_OK, what);
        test_end();
    }
    return e == ERR_OK;
}

// Where all descriptors are in use, one comes for another: so not before that one could run.
static bool is_turn(struct party *p)
{
    if (stats->free_threads == 0 && now() - p->turn < 4 * machine->slice) {
        return false;
    }
    p->turn = now();
    return true;
}

static void keep_thread(struct party *p, struct test_thread *t)
{
    struct thread_state *s = t->state;
    oid_t id;

    if (thread_loaded(t) || p->space.id == 0 || !is_turn(p)) {
        return;
    }
    if (s->reason >= REASON_EXITED) {
        p->ended++;
        s->depth = 0;
        s->run = RUN_FRESH;
        s->reason = REASON_NONE;
    }
    t->desc.space = p->space.id;
    t->desc.flags = s->depth > 0 ? LOAD_SIGNALED : 0;
    if (is_done(sys_thread_load(&t->desc, &id), "load an activation")) {
        __atomic_store_n(&t->id, id, __ATOMIC_RELEASE);
    }
}

void party_keep(struct party *p)
{
    struct space_desc d = {.rule = TRAP_NATIVE, .cookie = (uint64_t)p, .place = (pa_t)p->space.place - ABI_WINDOW,
                           .schedule = SCHEDULE_ACTIVATIONS, .priority = p->priority, .activations = p->activations,
                           .slots = SLOTS, .area = p->area, .area_va = AREA, .upcall = p->entry};
    oid_t id;

    bool loaded = __atomic_load_n(&p->space.place->loaded, __ATOMIC_ACQUIRE);
    if (!loaded && is_done(sys_space_load(&d, &id), "load a space")) {
        __atomic_store_n(&p->space.id, id, __ATOMIC_RELEASE);
    }
    uint64_t first = p->turn / machine->slice;       // loading changes it
    for (uint32_t i = 0; i < p->activations; i++) {
        keep_thread(p, &p->thread[(first + i) % p->activations]);
    }
}

void party_end(struct party *p)
{
    (void)sys_space_unload(p->space.id);
    for (uint32_t i = 0; i < p->activations; i++) {
        while (thread_loaded(&p->thread[i])) {
            (void)sys_thread_unload(p->thread[i].id, 0);
            pause_a_little();
        }
        thread_free(&p->thread[i]);
    }
}
