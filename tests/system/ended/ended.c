// ended.c - a kernel that is ended at every step of what a kernel does.
//
// Booted as the first kernel.  It loads a kernel that works through a script of loads, unloads, signals and writebacks,
// again and again, and ends it: after every number of calls, and after every few instructions (tests/command/ended.sh
// runs it where these are counted).  Each time all that the kernel had must be free again, each of its threads and
// spaces must be said to be unloaded, a message page that it received from must let its sender know, and a third
// kernel must not notice.
// test: first=ended slice=10 smp=1,2,4 cache=default,4/8/16/256 timeout=120
#include "../harness.h"

enum { MOST_STEPS = 32, KILLS = 1500, APART = 61, PRIORITY = 5 };
enum { TABLE, ARGS, PLACES, STATE1, STATE2, STATE3, MESSAGES, PAGES_AT, SOURCE = PAGES_AT + 4, PROGRAM_AT, USED };
enum { TABLE_VA = 0x500000, ARGS_VA = TABLE_VA + ABI_PAGE, STATE_VA = 0x600000, XSTACK_VA = 0x700000, DATA = 0x800000 };
static const va_t in_at = 0x210000000000, out_at = 0x200000000000;
#define AT(member) (ARGS_VA + offsetof(struct args, member))
#define FROM(member) (AT(member) | 1ull << 63)

struct entry {
    uint64_t number, argument[6], store, error, store2, unused[6];
};
struct args {                            // in the kernel's memory, named by its script
    volatile uint64_t steps;
    oid_t    program, t1, t2;
    struct space_desc space, other;
    struct thread_desc d1, d2;
    struct map_entry batch[4];
};
struct child {
    struct test_space space;
    oid_t    kernel;
    struct place *place;
    pa_t     unit;                       // its memory
    struct kernel_desc desc;
    struct test_thread thread;
};

extern const char script[], script_handler[], script_end[];
static uint64_t problems, last_steps[MOST_STEPS];
static unsigned length;                  // calls of the script
static struct child c;
static pa_t text, channel, frame_states;

static void must(bool good, const char *what, uint64_t n)
{
    if (!good && problems++ < 10) {
        check(false, what, "at %lu", (unsigned long)n);
    }
}

static pa_t page_of(unsigned n)
{
    return c.unit + (pa_t)n * ABI_PAGE;
}

// ---- the script ---------------------------------------------------------------------------------------------

static struct entry *entry_next;

static struct entry *step(uint64_t number, uint64_t a, uint64_t b, uint64_t d, uint64_t e)
{
    *entry_next = (struct entry){.number = number, .argument = {a, b, d, e}};
    return entry_next++;
}

static void script_programs(void)
{
    uint64_t s = FROM(program);

    struct entry *load = step(SYS_space_load, AT(space), 0, 0, 0);
    load->store = AT(program);
    load->store2 = AT(d1.space);
    step(SYS_mapping_load, s, TEXT, page_of(PROGRAM_AT), MAP_READ | MAP_EXEC);
    step(SYS_mapping_load, s, DATA, page_of(PAGES_AT), MAP_READ | MAP_WRITE);
    step(SYS_mapping_load_batch, s, AT(batch), 4, 0);
    step(SYS_mapping_load, s, DATA, page_of(PAGES_AT), MAP_WRITE | MAP_COPY)->argument[5] = page_of(SOURCE);
    step(SYS_thread_load, AT(d1), 0, 0, 0)->store = AT(t1);
    step(SYS_thread_load, AT(d2), 0, 0, 0)->store = AT(t2);
    step(SYS_yield, 0, 0, 0, 0);
}

static void script_messages(void)
{
    step(SYS_mapping_load, c.space.id, in_at, page_of(MESSAGES), MAP_READ | MAP_MESSAGE | MAP_SIGNAL)->argument[4] =
        FROM(t2);
    step(SYS_mapping_load, c.space.id, out_at, page_of(MESSAGES), MAP_WRITE | MAP_MESSAGE);
    step(SYS_signal_at, out_at + 64, 0, 0, 0);
    step(SYS_signal, FROM(t2), 0, 0, 0);
    step(SYS_listen, FROM(t2), 0, 0, 0);
    step(SYS_thread_priority, FROM(t2), 3, 0, 0);
    step(SYS_signal_at, out_at + 72, 0, 0, 0);
}

