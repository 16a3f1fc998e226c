// child.c - a kernel that the first kernel loads.
#include "first.h"

void child_make(struct child *c)
{
    pa_t place = page_take();

    memset(c, 0, sizeof(*c));
    c->place = window(place);
    c->channel = page_take();
    c->frame_states = page_take();
    c->first_frame = info->range[0].base / ABI_PAGE;
    c->frame_count = ABI_PAGE;
    check_error(space_open(&c->space, TRAP_NATIVE, 0), ERR_OK, "a space for a kernel");
    c->text = program_put(&c->space, PROGRAM(call));
    c->desc = (struct kernel_desc){
        .space = c->space.id,
        .trap = TEXT,
        .fault = TEXT,
        .exception = TEXT,
        .place = place,
        .channel = c->channel,
        .frame_states = c->frame_states,
        .first_frame = c->first_frame,
        .frame_count = c->frame_count,
        .cookie = (uint64_t)c,
        .limits = {.max_priority = 10},
    };
}

err_t child_load(struct child *c)
{
    err_t e;

    while ((e = sys_kernel_load(&c->desc, &c->kernel)) == ERR_AGAIN) {
        sleep_for(machine->slice / 4);
    }
    return e;
}

void child_free(struct child *c)
{
    (void)sys_kernel_unload(c->kernel);
    space_close(&c->space);
    page_give((pa_t)c->place - ABI_WINDOW);
    page_give(c->channel);
    page_give(c->frame_states);
    page_give(c->text);
}

uint64_t child_call(struct child *c, uint64_t number, uint64_t a, uint64_t b, uint64_t d, uint64_t e)
{
    struct test_thread t;
    uint64_t value;

    thread_make(&t, &c->space);
    struct frame *f = &t.state->frame[0];
    f->rbx = number;
    f->rdi = a;
    f->rsi = b;
    f->rdx = d;
    f->r10 = e;
    check_error(thread_start(&t), ERR_OK, "a thread of the child");
    if (!EVENTUALLY(!thread_loaded(&t))) {
        check(false, "a call of the child", "it does not come back");
    }
    // Its handlers are no code: a fault ends with `double_fault`.
    value = t.state->reason == REASON_EXITED ? t.state->value : 1000 + t.state->frame[0].vector;
    thread_free(&t);
    return value;
}

err_t child_grant(struct child *c, pa_t base, uint64_t length, uint32_t access)
{
    return sys_kernel_grant(c->kernel, base >> ABI_GROUP_SHIFT, length >> ABI_GROUP_SHIFT, access);
}
