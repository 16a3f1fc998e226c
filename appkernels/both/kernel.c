// kernel.c - an application kernel whose program is linked with it, or runs in a space of its own.
//
// The same program runs twice, and once more to forge calls.  First it is called like any function: its calls are
// function calls, and the trap instruction in this space is a call of the supervisor.  Then it runs in a space: the
// same instruction comes to both_trap, whatever the registers hold, since the supervisor goes by the space alone.
// Prints `ok` or `not ok` for each comparison and what a call cost in each form.
// `./quoin run --policy tests/system/both/policy` runs it.  Cache Kernel, 2.3.
//
// Locking: none.  The program's thread and the first one take turns.
#include "both.h"

#include <appkernel.h>
#include <base.h>
#include <device.h>
#include <sys.h>

extern const char program_begin[], program_end[];        // image.S

enum { TEXT = 0x40000000, STACK = 0x50000000, OUTPUT = 4096 };

// What a form of the program did.
struct run {
    char     output[OUTPUT];
    size_t   length;
    uint64_t cost, value, traps;
};

static struct run linked, apart, forged, *running;
static oid_t program_space;
static pa_t  program_stack;
static unsigned failures;

_Noreturn void both_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void both_failed(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(both_trap, both_failed, both_failed);

// ---- what the kernel does for its program -----------------------------------------------------------------

uint64_t both_call(uint64_t number, uint64_t a, uint64_t b)
{
    struct run *r = running;

    switch (number) {
    case CALL_NOTHING:
        return 0;
    case CALL_WRITE:
        b = b < OUTPUT - r->length ? b : OUTPUT - r->length;
        b = b < WRITE_MOST ? b : WRITE_MOST;
        memcpy(r->output + r->length, (const char *)a, b);
        r->length += b;
        return b;
    case CALL_COST:
        r->cost = a;
        return 0;
    default:
        return NO_CALL;
    }
}

// ---- the program in a space of its own --------------------------------------------------------------------

static _Noreturn void end(uint64_t value)
{
    for (;;) {
        (void)sys_thread_unload(0, value);
    }
}

// Where the program's bytes are in the window.  It writes from its stack only.
static bool translate(uint64_t *a, uint64_t length)
{
    if (*a < STACK || *a >= STACK + ABI_PAGE || length > STACK + ABI_PAGE - *a) {
        return false;
    }
    *a = (uintptr_t)ak_window(program_stack) + *a - STACK;
    return true;
}

void both_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct frame *f = &s->frame[depth];
    uint64_t number = f->rax, a = f->rdi, b = f->rsi;

    (void)cookie;
    running->traps++;
    if (number == CALL_END) {
        end(a);
    }
    f->rax = number != CALL_WRITE || translate(&a, b) ? both_call(number, a, b) : 0;
    (void)sys_resume(program_space);
    end(NO_CALL);                        // only reached if the space is gone
}

void both_failed(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    ak_log("the program failed: exception %u at 0x%lx", s->frame[depth].vector, (unsigned long)s->frame[depth].rip);
    end(NO_CALL);
}

static bool load_memory(pa_t place, pa_t text, size_t pages)
{
    struct space_desc space = {.rule = TRAP_FORWARD, .place = place};

    memcpy(ak_window(text), program_begin, (size_t)(program_end - program_begin));
    if (sys_space_load(&space, &program_space) != ERR_OK ||
        sys_mapping_load(program_space, STACK, program_stack, MAP_READ | MAP_WRITE) != ERR_OK) {
        return false;
    }
    for (size_t i = 0; i < pages; i++) {
        if (sys_mapping_load(program_space, TEXT + i * ABI_PAGE, text + i * ABI_PAGE, MAP_READ | MAP_EXEC) != ERR_OK) {
            return false;
        }
    }
    return true;
}