static void script_unloads(void)
{
    uint64_t s = FROM(program);

    step(SYS_mapping_protect, s, DATA, ABI_LARGE, MAP_READ);
    step(SYS_mapping_unload, s, DATA, ABI_LARGE, 0);
    step(SYS_thread_unload, FROM(t1), 0, 0, 0);
    step(SYS_thread_load, AT(d1), 0, 0, 0)->store = AT(t1);
    step(SYS_wait, 1, 0, 0, 0);
    step(SYS_space_load, AT(other), 0, 0, 0);            // never unloaded by itself: its slots run out
    step(SYS_thread_unload, FROM(t2), 0, 0, 0);          // takes the message mappings along
    step(SYS_space_unload, s, 0, 0, 0);                  // with the first thread in it
}

static void args_fill(struct args *a)
{
    struct thread_desc d = {.priority = PRIORITY, .state = page_of(STATE1), .state_va = STATE_VA,
                            .xstack = XSTACK_VA, .cookie = AT(program)};

    memset(a, 0, sizeof(*a));
    a->space = (struct space_desc){.place = page_of(PLACES)};
    a->other = (struct space_desc){.place = page_of(PLACES) + 64};
    a->d1 = d;
    d.state = page_of(STATE2);
    d.state_va = STATE_VA + ABI_PAGE;
    d.space = c.space.id;
    a->d2 = d;
    for (unsigned i = 0; i < 4; i++) {
        a->batch[i] = (struct map_entry){DATA + (i + 1) * ABI_PAGE, page_of(PAGES_AT + i), MAP_READ | MAP_WRITE};
    }
}

// The threads that the script loads: one makes traps in a program's space, the other waits in the kernel's own.
static void states_fill(void)
{
    struct thread_state *s1 = window(page_of(STATE1)), *s2 = window(page_of(STATE2));

    memset(s1, 0, sizeof(*s1));
    memset(s2, 0, sizeof(*s2));
    s1->frame[0] = (struct frame){.rip = TEXT, .rflags = 0x202};
    // program_wait counts at R12.
    s2->frame[0] = (struct frame){.rip = STATE_VA + 4 * ABI_PAGE, .r12 = ARGS_VA + 2048, .rflags = 0x202};
}

// ---- one kernel ---------------------------------------------------------------------------------------------

static void own_mapping(va_t va, pa_t pa, uint64_t flags)
{
    must(map_page(&c.space, va, pa, flags) == ERR_OK, "a mapping of the kernel's own", va);
}

static void child_begin(uint64_t stop_at, uint64_t n)
{
    err_t e;

    must(space_open(&c.space, TRAP_NATIVE, 0) == ERR_OK, "a space", n);
    memset(window(c.unit), 0, USED * ABI_PAGE);
    memcpy(window(page_of(PROGRAM_AT)), program_trap, (size_t)(program_trap_end - program_trap));
    own_mapping(TEXT, text, MAP_READ | MAP_EXEC);
    own_mapping(TABLE_VA, page_of(TABLE), MAP_READ | MAP_WRITE);
    own_mapping(ARGS_VA, page_of(ARGS), MAP_READ | MAP_WRITE);
    own_mapping(STATE_VA, page_of(STATE1), MAP_READ);
    own_mapping(STATE_VA + ABI_PAGE, page_of(STATE2), MAP_READ);
    own_mapping(STATE_VA + 4 * ABI_PAGE, text + ABI_PAGE, MAP_READ | MAP_EXEC);
    c.desc.space = c.space.id;
    while ((e = sys_kernel_load(&c.desc, &c.kernel)) == ERR_AGAIN) {
        sleep_for(machine->slice / 4);
    }
    must(e == ERR_OK, "kernel_load", n);
    must(sys_kernel_grant(c.kernel, c.unit >> ABI_GROUP_SHIFT, 1, GROUP_WRITE) == ERR_OK, "kernel_grant", n);
    args_fill(window(page_of(ARGS)));
    states_fill();
    entry_next = window(page_of(TABLE));
    script_programs();
    script_messages();
    script_unloads();
    struct thread_state *s = c.thread.state;
    memset(s, 0, sizeof(*s));
    s->frame[0] = (struct frame){.rip = TEXT, .rflags = 0x202, .rbx = TABLE_VA, .r15 = TABLE_VA, .r12 = stop_at,
                                 .r13 = AT(steps)};
    c.thread.desc.space = c.space.id;
    must(thread_start(&c.thread) == ERR_OK, "its thread", n);
}

