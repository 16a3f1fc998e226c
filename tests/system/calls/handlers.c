// handlers.c - forwarding of faults, traps and exceptions, returning from handlers, and handlers in handlers.
#include "calls.h"

enum { DATA = 0x500000 };

static struct test_space space;
static pa_t data_page;
static volatile err_t answer[4];

static void map_it(struct test_thread *t, unsigned depth)
{
    struct frame *f = &t->state->frame[depth];

    if (f->addr == DATA && depth == 0 && t->faults == 1) {
        (void)sys_mapping_load_and_resume(space.id, DATA, data_page, MAP_READ | MAP_WRITE);
    }
    thread_end(3000);
}

static void load_and_resume(void)
{
    struct test_thread t;
    pa_t text = program_put(&space, PROGRAM(store));

    data_page = page_take();
    thread_make(&t, &space);
    t.state->frame[0].rdi = DATA;
    t.state->frame[0].rbx = 99;
    t.on_fault = map_it;
    check_error(thread_start(&t), ERR_OK, "load a thread whose data is not mapped");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it ends");
    CHECK(t.state->value == 77 && t.faults == 1, "its fault was handled, and it went on");
    CHECK(*(uint64_t *)window(data_page) == 99, "it has stored");
    thread_free(&t);
    page_give(text);
    page_give(data_page);
}

static void bad_then_good(struct test_thread *t, unsigned depth)
{
    oid_t id = space.id;

    (void)depth;
    if (t->faults > 1) {
        thread_end(3001);
    }
    answer[0] = sys_mapping_load_and_resume(bad_id(1, id), DATA, data_page, MAP_READ);
    answer[1] = sys_mapping_load_and_resume(id, DATA, foreign_memory(), MAP_READ);
    answer[2] = sys_resume(machine->space);
    answer[3] = sys_resume(bad_id(1, id));
    (void)sys_mapping_load_and_resume(id, DATA, data_page, MAP_READ | MAP_WRITE);
    thread_end(3002);
}

static void bad_resumes(void)
{
    struct test_thread t;
    pa_t text = program_put(&space, PROGRAM(store));

    data_page = page_take();
    thread_make(&t, &space);
    t.state->frame[0].rdi = DATA;
    t.on_fault = bad_then_good;
    check_error(thread_start(&t), ERR_OK, "load a thread");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it ends");
    check_error(answer[0], ERR_STALE, "mapping_load_and_resume: a stale space");
    check_error(answer[1], ERR_DENIED, "mapping_load_and_resume: foreign memory");
    check_error(answer[2], ERR_DENIED, "resume: a foreign space");
    check_error(answer[3], ERR_STALE, "resume: a stale space");
    CHECK(t.state->value == 77, "after the refusals the right call still works");
    thread_free(&t);
    page_give(text);
    page_give(data_page);
}

static struct frame noted;

static void note_frame(struct test_thread *t, unsigned depth)
{
    noted = t->state->frame[depth];
    thread_end(1);
}

// What a program's fault looks like.
static void one_fault(const char *begin, const char *end, uint64_t rdi, uint64_t access, uint32_t kind,
                      uint32_t vector, uint64_t error, const char *name)
{
    struct test_thread t;
    pa_t text = program_put(&space, begin, end), page = page_take();
    uint64_t n;

    if (access != 0) {
        check_error(map_page(&space, DATA, page, access), ERR_OK, "map data");
    }
    thread_make(&t, &space);
    t.state->frame[0].rdi = rdi;
    t.on_fault = t.on_exception = note_frame;
    if (rdi == DATA && kind == FRAME_FAULT && (error & FAULT_EXEC)) {
        t.state->frame[0].rip = DATA;
    }
    memset(&noted, 0, sizeof(noted));
    check_error(thread_start(&t), ERR_OK, "load a thread");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it ends");
    check(noted.kind == kind && noted.vector == vector && noted.error == error &&
              (kind != FRAME_FAULT || noted.addr == rdi),
          name, "kind %u vector %u error %lx address %lx", noted.kind, noted.vector,
          (unsigned long)noted.error, (unsigned long)noted.addr);
    check_error(sys_mapping_unload(space.id, 0, ABI_USER_END, &n), ERR_OK, "unload all");
    thread_free(&t);
    page_give(text);
    page_give(page);
}