// Let it run to its end.
static bool run_apart(struct run *r, pa_t state, pa_t xstack, uint64_t rdi, uint64_t rsi)
{
    struct thread_state *s = ak_window(state);
    struct thread_desc d = {.space = program_space, .priority = 1, .state = state, .state_va = (va_t)s,
                            .xstack = (va_t)ak_window(xstack) + ABI_PAGE};
    oid_t thread;

    memset(s, 0, ABI_PAGE);
    s->frame[0].rip = TEXT;
    s->frame[0].rsp = STACK + ABI_PAGE;
    s->frame[0].rdi = rdi;
    s->frame[0].rsi = rsi;
    running = r;
    if (sys_thread_load(&d, &thread) != ERR_OK) {
        return false;
    }
    while (__atomic_load_n(&s->loaded, __ATOMIC_ACQUIRE) != 0) {
        (void)sys_wait(0);
    }
    r->value = s->value;
    return s->reason == REASON_EXITED;
}

// ---- both -------------------------------------------------------------------------------------------------

static void print(const char *text, size_t length)
{
    for (size_t done = 0; done < length;) {
        uint64_t taken = 0;
        if (device_write(ak_info, DEVICE_TERMINAL, text + done, length - done, &taken) != ERR_OK) {
            return;
        }
        done += taken;
        if (taken == 0) {
            (void)sys_wait(ak_now() + ak_ticks_from_ns(1000000));
        }
    }
}

static void say(const char *format, const char *what, unsigned long number)
{
    char line[128];
    int n = base_format(line, sizeof(line), format, what, number);

    print(line, (size_t)n);
}

static void check(bool good, const char *what, uint64_t number)
{
    failures += !good;
    say(good ? "ok %s\n" : "not ok %s: %lu\n", what, (unsigned long)number);
}

static void run_linked(void)
{
    uint64_t ignore;

    running = &linked;
    linked.value = both_program();
    check(sys_yield() == ERR_OK, "the trap instruction in the kernel's own space is the supervisor's", 0);
    check(sys_enter(CALL_NOTHING, 0, 0, 0, &ignore) != ERR_OK, "and not the kernel's", 0);
    check(linked.traps == 0, "linked, the program makes no trap", linked.traps);
}

static void compare(void)
{
    print(linked.output, linked.length);
    check(linked.length > 100, "linked, the program prints", linked.length);
    check(apart.length == linked.length && memcmp(apart.output, linked.output, linked.length) == 0,
          "in a space of its own it prints the same", apart.length);
    check(apart.value == linked.value, "and ends with the same value", apart.value);
    check(apart.traps > 16, "each of its calls is a trap to its kernel", apart.traps);
    check(forged.traps == FORGED + 1 && forged.value == FORGED,
          "the numbers and arguments of the supervisor's calls are only traps there too", forged.value);
    check(linked.cost < apart.cost, "a call is cheaper linked", linked.cost);
    say("bench %s %lu\n", "call_linked", linked.cost);
    say("bench %s %lu\n", "call_forwarded", apart.cost);
}

int ak_main(const struct kernel_info *info)
{
    size_t pages = ((size_t)(program_end - program_begin) + ABI_PAGE - 1) / ABI_PAGE;
    pa_t place = ak_frame_alloc(), state = ak_frame_alloc(), xstack = ak_frame_alloc();
    pa_t text = ak_frame_alloc_run((unsigned)pages);

    program_stack = ak_frame_alloc();
    if (place == 0 || state == 0 || xstack == 0 || text == 0 || program_stack == 0) {
        return 1;
    }
    run_linked();
    if (sys_listen(info->thread) != ERR_OK || !load_memory(place, text, pages)) {
        return 2;
    }
    check(run_apart(&apart, state, xstack, 0, 0), "it runs to its end in a space of its own", 0);
    check(run_apart(&forged, state, xstack, info->space, info->thread), "so does one that forges calls", 0);
    compare();
    (void)sys_space_unload(program_space);
    return (int)failures;
}
