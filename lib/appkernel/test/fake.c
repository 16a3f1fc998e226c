// fake.c - the simulated supervisor: coroutines, writeback and the calls.  See fake.h.
#include "fake_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "sys.h"

char fake_log[4096], fake_failure[512];
struct fake_counts fake_counts;
struct fake_setup fake_setup;
struct kernel_info fake_info;
struct slot fake_slot[FAKE_SLOTS];         // the first thread's is 0
struct slot *fake_current;             // NULL: the scheduler
struct slot *fake_leaving;             // not loaded any more; the channel does not say so yet
static struct frame scheduler;
static void *scheduler_fiber;
static const void *scheduler_bottom;
static size_t scheduler_size;
uint64_t fake_clock, fake_generation;
static uint64_t listener;
bool fake_over, fake_failed;
int fake_end_value;

uint32_t fake_draw(uint32_t below)
{
    fake_setup.seed = fake_setup.seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(fake_setup.seed >> 33) % below;
}

bool fake_chance(unsigned one_in)
{
    return one_in != 0 && fake_draw(one_in) == 0;
}

// ---- coroutines -------------------------------------------------------------------------------------------

static void **fiber_of(struct slot *s)
{
    return (void **)&s->state->reserved[0];
}

void fake_switch_out(void)
{
    struct slot *s = fake_current;

    __sanitizer_start_switch_fiber(fiber_of(s), scheduler_bottom, scheduler_size);
    __sanitizer_finish_switch_fiber(scheduler_fiber, NULL, NULL);
    fake_current = NULL;
    fake_switch(&s->state->frame[s->depth], &scheduler);
}

void fake_switch_in(struct slot *s)
{
    __sanitizer_start_switch_fiber(&scheduler_fiber, (void *)s->stack, s->xstack - s->stack);
    __sanitizer_finish_switch_fiber(*fiber_of(s), &scheduler_bottom, &scheduler_size);
    fake_current = s;
    fake_switch(&scheduler, &s->state->frame[s->depth]);
}

void fake_fail(const char *format, ...)
{
    va_list arguments;

    if (!fake_failed) {
        va_start(arguments, format);
        vsnprintf(fake_failure, sizeof(fake_failure), format, arguments);
        va_end(arguments);
    }
    fake_failed = fake_over = true;
    while (fake_current != NULL) {
        fake_switch_out();
    }
}

void fake_point(void)
{
    fake_clock++;
    if (fake_current != NULL && fake_chance(fake_setup.chop)) {
        fake_current->held_up = fake_chance(40) ? fake_draw(400) : 0;
        fake_switch_out();
    }
}

uint64_t fake_now(void)
{
    fake_point();
    return fake_clock;
}

// ---- writeback --------------------------------------------------------------------------------------------

static struct slot *find(oid_t id)
{
    struct slot *s = &fake_slot[OID_SLOT(id) % FAKE_SLOTS];
    return id != 0 && s->id == id ? s : NULL;
}

static struct slot *find_live(oid_t id)
{
    struct slot *s = find(id);
    return s == NULL || s->doomed ? NULL : s;
}

static void signal_slot(struct slot *s)
{
    if (s->status == WAITING) {
        s->status = READY;
    } else {
        s->signalled = true;
    }
}

void fake_input(void)
{
    struct slot *s = find(listener);

    if (s != NULL) {
        signal_slot(s);
    }
}

bool fake_untold(void)
{
    return fake_slot[0].id != fake_info.thread;
}

// The first thread was written back, and is loaded again by the starter with another id, which it is told later.
void fake_reload_first(void)
{
    struct slot *s = &fake_slot[0];

    if (!fake_untold() && fake_chance(fake_setup.reload)) {
        s->id = ++fake_generation << 16;
        signal_slot(s);
    } else if (fake_untold() && fake_chance(20)) {
        fake_info.thread = s->id;
        signal_slot(s);
    }
}

