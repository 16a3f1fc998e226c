// running.c - many threads at once: their registers, FS and GS bases and SSE state survive preemption and
// moves between processors; trap rules; priorities; yield.
#include "calls.h"

enum { MANY = 12, DATA = 0x500000 };

static struct test_space space, native;

static bool all_count(volatile uint64_t *counter)
{
    for (unsigned i = 0; i < MANY; i++) {
        if (counter[8 * i] == 0) {
            return false;
        }
    }
    return true;
}

// Threads of two programs that check their own registers, each counting in a word of its own.
static void integrity(void)
{
    static struct test_thread t[MANY];
    struct test_space second = {0};
    check_error(space_open(&second, TRAP_FORWARD, 0), ERR_OK, "a second space");
    pa_t text = program_put(&space, PROGRAM(registers)), text2 = program_put(&second, PROGRAM(sse));
    pa_t page = page_take();
    uint64_t *counter = window(page);
    unsigned wrong = 0;

    check_error(map_page(&space, DATA, page, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    check_error(map_page(&second, DATA, page, MAP_READ | MAP_WRITE), ERR_OK, "map it twice");
    for (unsigned i = 0; i < MANY; i++) {
        thread_make(&t[i], i % 2 ? &second : &space);
        struct frame *f = &t[i].state->frame[0];
        uint64_t v = 0x0101010101010101ull * (i + 1);
        f->rbx = f->r8 = f->r9 = f->r10 = f->r11 = f->r12 = f->r15 = f->rbp = f->rsi = v;
        f->rdi = DATA + 64 * i;
        t[i].state->fs_base = 0x1000 * (i + 1);
        t[i].state->gs_base = 0x100000 + i;
        if (thread_start(&t[i]) != ERR_OK) {
            check(false, "load a thread", "number %u", i);
        }
    }
    sleep_for(40 * machine->slice);
    CHECK(EVENTUALLY(all_count(counter)), "every thread runs");
    for (unsigned i = 0; i < MANY; i++) {
        if (thread_loaded(&t[i])) {
            (void)sys_thread_unload(t[i].id, 0);
        }
        wrong += t[i].state->reason == REASON_EXITED || t[i].state->fs_base != 0x1000 * (i + 1) ||
                 t[i].state->gs_base != 0x100000 + i ||
                 t[i].state->frame[0].rbx != 0x0101010101010101ull * (i + 1);
        thread_free(&t[i]);
    }
    check(wrong == 0, "registers survive preemption", "%u of %u threads saw others", wrong, MANY);
    space_close(&second);
    page_give(page);
    page_give(text);
    page_give(text2);
}

static uint64_t seen_call;

static void remember(struct test_thread *t, unsigned depth)
{
    seen_call = t->state->frame[depth].rax;
    thread_end(1);
}

// A program's call of this number: does it run directly, or go to the handler?
static uint64_t call_from(struct test_space *s, uint64_t number)
{
    struct test_thread t;
    pa_t text = program_put(s, PROGRAM(trap));

    thread_make(&t, s);
    t.state->frame[0].rbx = number - 1;
    t.state->frame[0].rip = TEXT + 3;                    // behind the instruction that clears RBX
    t.on_trap = remember;
    seen_call = 0;
    check_error(thread_start(&t), ERR_OK, "load a thread that calls");
    CHECK(EVENTUALLY(!thread_loaded(&t)), "it ends");
    thread_free(&t);
    page_give(text);
    return seen_call;
}

static void rules(void)
{
    uint64_t n = call_from(&space, SYS_signal);
    check(n == SYS_signal, "forward: every call goes to the handler", "the first to arrive is %lu",
          (unsigned long)n);
    n = call_from(&native, SYS_space_load);
    check(n == SYS_space_load, "native: calls of kernels go to the handler", "the first is %lu",
          (unsigned long)n);
    n = call_from(&native, SYS_yield);
    check(n == SYS_yield + 1, "native: yield runs directly", "the first to arrive is %lu", (unsigned long)n);
    n = call_from(&native, 0x10000);
    check(n == 0x10000, "native: numbers that are no calls go to the handler", "%lu", (unsigned long)n);
}

static volatile unsigned order, first, second_;

static void turn(struct test_thread *t)
{
    unsigned mine = __atomic_add_fetch(&order, 1, __ATOMIC_RELAXED);

    if (t->desc.priority > 2) {
        first = mine;
    } else {
        second_ = mine;
    }
    thread_end(0);
}

// Two threads that are ready on one processor: the higher one is first.
static void by_priority(void)
{
    struct test_thread low, high;

    thread_make(&low, NULL);
    thread_make(&high, NULL);
    thread_call(&low, turn);
    thread_call(&high, turn);
    low.desc.affinity = high.desc.affinity = 1;
    high.desc.priority = 3;
    struct test_thread blocker;
    thread_make(&blocker, &space);
    pa_t text = program_put(&space, PROGRAM(spin));
    blocker.desc.affinity = 1;
    blocker.desc.priority = info->limits.max_priority;
    check_error(thread_start(&blocker), ERR_OK, "occupy processor 0");
    check_error(thread_start(&low), ERR_OK, "load the lower");
    check_error(thread_start(&high), ERR_OK, "load the higher");
    check_error(sys_thread_unload(blocker.id, 0), ERR_OK, "free processor 0");
    CHECK(EVENTUALLY(!thread_loaded(&low) && !thread_loaded(&high)), "both run");
    check(first < second_, "the higher priority ran first", "it was number %u", first);
    thread_free(&low);
    thread_free(&high);
    thread_free(&blocker);
    page_give(text);
}

// A thread that may run on one processor only makes progress while another of equal priority spins there.
static void slices(void)
{
    struct test_thread t[2];
    pa_t page = page_take(), text = program_put(&space, PROGRAM(count));
    volatile uint64_t *counter = window(page);

    check_error(map_page(&space, DATA, page, MAP_READ | MAP_WRITE), ERR_OK, "map data");
    for (unsigned i = 0; i < 2; i++) {
        thread_make(&t[i], &space);
        t[i].state->frame[0].rdi = DATA + 64 * i;
        t[i].desc.affinity = 1ull << (machine->cpus - 1);
        check_error(thread_start(&t[i]), ERR_OK, "load one of two threads of a processor");
    }
    CHECK(EVENTUALLY(counter[0] > 0 && counter[8] > 0), "both get slices");
    uint64_t a = counter[0], b = counter[8];
    CHECK(EVENTUALLY(counter[0] > a && counter[8] > b), "again and again");
    thread_free(&t[0]);
    thread_free(&t[1]);
    page_give(page);
    page_give(text);
}

void test_running(void)
{
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "space_load");
    check_error(space_open(&native, TRAP_NATIVE, 0), ERR_OK, "space_load");
    rules();
    by_priority();
    slices();
    integrity();
    space_close(&space);
    space_close(&native);
}