static void kinds(void)
{
    one_fault(PROGRAM(load), DATA, 0, FRAME_FAULT, 14, 0, "a read where nothing is mapped");
    one_fault(PROGRAM(store), DATA, 0, FRAME_FAULT, 14, FAULT_WRITE, "a write where nothing is mapped");
    one_fault(PROGRAM(store), DATA, MAP_READ, FRAME_FAULT, 14, FAULT_WRITE | FAULT_PRESENT,
              "a write to a read-only page");
    one_fault(PROGRAM(store), TEXT, 0, FRAME_FAULT, 14, FAULT_WRITE | FAULT_PRESENT, "a write to text");
    one_fault(PROGRAM(load), DATA, MAP_READ | MAP_WRITE, FRAME_FAULT, 14, FAULT_EXEC | FAULT_PRESENT,
              "running a page of data");
    one_fault(PROGRAM(load), 0xffffffff80200000, 0, FRAME_FAULT, 14, FAULT_PRESENT,
              "a read of the supervisor");
    one_fault(PROGRAM(load), 0xffff800000000000 + info->free, 0, FRAME_FAULT, 14, FAULT_PRESENT,
              "a read of the map of memory");
    one_fault(PROGRAM(load), 0x800000000000, 0, FRAME_EXCEPTION, 13, 0, "a read where no address is");
    one_fault(PROGRAM(ud), 0, 0, FRAME_EXCEPTION, 6, 0, "an invalid instruction");
}

static volatile unsigned deepest;
static volatile bool went_wrong;

// Each handler faults on purpose until there is no room, or until `deepest`; then all return.
static void deeper(struct test_thread *t, unsigned depth)
{
    struct frame *f = &t->state->frame[depth];

    if (depth + 1 < deepest) {
        struct raw r = {SYS_space_load, 8, 0, 0, 0, 0, 0, 0, 0}; // a call with a bad pointer: a fault here
        raw_call(&r);
        went_wrong = went_wrong || r.error != FAULTED;
    }
    if (depth == 0) {
        f->rip = TEXT;
        f->rdi = DATA;
        thread_return(t);
    }
    f->rip += 2;
    f->rax = FAULTED;
    thread_return(t);
}

static void nesting(void)
{
    struct test_thread t;
    pa_t text = program_put(&space, PROGRAM(store)), page = page_take();

    check_error(map_page(&space, DATA, page, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    for (unsigned depth = 1; depth <= ABI_MAX_DEPTH + 1; depth++) {
        thread_make(&t, &space);
        t.state->frame[0].rdi = 0x10;
        t.on_fault = deeper;
        deepest = depth;
        went_wrong = false;
        check_error(thread_start(&t), ERR_OK, "load a thread whose handlers fault");
        CHECK(EVENTUALLY(!thread_loaded(&t)), "it ends");
        if (depth <= ABI_MAX_DEPTH) {
            check(!went_wrong && t.state->reason == REASON_EXITED && t.state->value == 77 &&
                      t.faults == depth,
                  "handlers in handlers return", "depth %u: reason %u value %lu faults %lu", depth,
                  t.state->reason, (unsigned long)t.state->value, (unsigned long)t.faults);
        } else {
            check(t.state->reason == REASON_DOUBLE_FAULT && t.state->depth == ABI_MAX_DEPTH &&
                      t.state->value == 8,
                  "one handler too many", "reason %u depth %u value %lx", t.state->reason, t.state->depth,
                  (unsigned long)t.state->value);
        }
        thread_free(&t);
    }
    page_give(text);
    page_give(page);
}

void test_handlers(void)
{
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    load_and_resume();
    space_close(&space);
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    bad_resumes();
    space_close(&space);
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    kinds();
    nesting();
    space_close(&space);
}