static void post(const struct slot *s)
{
    struct channel *c = ak_window(fake_info.channel);

    if (c->head - c->tail >= fake_setup.entries) {
        c->lost++;
        fake_counts.lost++;
    } else {
        c->entry[c->head % CHANNEL_ENTRIES] =
            (struct channel_entry){OBJECT_THREAD, s->reason, s->cookie, s->id, s->value};
        c->head++;
    }
}

// The last step of the writeback that is going on.
void fake_finish(void)
{
    struct slot *s = fake_leaving;

    if (s != NULL) {
        fake_leaving = NULL;
        post(s);
        memset(s, 0, sizeof(*s));
        fake_input();
    }
}

void fake_doom(struct slot *s, uint32_t reason, uint64_t value)
{
    s->doomed = true;
    s->reason = reason;
    s->value = value;
}

// The second step: the state page is the owner's again.
void fake_unload(struct slot *s)
{
    struct thread_state *state = s->state;

    fake_finish();
    state->depth = s->status == PROGRAM ? 0 : s->depth;
    state->reason = s->reason;
    state->run = s->status == WAITING ? RUN_WAITING : RUN_READY;
    state->deadline = s->status == WAITING ? s->deadline : 0;
    state->value = s->value;
    state->loaded = 0;
    s->status = EMPTY;
    fake_leaving = s;
    fake_counts.writebacks++;
    ASAN_UNPOISON_MEMORY_REGION((void *)s->stack, s->xstack - s->stack);
}

static bool may_go(const struct slot *s)
{
    return s->id != 0 && s != &fake_slot[0] && s != fake_current && !s->doomed;
}

// A random one of those that were loaded before `before`.
struct slot *fake_victim(uint64_t before)
{
    struct slot *s = NULL;
    unsigned count = 0;

    for (unsigned i = 1; i < fake_setup.slots; i++) {
        if (may_go(&fake_slot[i]) && fake_slot[i].loaded_at < before && fake_draw(++count) == 0) {
            s = &fake_slot[i];
        }
    }
    return s;
}

// ---- calls ------------------------------------------------------------------------------------------------

// Into the supervisor: who is on his way out comes no further, and one step at a time is under its lock.
static void enter(void)
{
    fake_point();
    while (fake_current != NULL && fake_current->doomed) {
        fake_switch_out();
    }
    fake_finish();
    FAKE_CHECK(fake_current != NULL);
}

static struct slot *make_room(void)
{
    for (unsigned i = 1; i < fake_setup.slots; i++) {
        if (fake_slot[i].id == 0) {
            return &fake_slot[i];
        }
    }
    struct slot *s = fake_victim(fake_clock > FAKE_SLICE ? fake_clock - FAKE_SLICE : 0);
    if (s != NULL) {
        fake_doom(s, REASON_EVICTED, 0);
        fake_unload(s);
        fake_finish();
    }
    return s;
}

static void check_load(const struct thread_desc *d, const struct thread_state *state)
{
    for (unsigned i = 0; i < fake_setup.slots; i++) {
        if (fake_slot[i].id != 0 && fake_slot[i].state == state) {
            fake_fail("thread %p is loaded twice", (void *)d->cookie);
        }
    }
    FAKE_CHECK(fake_current == &fake_slot[0]);
    FAKE_CHECK(d->state_va == (va_t)state && d->xstack == d->state_va + (AK_STACK + 1) * ABI_PAGE);
    FAKE_CHECK(state->loaded == 0 && state->depth == 1 && state->frame[1].rip != 0);
    FAKE_CHECK(state->frame[1].rsp > d->state_va + ABI_PAGE && state->frame[1].rsp < d->xstack);
}

