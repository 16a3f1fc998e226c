// unloads.c - threads that are unloaded while they run, wait, or are in a handler; what the state page and
// the channel say then; and that they go on where they were.
#include "calls.h"

static struct test_space space, native;

// The channel's entry for this id, looking at those not read yet; reads them all.
static bool take_entry(oid_t id, struct channel_entry *out)
{
    struct channel *c = window(info->channel);
    bool found = false;

    for (; c->tail != __atomic_load_n(&c->head, __ATOMIC_ACQUIRE); c->tail++) {
        struct channel_entry e = c->entry[c->tail % CHANNEL_ENTRIES];
        if (e.type == OBJECT_THREAD && e.id == id) {
            *out = e;
            found = true;
        }
    }
    return found;
}

static void unload_bad_ids(void)
{
    for (unsigned i = 1; i < BAD_IDS; i++) {             // 0 names the caller
        check_error(sys_thread_unload(bad_id(i, info->thread), 0), ERR_STALE, bad_id_name[i]);
    }
    check_error(sys_thread_unload(machine->thread, 0), ERR_DENIED, "thread_unload of the first kernel's");
}

static void running(void)
{
    struct test_thread t;
    struct channel_entry e;
    pa_t text = program_put(&space, PROGRAM(count)), page = page_take();
    volatile uint64_t *counter = window(page);

    check_error(map_page(&space, 0x500000, page, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    thread_make(&t, &space);
    t.state->frame[0].rdi = 0x500000;
    for (unsigned round = 0; round < 20; round++) {
        uint64_t before = *counter;
        if (thread_start(&t) != ERR_OK || !EVENTUALLY(*counter > before)) {
            check(false, "a thread runs on after a reload", "round %u", round);
            break;
        }
        err_t error = sys_thread_unload(t.id, 0);
        uint64_t at = *counter;
        if (error != ERR_OK || thread_loaded(&t) || t.state->reason != REASON_UNLOADED ||
            !take_entry(t.id, &e) || e.reason != REASON_UNLOADED || e.cookie != (uint64_t)&t) {
            check(false, "thread_unload of a running thread", "round %u: %s", round, error_name(error));
            break;
        }
        sleep_for(milliseconds(1));
        if (*counter != at) {
            check(false, "an unloaded thread does not run", "round %u", round);
            break;
        }
    }
    CHECK(t.state->frame[0].rip >= TEXT && t.state->frame[0].rip < TEXT + 16,
          "its registers are in its state page");
    thread_free(&t);
    page_give(text);
    page_give(page);
}

// Unload a thread once it waits.  It may be about to: then it is loaded again.
static bool unload_waiting(struct test_thread *t)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        sleep_for(milliseconds(2));
        if (sys_thread_unload(t->id, 0) != ERR_OK) {
            return false;
        }
        if (t->state->run == RUN_WAITING) {
            return true;
        }
        (void)thread_start(t);
    }
    return false;
}

static void waiting(void)
{
    struct test_thread t;
    pa_t text = program_put(&native, PROGRAM(wait)), page = page_take();
    volatile uint64_t *waits = window(page);

    check_error(map_page(&native, 0x500000, page, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    thread_make(&t, &native);
    t.state->frame[0].r12 = 0x500000;
    check_error(thread_start(&t), ERR_OK, "load a thread that waits");
    CHECK(EVENTUALLY(*waits == 1), "it comes to its wait");
    CHECK(unload_waiting(&t), "thread_unload of a waiting thread");
    CHECK(t.state->deadline == 0 && *waits == 1,
          "its state page says that it was waiting, without a deadline");
    // Loaded again its wait is over; a signal that comes with it ends the next one too.
    t.desc.flags = LOAD_SIGNALED;
    check_error(thread_start(&t), ERR_OK, "load it with a signal");
    CHECK(EVENTUALLY(*waits == 3), "the signal ends the next wait at once");
    t.desc.flags = 0;
    CHECK(unload_waiting(&t) && *waits == 3, "but no other");
    check_error(thread_start(&t), ERR_OK, "load it");
    CHECK(EVENTUALLY(*waits == 4), "it comes to its next wait");
    for (uint64_t i = 1; i <= 10; i++) {
        if (sys_signal(t.id) != ERR_OK || !EVENTUALLY(*waits == 4 + i)) {
            check(false, "a signal ends a wait", "number %lu does not", (unsigned long)i);
            break;
        }
    }
    check_error(sys_thread_unload(t.id, 0), ERR_OK, "unload it");
    thread_free(&t);
    page_give(text);
    page_give(page);
}

static volatile uint32_t in_handler;

static void stay(struct test_thread *t, unsigned depth)
{
    (void)depth;
    in_handler = 1;
    while (in_handler == 1) {
        __asm__ volatile("pause");
    }
    t->state->frame[0].rip = TEXT;
    thread_return(t);
}

static void handling(void)
{
    struct test_thread t;
    pa_t text = program_put(&space, PROGRAM(trap));

    thread_make(&t, &space);
    t.on_trap = stay;
    in_handler = 0;
    check_error(thread_start(&t), ERR_OK, "load a thread that traps");
    CHECK(EVENTUALLY(in_handler == 1), "its handler runs");
    check_error(sys_thread_unload(t.id, 0), ERR_OK, "thread_unload in a handler");
    CHECK(t.state->depth == 1, "its depth is 1");
    uint64_t traps = t.traps;
    in_handler = 2;
    t.desc.space = 0;
    t.on_trap = NULL;
    check_error(thread_start(&t), ERR_OK, "load it in its handler, without its program's space");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it goes on and ends");
    check(t.state->reason == REASON_EXITED && t.traps == traps + 1 && t.state->value == 1,
          "it went on in its handler, and in its program", "reason %u value %lu", t.state->reason,
          (unsigned long)t.state->value);
    thread_free(&t);
    page_give(text);
}

static void itself(void)
{
    struct test_thread t;
    struct channel_entry e = {0};

    thread_make(&t, NULL);
    t.state->frame[0].rip = (uint64_t)thread_end;
    t.state->frame[0].rdi = 4711;
    t.state->frame[0].rsp = t.desc.xstack - 8;
    check_error(thread_start(&t), ERR_OK, "load a thread of the kernel itself");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it unloads itself");
    CHECK(t.state->reason == REASON_EXITED && t.state->value == 4711, "with its value");
    CHECK(take_entry(t.id, &e) && e.value == 4711 && e.cookie == (uint64_t)&t, "and so says the channel");
    thread_free(&t);
}

void test_unloads(void)
{
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    check_error(space_open(&native, TRAP_NATIVE, 0), ERR_OK, "space_load");
    unload_bad_ids();
    running();
    waiting();
    handling();
    itself();
    space_close(&space);
    space_close(&native);
}