// In one of three ways: by its id, by its space, or after all its memory was withdrawn.
static void child_end(uint64_t n)
{
    struct thread_state *s1 = window(page_of(STATE1)), *s2 = window(page_of(STATE2));
    struct place *p = window(page_of(PLACES));
    uint64_t receivers = 0;
    err_t e = ERR_OK;

    if (n % 3 == 2) {
        e = sys_kernel_grant(c.kernel, c.unit >> ABI_GROUP_SHIFT, 1, GROUP_NONE);
        must(e == ERR_OK && p[0].loaded + p[1].loaded + s1->loaded + s2->loaded == 0, "a place withdrawn is free", n);
    }
    e = n % 3 == 1 ? sys_space_unload(c.space.id) : sys_kernel_unload(c.kernel);
    must(e == ERR_OK, "the end", n);
    must(c.place->loaded == 0 && c.space.place->loaded == 0, "the kernel and its space are unloaded", n);
    must(p[0].loaded + p[1].loaded == 0, "its other spaces are unloaded", n);
    must(s1->loaded + s2->loaded + c.thread.state->loaded == 0, "its threads are unloaded", n);
    must(sys_kernel_unload(c.kernel) == ERR_STALE, "its id is stale", n);
    e = sys_signal_at(out_at, &receivers);
    must(e == (err_t)FAULTED || (e == ERR_OK && receivers == 0), "a sender sees that the receiver has gone", n);
}

// This kernel maps the message page as a sender too.
static void sender_map(void)
{
    (void)sys_mapping_load(info->space, out_at, page_of(MESSAGES), MAP_WRITE | MAP_MESSAGE);
}

static void channel_read(void)
{
    struct channel *ch = window(info->channel);
    ch->tail = __atomic_load_n(&ch->head, __ATOMIC_ACQUIRE);
}

static bool books_balance(const struct counts *before)
{
    struct counts now_ = counts_now();
    return memcmp(before, &now_, sizeof(now_)) == 0;
}

static void one(uint64_t stop_at, uint64_t ticks, uint64_t n)
{
    struct counts before = counts_now();
    const struct args *a = window(page_of(ARGS));
    uint64_t unloaded;

    child_begin(stop_at, n);
    sender_map();
    uint64_t until = now() + (ticks > 0 ? ticks : milliseconds(60000));
    while (now() < until && a->steps != stop_at) {
        (void)sys_wait(ticks > 0 ? until : now() + 2000);
    }
    must(ticks > 0 || a->steps == stop_at, "it does not come to the step", n);
    last_steps[a->steps % length]++;
child_end(n);
    (void)sys_mapping_unload(info->space, out_at, ABI_PAGE, &unloaded);
    space_close(&c.space);
    channel_read();
    must(books_balance(&before), "free descriptors as before", n);
}

// ---- the third kernel, and the whole ------------------------------------------------------------------------

static struct test_space bystander_space;
static struct test_thread bystander;
static volatile uint64_t *bystander_count;
static oid_t bystander_kernel;

