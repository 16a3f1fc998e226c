// programs.c - measurements from inside a program: trap, fault, switch between spaces, signal and wait.
//
// The kernel's handlers do the least that the mechanism allows: the numbers are the supervisor's.
#include "programs.h"

extern const char programs_end[];
extern const char program_empty[], program_trap[], program_fault[], program_yield[], program_yield_partner[],
    program_signal[], program_signal_partner[], program_message[], program_message_partner[],
    program_exchange[], program_exchange_partner[];

enum { PARTNER_WORD = 2 * ABI_PAGE - 8, FRESH = 0x10000000 };
enum { PARTS = 1 };                              // cookie of a thread whose faults are measured in parts

pa_t programs_text;

static pa_t fresh[SAMPLES];
static uint64_t transfer[SAMPLES];               // from the store to its handler
static oid_t running_space;                      // of the program that is measured

_Noreturn void bench_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void bench_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void bench_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(bench_trap, bench_fault, bench_exception);

static _Noreturn void end(uint64_t value)
{
    for (;;) {
        (void)sys_thread_unload(0, value);
    }
}

void bench_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    if (s->frame[depth].rax == 0) {
        (void)sys_resume(running_space);
    }
    end(0);
}

void bench_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    uint64_t page = (s->frame[depth].addr - FRESH) / ABI_PAGE;

    if (cookie == PARTS && page < SAMPLES) {
        transfer[page] = ak_now() - s->frame[depth].r13;       // where the program keeps when it began
    }
    if (page < SAMPLES) {
        (void)sys_mapping_load_and_resume(running_space, FRESH + page * ABI_PAGE, fresh[page], MAP_READ | MAP_WRITE);
    }
    end(2);
}

void bench_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    ak_log("program failed: exception %u at 0x%lx", s->frame[depth].vector, (unsigned long)s->frame[depth].rip);
    end(3);
}

void program_load(struct program *p, const char *code, uint32_t rule)
{
    struct thread_state *s;

    *p = (struct program){.data = {bench_frame(), bench_frame()}, .state = bench_frame(), .stack = bench_frame(),
                          .place = bench_frame()};
    struct space_desc space = {.rule = rule, .place = p->place};
    bench_check(sys_space_load(&space, &p->space), "space");
    bench_check(sys_mapping_load(p->space, TEXT, programs_text, MAP_READ | MAP_EXEC), "text");
    for (unsigned i = 0; i < 2; i++) {
        bench_check(sys_mapping_load(p->space, DATA + i * ABI_PAGE, p->data[i], MAP_READ | MAP_WRITE), "data");
    }
    s = ak_window(p->state);
    s->frame[0].rip = TEXT + (va_t)(code - programs_begin);
    s->frame[0].rflags = 0x202;
    s->frame[0].r15 = SAMPLES;
}

struct thread_desc program_thread(const struct program *p)
{
    return (struct thread_desc){.space = p->space, .priority = PRIORITY, .state = p->state, .affinity = 1,
                                .state_va = (va_t)ak_window(p->state),
                                .xstack = (va_t)ak_window(p->stack) + ABI_PAGE};
}

static void program_start(struct program *p, uint64_t cookie)
{
    struct thread_desc d = program_thread(p);

    d.cookie = cookie;
    bench_check(sys_thread_load(&d, &p->thread), "thread");
}

static void partner_set(struct program *p, oid_t partner)
{
    *(oid_t *)((char *)ak_window(p->data[1]) + PARTNER_WORD - ABI_PAGE) = partner;
}

void program_wait(struct program *p)
{
    const struct thread_state *s = ak_window(p->state);

    while (__atomic_load_n(&s->loaded, __ATOMIC_ACQUIRE) != 0) {
        (void)sys_wait(0);
    }
    bench_check(s->reason == REASON_EXITED && s->value == 0 ? ERR_OK : ERR_BADSTATE, "program");
    memcpy(bench_sample, ak_window(p->data[0]), sizeof(bench_sample));
}

void program_unload(struct program *p)
{
    const pa_t frame[] = {p->data[0], p->data[1], p->state, p->stack, p->place};

    bench_check(sys_space_unload(p->space), "space unload");
    for (size_t i = 0; i < sizeof(frame) / sizeof(frame[0]); i++) {
        ak_frame_put(frame[i]);
    }
}

static uint64_t alone(const char *code, uint64_t cookie)
{
    struct program p;

    program_load(&p, code, TRAP_FORWARD);
    running_space = p.space;
    program_start(&p, cookie);
    program_wait(&p);
    program_unload(&p);
    return bench_median(SAMPLES);
}

void program_connect(struct program *from, struct program *to, pa_t page)
{
    bench_check(sys_mapping_load_signal(to->space, MESSAGES_IN, page, MAP_READ, to->thread), "receiver's mapping");
    bench_check(sys_mapping_load(from->space, MESSAGES_OUT, page, MAP_WRITE | MAP_MESSAGE), "sender's mapping");
}

// Two threads in spaces of their own, on one processor.  The partner never ends: it is unloaded.
static uint64_t together(const char *code, const char *partner_code)
{
    const pa_t page[2] = {bench_frame(), bench_frame()};
    struct program p, partner;

    program_load(&p, code, TRAP_NATIVE);
    program_load(&partner, partner_code, TRAP_NATIVE);
    program_start(&partner, 0);
    partner_set(&p, partner.thread);
    program_start(&p, 0);
    partner_set(&partner, p.thread);
    program_connect(&p, &partner, page[0]);
    program_connect(&partner, &p, page[1]);
    program_wait(&p);
    (void)sys_thread_unload(partner.thread, 0);
    program_unload(&p);
    program_unload(&partner);
    ak_frame_put(page[0]);
    ak_frame_put(page[1]);
    return bench_median(SAMPLES);
}

void programs_init(void)
{
    programs_text = bench_frame();
    memcpy(ak_window(programs_text), programs_begin, (size_t)(programs_end - programs_begin));
}

uint64_t programs_empty(void)
{
    return alone(program_empty, 0);
}

static void row(const char *name, uint64_t count, unsigned operations)
{
    bench_events(name, operations);
    bench_end(name, operations);
    bench_line(name, count);
}

void programs_run(void)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        fresh[i] = bench_frame();
    }
    uint64_t empty = programs_empty(), count;
    bench_begin();
    count = alone(program_trap, 0) - empty;
    row("null_trap", count, SAMPLES);
    bench_begin();
    count = alone(program_fault, 0) - empty;
    row("forwarded_fault", count, SAMPLES);
    (void)alone(program_fault, PARTS);
    memcpy(bench_sample, transfer, sizeof(transfer));
    uint64_t in = bench_median(SAMPLES) - empty;
    bench_line("fault_transfer", in);
    bench_line("mapping_load_optimized", count - in);
    bench_begin();
    count = together(program_yield, program_yield_partner) - empty;
    row("switch_yield", count / 2, 2 * SAMPLES);
    bench_begin();
    count = together(program_signal, program_signal_partner) - empty;
    row("signal_round_trip", count, SAMPLES);
    bench_begin();
    count = together(program_message, program_message_partner) - empty;
    row("message_round_trip", count, SAMPLES);
    bench_begin();
    count = together(program_exchange, program_exchange_partner) - empty;
    row("message_exchange", count, SAMPLES);
    for (unsigned i = 0; i < SAMPLES; i++) {
        ak_frame_put(fresh[i]);
    }
}
