// hostile.c - state pages whose words nobody in his senses would write.
//
// The thread is written back with `bad_state`, or runs and can hurt only itself.
#include "calls.h"

enum { DATA = 0x500000, COUNTED = 0x540000, XSTATE_MXCSR = 24, XSTATE_BV = 512, XSTATE_COMP = 520 };

static struct test_space space;

static void put64(struct test_thread *t, unsigned offset, uint64_t v)
{
    memcpy(t->state->xstate + offset, &v, sizeof(v));
}

static void put32(struct test_thread *t, unsigned offset, uint32_t v)
{
    memcpy(t->state->xstate + offset, &v, sizeof(v));
}

static void bad_mxcsr(struct test_thread *t)
{
    put64(t, XSTATE_BV, 3);
    put32(t, XSTATE_MXCSR, 0xffff0000);
}
static void bad_components(struct test_thread *t)
{
    put64(t, XSTATE_BV, 1ull << 40);
}
static void all_components(struct test_thread *t)
{
    put64(t, XSTATE_BV, ~0ull);
}
static void compacted(struct test_thread *t)
{
    put64(t, XSTATE_COMP, 1ull << 63 | 7);
}
static void reserved_header(struct test_thread *t)
{
    put64(t, XSTATE_COMP + 8, 1);
}
static void fs_in_supervisor(struct test_thread *t)
{
    t->state->fs_base = 0xffffffff80000000;
}
static void fs_not_canonical(struct test_thread *t)
{
    t->state->fs_base = 0x800000000000;
}
static void gs_in_supervisor(struct test_thread *t)
{
    t->state->gs_base = 0xffff800000000000;
}
static void gs_not_canonical(struct test_thread *t)
{
    t->state->gs_base = 1ull << 60;
}
static void rip_in_supervisor(struct test_thread *t)
{
    t->state->frame[0].rip = 0xffffffff80200000;
}
static void rip_not_canonical(struct test_thread *t)
{
    t->state->frame[0].rip = 0x800000000000;
}
static void rip_at_end(struct test_thread *t)
{
    t->state->frame[0].rip = ABI_USER_END;
}
static void rsp_in_supervisor(struct test_thread *t)
{
    t->state->frame[0].rsp = 0xffff800000001000;
}
static void rsp_not_canonical(struct test_thread *t)
{
    t->state->frame[0].rsp = 0xdead000000000000;
}
static void trap_kind_bad_rip(struct test_thread *t)
{
    t->state->frame[0].kind = FRAME_TRAP;                // would return by SYSRET
    t->state->frame[0].rip = 0x800000000000;
}

static void refused(void)
{
    const struct { void (*spoil)(struct test_thread *t); const char *name;
    } table[] = {
        {bad_mxcsr, "MXCSR with reserved bits"},
        {bad_components, "an extended state that does not exist"},
        {all_components, "all extended states"},
        {compacted, "a compacted area"},
        {reserved_header, "a reserved word of the XSAVE header"},
        {fs_in_supervisor, "FS base in the supervisor"},
        {fs_not_canonical, "FS base not canonical"},
        {gs_in_supervisor, "GS base in the supervisor"},
        {gs_not_canonical, "GS base not canonical"},
        {rip_in_supervisor, "RIP in the supervisor"},
        {rip_not_canonical, "RIP not canonical"},
        {rip_at_end, "RIP at the end of user space"},
        {rsp_in_supervisor, "RSP in the supervisor"},
        {rsp_not_canonical, "RSP not canonical"},
        {trap_kind_bad_rip, "RIP not canonical, as after a trap"},
    };

    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct test_thread t;
        thread_make(&t, &space);
        table[i].spoil(&t);
        check_error(thread_start(&t), ERR_OK, table[i].name);
        bool gone = EVENTUALLY(!thread_loaded(&t));
        check(gone && t.state->reason == REASON_BAD_STATE, table[i].name, "reason %u value %lu",
              t.state->reason, (unsigned long)t.state->value);
        thread_free(&t);
    }
}

// The same in a handler: the frame below it is spoiled, then it resumes.
static void (*spoil_now)(struct test_thread *t);

static void spoil_and_return(struct test_thread *t, unsigned depth)
{
    (void)depth;
    spoil_now(t);
    thread_return(t);
}

static void on_return(void (*spoil)(struct test_thread *t), const char *name)
{
    struct test_thread t;

    thread_make(&t, &space);
    spoil_now = spoil;
    t.on_trap = spoil_and_return;
    check_error(thread_start(&t), ERR_OK, "load a thread that traps");
    bool gone = EVENTUALLY(!thread_loaded(&t));
    check(gone && t.state->reason == REASON_BAD_STATE, name, "reason %u value %lu", t.state->reason,
          (unsigned long)t.state->value);
    thread_free(&t);
}

