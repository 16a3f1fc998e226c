// breakpoint.c - a debugger: a thread stops at a breakpoint, is unloaded, examined, edited, and loaded again (2.3).
#include "calls.h"

enum { DATA = 0x500000, INT3 = 0xcc, VECTOR_BREAKPOINT = 3 };

static struct test_space space;

// The owner's handler: whatever stops here goes to its state page, as it was.
static void stop(struct test_thread *t, unsigned depth)
{
    (void)t;
    (void)depth;
    thread_end(4000);
}

// Where the program's text lies, its first byte replaced.
static uint8_t breakpoint_set(uint8_t *text)
{
    uint8_t was = *text;

    *text = INT3;
    return was;
}

static void stopped(const struct test_thread *t)
{
    const struct frame *f = &t->state->frame[0];

    CHECK(t->state->reason == REASON_EXITED && t->state->value == 4000 && t->state->depth == 1,
          "it is unloaded, in its handler");
    CHECK(f->kind == FRAME_EXCEPTION && f->vector == VECTOR_BREAKPOINT && f->rip == TEXT + 1,
          "its page says where and why it stopped");
    CHECK(f->rdi == DATA && f->rbx == 5, "and holds its registers");
}

static void examine_edit_reload(void)
{
    struct test_thread t;
    pa_t text = program_put(&space, PROGRAM(store)), data = page_take();
    uint8_t was = breakpoint_set(window(text));
    uint64_t n;

    check_error(map_page(&space, DATA, data, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    thread_make(&t, &space);
    t.state->frame[0].rdi = DATA;
    t.state->frame[0].rbx = 5;
    t.on_exception = stop;
    check_error(thread_start(&t), ERR_OK, "load a thread that comes to a breakpoint");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it stops");
    stopped(&t);
    *(uint8_t *)window(text) = was;
    t.state->frame[0].rip = TEXT;
    t.state->frame[0].rbx = 6;
    t.state->depth = 0;
    check_error(thread_start(&t), ERR_OK, "load it again, with a register edited");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it goes on to its end");
    CHECK(t.state->value == 77 && *(uint64_t *)window(data) == 6, "with what the debugger wrote");
    check_error(sys_mapping_unload(space.id, 0, ABI_USER_END, &n), ERR_OK, "unload all");
    thread_free(&t);
    page_give(text);
    page_give(data);
}

void test_breakpoint(void)
{
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "a space");
    examine_edit_reload();
    space_close(&space);
}