err_t sys_thread_load(const struct thread_desc *d, oid_t *id)
{
    struct thread_state *state = ak_window(d->state);

    enter();
    check_load(d, state);
    struct slot *s = fake_draw(100) < fake_setup.again ? NULL : make_room();
    if (s == NULL) {
        fake_counts.again++;
        return ERR_AGAIN;
    }
    *s = (struct slot){.status = READY, .id = ++fake_generation << 16 | (oid_t)(s - fake_slot),
                       .state = state, .cookie = d->cookie, .priority = d->priority,
                       .loaded_at = fake_clock, .depth = state->depth,
                       .stack = d->state_va + ABI_PAGE, .xstack = d->xstack,
                       .signalled = (d->flags & LOAD_SIGNALED) != 0};
    state->loaded = 1;
    state->reason = REASON_NONE;
    fake_counts.loads++;
    *id = s->id;
    if (fake_chance(6)) {                // the new thread may come far before its id is stored
        fake_current->held_up = fake_draw(200);
        fake_switch_out();
    }
    return ERR_OK;
}

static void unload_self(uint64_t value)
{
    if (fake_current == &fake_slot[0]) {
        fake_end_value = (int)value;
        fake_over = true;
    } else {
        fake_doom(fake_current, REASON_EXITED, value);
        fake_unload(fake_current);
    }
    fake_switch_out();
}

err_t sys_thread_unload(oid_t thread, uint64_t value)
{
    enter();
    if (thread == 0) {
        unload_self(value);
        return ERR_OK;
    }
    struct slot *s = find_live(thread);
    if (s == NULL) {
        return ERR_STALE;
    }
    FAKE_CHECK(s != fake_current && s != &fake_slot[0]);
    fake_doom(s, REASON_UNLOADED, value);
    while (find(thread) != NULL) {
        fake_switch_out();
    }
    return ERR_OK;
}

err_t sys_thread_priority(oid_t thread, uint32_t priority)
{
    enter();
    struct slot *s = find_live(thread);
    if (s == NULL) {
        return ERR_STALE;
    }
    FAKE_CHECK(priority <= fake_info.limits.max_priority);
    s->priority = priority;
    return ERR_OK;
}

uint32_t fake_priority(oid_t thread)
{
    struct slot *s = find_live(thread);
    return s == NULL ? UINT32_MAX : s->priority;
}

err_t sys_signal(oid_t thread)
{
    enter();
    struct slot *s = find_live(thread);
    if (s == NULL) {
        return ERR_STALE;
    }
    signal_slot(s);
    return ERR_OK;
}

err_t sys_wait(uint64_t deadline)
{
    enter();
    if (fake_current->signalled) {
        fake_current->signalled = false;
        return ERR_OK;
    }
    if (deadline != 0 && deadline <= fake_clock) {
        return ERR_TIMEOUT;
    }
    uint64_t *rax = &fake_current->state->frame[fake_current->depth].rax;
    *rax = ERR_OK;
    fake_current->deadline = deadline;
    fake_current->status = WAITING;
    fake_switch_out();
    return (err_t)*rax;
}

err_t sys_listen(oid_t thread)
{
    enter();
    listener = thread == 0 ? fake_current->id : thread;
    return ERR_OK;
}

// To the program, and never back: next is a call of the program, or the thread is started in resume().
err_t sys_resume(oid_t space)
{
    (void)space;
    enter();
    if (fake_chance(4)) {
        return ERR_STALE;
    }
    fake_current->status = PROGRAM;
    fake_switch_out();
    fake_fail("a thread came back from its program");
    return ERR_OK;
}

err_t sys_mapping_load_and_resume(oid_t space, va_t va, pa_t pa, uint64_t flags)
{
    (void)va;
    (void)pa;
    (void)flags;
    return sys_resume(space);
}

err_t device_write(const struct kernel_info *info, enum device port, const void *buffer, size_t length, uint64_t *taken)
{
    (void)info;
    enter();
    size_t have = strlen(fake_log), n = 1 + fake_draw((uint32_t)length);
    FAKE_CHECK(port == DEVICE_LOG && have + n < sizeof(fake_log));
    memcpy(fake_log + have, buffer, n);
    *taken = n;
    return ERR_OK;
}

void device_begin(const struct kernel_info *info, const struct system_info *s)
{
    (void)info;                                      // there are no devices here
    (void)s;
}