static void bystander_start(void)
{
    struct kernel_desc d = c.desc;
    pa_t place = page_take(), data = page_take();
    err_t e;

    check_error(space_open(&bystander_space, TRAP_NATIVE, 0), ERR_OK, "a space for another kernel");
    program_put(&bystander_space, PROGRAM(registers));
    check_error(map_page(&bystander_space, DATA, data, MAP_READ | MAP_WRITE), ERR_OK, "its data");
    d.space = bystander_space.id;
    d.place = place;
    d.channel = page_take();
    while ((e = sys_kernel_load(&d, &bystander_kernel)) == ERR_AGAIN) {
        sleep_for(machine->slice);
    }
    check_error(e, ERR_OK, "another kernel");
    thread_make(&bystander, &bystander_space);
    bystander.desc.priority = 1;         // when nobody else runs
    struct frame *f = &bystander.state->frame[0];
    f->rbx = f->r8 = f->r9 = f->r10 = f->r11 = f->r12 = f->r15 = f->rbp = f->rsi = 0x123456789abcdef;
    f->rdi = DATA;
    bystander_count = window(data);
    check_error(thread_start(&bystander), ERR_OK, "its thread");
}

static void bystander_check(const char *name)
{
    uint64_t count = *bystander_count;

    bool grows = EVENTUALLY(*bystander_count != count);
    check(grows && thread_loaded(&bystander), name, "loaded %d, reason %u", thread_loaded(&bystander),
          bystander.state->reason);
}

// Undisturbed, the script does what it says.
static void script_check(void)
{
    const struct entry *e = window(page_of(TABLE));

    child_begin((uint64_t)(entry_next - e), 0);
    const struct args *a = window(page_of(ARGS));
    CHECK(EVENTUALLY(a->steps == (uint64_t)(entry_next - e)), "the script runs to its end");
    for (unsigned i = 0; &e[i] < entry_next; i++) {
        err_t want = e[i].number == SYS_wait ? ERR_TIMEOUT : ERR_OK;
        check((err_t)e[i].error == want, "a call of the script", "call %lu, step %u: %s", (unsigned long)e[i].number,
              i, error_name((err_t)e[i].error));
    }
    (void)sys_kernel_unload(c.kernel);
    space_close(&c.space);
}

static void set_up(void)
{
    c.unit = (info->range[0].base + info->range[0].length - ABI_LARGE) & ~(pa_t)(ABI_LARGE - 1);
    text = page_take();
    memcpy(window(text), script, (size_t)(script_end - script));
    pa_t waiter = page_take();
    check(waiter == text + ABI_PAGE, "adjacent pages", "they are not");
    memcpy(window(waiter), program_wait, (size_t)(program_wait_end - program_wait));
    channel = page_take();
    frame_states = page_take();
    c.place = window(page_take());
    thread_make(&c.thread, &c.space);
    c.thread.desc.priority = PRIORITY;
    va_t handler = TEXT + (va_t)(script_handler - script);
    c.desc = (struct kernel_desc){
        .trap = handler, .fault = handler, .exception = handler, .place = (pa_t)c.place - ABI_WINDOW,
        .channel = channel, .frame_states = frame_states, .first_frame = c.unit / ABI_PAGE, .frame_count = ABI_PAGE,
        .limits = {.max_priority = 10},
    };
    for (unsigned i = 0; i < machine->cpus; i++) {
        c.desc.share[i] = 100;
    }
    entry_next = window(page_of(TABLE));
}

unsigned test_main(void)
{
    unsigned met = 0;

    check_error(sys_listen(info->thread), ERR_OK, "listen");
    set_up();
    args_fill(window(page_of(ARGS)));
    child_begin(0, 0);                   // to know how long the script is
    length = (unsigned)(entry_next - (struct entry *)window(page_of(TABLE)));
    child_end(0);
    space_close(&c.space);
    script_check();
    bystander_start();
    for (uint64_t n = 0; n <= 2 * length; n++) {
        one(n, 0, n);
    }
    check(problems == 0, "ended after every number of calls", "%lu problems", (unsigned long)problems);
    bystander_check("another kernel goes on");
    memset(last_steps, 0, sizeof(last_steps));
    for (uint64_t n = 1; n <= KILLS; n++) {
        one(~0ull, n * APART, n);
    }
    for (unsigned i = 0; i < length; i++) {
        met += last_steps[i] > 0;
    }
    check(problems == 0, "ended after every few instructions", "%lu problems", (unsigned long)problems);
    note("the end was met at %u of %u steps", met, length);      // chance, but where instructions are counted
    bystander_check("another kernel goes on");
    note("%u calls in the script, ended %u times", length, KILLS + 2 * length + 1);
    return failures();
}