// All flags set: those that are not the user's to set have no effect; single-stepping is an exception.
static void count_exceptions(struct test_thread *t, unsigned depth)
{
    struct frame *f = &t->state->frame[depth];

    if (f->vector != 1 || t->exceptions > 20) {
        thread_end(1000 + f->vector);
    }
    f->rflags = ~0ull;
    thread_return(t);
}

static void end_with_flags(struct test_thread *t, unsigned depth)
{
    thread_end(t->state->frame[depth].rflags);
}

static void flags(void)
{
    struct test_thread t;

    thread_make(&t, &space);
    t.state->frame[0].rflags = ~0ull & ~0x100ull;        // all but single-stepping
    t.on_trap = end_with_flags;
    check_error(thread_start(&t), ERR_OK, "load a thread with all flags set");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it runs and ends");
    uint64_t v = t.state->value;
    check(t.state->reason == REASON_EXITED && (v & 0x200) && !(v & 0x3000) && !(v & 0x1a0000),
          "interrupts stay on; IOPL, VM, VIF and VIP stay off", "reason %u flags %lx", t.state->reason,
          (unsigned long)v);
    thread_free(&t);
    thread_make(&t, &space);
    t.state->frame[0].rflags = ~0ull;
    t.on_exception = count_exceptions;
    check_error(thread_start(&t), ERR_OK, "load a thread that is single-stepped");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it ends");
    check(t.state->reason == REASON_EXITED, "single-stepping is nobody else's business", "reason %u",
          t.state->reason);
    thread_free(&t);
    // No flag at all: interrupts must come nevertheless.
    thread_make(&t, &space);
    t.state->frame[0].rflags = 0;
    pa_t text = program_put(&space, PROGRAM(spin));
    check_error(thread_start(&t), ERR_OK, "load a thread that would run with interrupts off");
    sleep_for(milliseconds(5));
    check_error(sys_thread_unload(t.id, 0), ERR_OK, "it can be unloaded");
    thread_free(&t);
    page_give(text);
    text = program_put(&space, PROGRAM(trap));
    page_give(text);
}

// An area of zeros is as at reset; MXCSR counts even if the header says that there is nothing.
static void fresh_mxcsr(void)
{
    const uint32_t given[] = {0, 0x3f80}, expected[] = {0x1f80, 0x3f80};
    pa_t text = program_put(&space, PROGRAM(count)), page = page_take();
    volatile uint64_t *counter = window(page);

    check_error(map_page(&space, COUNTED, page, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    for (unsigned i = 0; i < 2; i++) {
        struct test_thread t;
        uint32_t seen;
        thread_make(&t, &space);
        t.state->frame[0].rdi = COUNTED;
        put32(&t, XSTATE_MXCSR, given[i]);
        uint64_t before = *counter;
        check_error(thread_start(&t), ERR_OK, "load a thread without extended state");
        CHECK(EVENTUALLY(*counter != before), "it runs");
        check_error(sys_thread_unload(t.id, 0), ERR_OK, "unload it");
        memcpy(&seen, t.state->xstate + XSTATE_MXCSR, sizeof(seen));
        check(seen == expected[i], "its MXCSR", "%x, not %x", seen, expected[i]);
        thread_free(&t);
    }
    page_give(page);
    page_give(text);
}

// The words that the supervisor writes mean nothing to it when it reads them.
static void scribbled(void)
{
    struct test_thread t;
    pa_t text = program_put(&space, PROGRAM(spin));

    thread_make(&t, &space);
    check_error(thread_start(&t), ERR_OK, "load a thread");
    t.state->depth = 3;
    t.state->loaded = 0;
    t.state->reason = 77;
    space.place->loaded = 0;
    sleep_for(milliseconds(5));
    check_error(sys_thread_unload(t.id, 0), ERR_OK, "unload it after its state page was scribbled on");
    CHECK(t.state->depth == 0 && t.state->reason == REASON_UNLOADED, "the page is right again");
    struct channel *c = window(info->channel);
    uint32_t head = c->head;
    c->tail = head + 12345;                              // more read than written
    check_error(thread_start(&t), ERR_OK, "load it");
    check_error(sys_thread_unload(t.id, 0), ERR_OK, "unload it with a false tail");
    c->head = 77;
    c->tail = head;
    check_error(thread_start(&t), ERR_OK, "load it");
    check_error(sys_thread_unload(t.id, 0), ERR_OK, "unload it with a false head");
    CHECK(c->head != 77, "the supervisor keeps the head itself");
    c->tail = c->head;
    thread_free(&t);
    page_give(text);
}

void test_hostile(void)
{
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    pa_t text = program_put(&space, PROGRAM(trap));
    refused();
    on_return(rip_in_supervisor, "resume to RIP in the supervisor");
    on_return(rip_not_canonical, "resume to RIP not canonical");
    on_return(rip_at_end, "resume to RIP at the end of user space");
    on_return(rsp_not_canonical, "resume to RSP not canonical");
    flags();
    fresh_mxcsr();
    scribbled();
    space_close(&space);
    page_give(text);
}
