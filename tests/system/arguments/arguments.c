// arguments.c - every argument of every call, wrong in every way that its kind can be.
//
// A row for each call says of what kind its arguments are.  Each argument in turn is replaced by each bad value of its
// kind, the others being good; the answer must be an error of that value, and nothing may have changed.  A call of
// syscalls.def without a row, or with another number of arguments than its row has, fails the test: so does a new call.
// Which calls are only the first kernel's, or only a kernel's, is taken from syscalls.def.
#include "../first/first.h"

enum kind {
    END, KERNEL_ID, KERNEL_OR_SELF, SPACE_ID, THREAD_ID, THREAD_OR_SELF, KERNEL_DESC, SPACE_DESC, THREAD_DESC,
    LIMITS, ENTRIES, MAPPED, FRAME, FLAGS, SIGNAL_FLAGS, COPY_FLAGS, RANGE, LENGTH, ACCESS, ENTRY_COUNT, PRIORITY,
    CPU, PERCENT, GROUP, GROUP_COUNT, GROUP_ACCESS, MESSAGE, OBJECT_TYPE,
    ANY_VALUE,                           // all values mean something, or the argument is not looked at here
    KINDS,
};
enum { DATA = 0x610000000000, EDGE = 0x620000000000, CALL_ARGUMENTS = 6 };
#define ERR(name) (1u << ERR_##name)
#define FAULT (1u << 31)

static const struct row {
    uint32_t number;
    uint8_t  kind[CALL_ARGUMENTS];
    uint32_t always;                     // 0, or what it answers to good arguments too, here
} row[] = {
    {SYS_kernel_load, {KERNEL_DESC}, 0},
    {SYS_kernel_unload, {KERNEL_ID}, 0},
    {SYS_kernel_grant, {KERNEL_ID, GROUP, GROUP_COUNT, GROUP_ACCESS}, 0},
    {SYS_kernel_share, {KERNEL_ID, CPU, PERCENT}, 0},
    {SYS_kernel_limits, {KERNEL_OR_SELF, LIMITS}, 0},
    {SYS_space_load, {SPACE_DESC}, 0},
    {SYS_space_unload, {SPACE_ID}, 0},
    {SYS_thread_load, {THREAD_DESC}, 0},
    {SYS_thread_unload, {THREAD_OR_SELF, ANY_VALUE}, 0},
    {SYS_thread_priority, {THREAD_ID, PRIORITY}, 0},
    {SYS_mapping_load, {SPACE_ID, MAPPED, FRAME, FLAGS, ANY_VALUE, ANY_VALUE}, 0},
    {SYS_mapping_load, {SPACE_ID, MAPPED, FRAME, SIGNAL_FLAGS, THREAD_ID, ANY_VALUE}, 0},
    {SYS_mapping_load, {SPACE_ID, MAPPED, FRAME, COPY_FLAGS, ANY_VALUE, FRAME}, 0},
    {SYS_mapping_load_batch, {SPACE_ID, ENTRIES, ENTRY_COUNT}, 0},
    {SYS_mapping_load_and_resume, {SPACE_ID, MAPPED, FRAME, FLAGS}, ERR(DEPTH)},
    {SYS_mapping_unload, {SPACE_ID, RANGE, LENGTH}, 0},
    {SYS_mapping_protect, {SPACE_ID, RANGE, LENGTH, ACCESS}, 0},
    {SYS_resume, {SPACE_ID}, ERR(DEPTH)},
    {SYS_signal, {THREAD_ID}, 0},
    {SYS_wait, {ANY_VALUE}, 0},
    {SYS_yield, {END}, 0},
    {SYS_listen, {THREAD_OR_SELF}, 0},
    {SYS_power_off, {ANY_VALUE}, 0},
    {SYS_signal_at, {MESSAGE}, 0},
    {SYS_signal_return, {END}, ERR(DEPTH)},
    {SYS_signal_wait, {MESSAGE, ANY_VALUE}, 0},
    {SYS_processors, {END}, ERR(DENIED)},                          // of no activation
    {SYS_processor_release, {END}, ERR(DENIED)},
    {SYS_upcall, {SPACE_ID, ANY_VALUE, ANY_VALUE}, ERR(INVAL) | ERR(DEPTH)},
    {SYS_pinned, {OBJECT_TYPE, SPACE_ID, ANY_VALUE}, 0},
};
enum { ROWS = sizeof(row) / sizeof(row[0]) };

enum who { FIRST = 1, KERNEL, ANY };
static const struct {
    const char *name, *arguments;
    enum who who;
} call[SYS_COUNT] = {
#define SYSCALL(number, label, w, words, text) [number] = {#label, words, w},
#include <abi/syscalls.def>
#undef SYSCALL
};

struct bad {
    uint64_t value;
    uint32_t errors;                     // what may be answered
};
enum { MOST_BAD = 16 };

static struct test_space space;
static struct test_thread thread;
static struct child child;               // as the first kernel only
static pa_t page, source;
static void *zeros, *ones;
static bool first;
static uint64_t good[KINDS];

// ---- bad values ---------------------------------------------------------------------------------------------

static unsigned bad_ids(struct bad *b, oid_t id, oid_t foreign)
{
    const uint64_t value[] = {id + (1ull << 40), (id & ~0xffffull) | 0xffff, ~0ull, OID_SLOT(id), 1ull << 63};
    unsigned n = 0;

    for (; n < sizeof(value) / sizeof(value[0]); n++) {
        b[n] = (struct bad){value[n], ERR(STALE)};
    }
    if (foreign != 0) {
        b[n++] = (struct bad){foreign, ERR(DENIED)};
    }
    return n;
}

// Nothing mapped, the supervisor's, not canonical, wrapping, and half of it mapped.
static unsigned bad_pointers(struct bad *b)
{
    const uint64_t value[] = {0, ABI_WINDOW - 8, 0xffffffff80200000, 0xffff800000200000, 0x0000800000000000,
                              0xfffffffffffffff8, ABI_USER_END, EDGE + ABI_PAGE - 8};
    unsigned n = 0;

    for (; n < sizeof(value) / sizeof(value[0]); n++) {
        b[n] = (struct bad){value[n], FAULT};
    }
    return n;
}

static unsigned bad_desc(struct bad *b, bool zeros_too)
{
    unsigned n = bad_pointers(b);
    const uint32_t refused = ERR(INVAL) | ERR(DENIED) | ERR(STALE) | ERR(LIMIT);

    b[n++] = (struct bad){(uint64_t)ones, refused};
    if (zeros_too) {
        b[n++] = (struct bad){(uint64_t)zeros, refused};
    }
    return n;
}

static unsigned list(struct bad *b, uint32_t errors, const uint64_t *value, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        b[i] = (struct bad){value[i], errors};
    }
    return n;
}
#define LIST(errors, ...) \
    list(b, (errors), (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static unsigned bad_numbers(struct bad *b, enum kind kind)
{
    switch (kind) {
    case MAPPED:
        return LIST(ERR(INVAL), DATA + 1, DATA + 8, ABI_USER_END, 1ull << 47, 0xffffffff80200000, ~0xfffull);
    case FRAME:
        return LIST(ERR(INVAL) | ERR(DENIED), page + 1, page + 2048, 1ull << 40, 1ull << 52, 0x200000, 0xfee00000,
                    ~0xfffull);
    case FLAGS:        return LIST(ERR(INVAL), 0, MAP_WRITE | MAP_EXEC, 1 << 9, 1ull << 32, 1ull << 63, ~0x1ffull);
    case SIGNAL_FLAGS: return LIST(ERR(INVAL), MAP_READ | MAP_SIGNAL, good[SIGNAL_FLAGS] | MAP_LARGE,
                                   good[SIGNAL_FLAGS] | MAP_EXEC | MAP_WRITE, good[SIGNAL_FLAGS] | 1ull << 40);
    case COPY_FLAGS:   return LIST(ERR(INVAL), MAP_READ | MAP_COPY, good[COPY_FLAGS] | MAP_LARGE,
                                   good[COPY_FLAGS] | MAP_MESSAGE, good[COPY_FLAGS] | 1ull << 40);
    case RANGE:        return LIST(ERR(INVAL), DATA + 1, ABI_USER_END, 1ull << 47, ~0xfffull, ~0ull);
    case LENGTH:       return LIST(ERR(INVAL), 0, 1, ABI_PAGE + 8, ABI_USER_END, ~0xfffull, 1ull << 63);
    case ACCESS:       return LIST(ERR(INVAL), 0, 8, MAP_LOCKED, 1ull << 32 | MAP_READ, ~0ull);
    case ENTRY_COUNT:  return LIST(ERR(INVAL), 0, MAP_BATCH + 1, 1ull << 32 | 1, ~0ull);
    case PRIORITY:     return LIST(ERR(INVAL), ABI_PRIORITIES, 1ull << 32, ~0ull);
    case CPU:          return LIST(ERR(INVAL), machine->cpus, ABI_MAX_CPUS, 1ull << 32, ~0ull);
    case PERCENT:      return LIST(ERR(INVAL), 101, 256, 1ull << 32, ~0ull);
    case GROUP:        return LIST(ERR(INVAL) | ERR(DENIED), 0, 4, 1ull << 40, ~0ull);
    case GROUP_COUNT:  return LIST(ERR(INVAL) | ERR(DENIED), 0, 1ull << 40, ~0ull);
    case GROUP_ACCESS: return LIST(ERR(INVAL), 2, 4, 1ull << 32 | 1, ~0ull);
    case OBJECT_TYPE:  return LIST(ERR(INVAL), 0, OBJECT_MAPPING + 1, 64, 1ull << 32 | OBJECT_SPACE, ~0ull);
    case MESSAGE:      return LIST(FAULT | ERR(DENIED), 0, DATA, ABI_WINDOW + page, ABI_USER_END, 1ull << 47,
                                   0xffffffff80200000, ~0ull);
    default:           return 0;
    }
}

static unsigned bad_values(struct bad *b, enum kind kind)
{
    switch (kind) {
    case KERNEL_ID:   return bad_ids(b, good[KERNEL_ID], info->kernel);
    case KERNEL_OR_SELF: return bad_ids(b, good[KERNEL_ID], 0);
    case SPACE_ID:    return bad_ids(b, space.id, first ? 0 : machine->space);
    case THREAD_ID:
    case THREAD_OR_SELF: return bad_ids(b, thread.id, first ? 0 : machine->thread);
    case KERNEL_DESC:
    case SPACE_DESC:
    case THREAD_DESC: return bad_desc(b, true);
    case LIMITS:      return bad_desc(b, false);
    case ENTRIES:     return bad_pointers(b);
    default:          return bad_numbers(b, kind);
    }
}

// ---- calls --------------------------------------------------------------------------------------------------

struct state {
    struct counts counts;
    uint64_t loads[5], unloads[5];
    uint32_t thread_loaded, space_loaded;
};

static struct state state_now(void)
{
    struct state s = {.counts = counts_now(), .thread_loaded = thread.state->loaded,
                      .space_loaded = space.place->loaded};

    for (unsigned i = 0; i < 5; i++) {
        s.loads[i] = stats->loads[i];
        s.unloads[i] = stats->unloads[i];
    }
    return s;
}

static uint32_t answer_bit(uint64_t error)
{
    return error == FAULTED ? FAULT : error < 31 ? 1u << error : 0;
}

static unsigned try_one(const struct row *r, unsigned argument, const struct bad *b)
{
    uint64_t a[CALL_ARGUMENTS];
    struct state before = state_now(), after;

    for (unsigned i = 0; i < CALL_ARGUMENTS; i++) {
        a[i] = i == argument ? b->value : good[r->kind[i]];
    }
    struct raw c = {r->number, a[0], a[1], a[2], a[3], a[4], a[5], 0, 0};
    raw_call(&c);
    after = state_now();
    uint32_t allowed = call[r->number].who == FIRST && !first ? ERR(DENIED) : b->errors | r->always;
    if (!(answer_bit(c.error) & allowed)) {
        check(false, call[r->number].name, "argument %u is 0x%lx: the answer is %s", argument + 1,
              (unsigned long)b->value, error_name((err_t)c.error));
        return 1;
    }
    if (memcmp(&before, &after, sizeof(before)) != 0) {
        check(false, call[r->number].name, "argument %u is 0x%lx: refused, but something has changed", argument + 1,
              (unsigned long)b->value);
        return 1;
    }
    return 0;
}

static unsigned try_row(const struct row *r)
{
    struct bad b[MOST_BAD];
    unsigned wrong = 0, tried = 0;

    for (unsigned i = 0; i < CALL_ARGUMENTS && r->kind[i] != END; i++) {
        unsigned n = bad_values(b, r->kind[i]);
        for (unsigned k = 0; k < n; k++) {
            wrong += try_one(r, i, &b[k]);
            tried++;
        }
    }
    check(wrong == 0, call[r->number].name, "%u of %u bad values are not refused as they should", wrong, tried);
    return tried;
}

// ---- the rows themselves ------------------------------------------------------------------------------------

static unsigned words_of(const char *s)
{
    unsigned n = 0;

    for (; *s != '\0'; s++) {
        n += *s != ' ' && (s[1] == ' ' || s[1] == '\0');
    }
    return n;
}

static void rows_check(void)
{
    unsigned missing = 0, wrong = 0;

    for (unsigned number = 0; number < SYS_COUNT; number++) {
        unsigned rows = 0;
        for (unsigned i = 0; i < ROWS; i++) {
            if (row[i].number != number) {
                continue;
            }
            unsigned kinds = 0;
            while (kinds < CALL_ARGUMENTS && row[i].kind[kinds] != END) {
                kinds++;
            }
            rows++;
            wrong += kinds != words_of(call[number].arguments);
        }
        if (call[number].name != NULL && rows == 0) {
            check(false, call[number].name, "it has no row in tests/system/arguments");
            missing++;
        }
    }
    check(missing == 0 && wrong == 0, "each call has a row, with all its arguments", "%u have none, %u are wrong",
          missing, wrong);
}

// What only the first kernel may call, another may not, whatever the arguments.
static void only_the_first(void)
{
    for (unsigned i = 0; first && i < SYS_COUNT; i++) {
        if (call[i].name != NULL && call[i].who == FIRST) {
            uint64_t v = child_call(&child, i, child.kernel, 0, 0, 0);
            check(v == ERR_DENIED, call[i].name, "a kernel that is not the first gets %lu", (unsigned long)v);
        }
    }
}

static uint64_t forwarded;               // the number of the call that came to this kernel

static void on_trap(struct test_thread *t, unsigned depth)
{
    forwarded = t->state->frame[depth].rax;
    thread_end(7000);
}

// What only a kernel may call is forwarded when a native program calls it.
static void only_a_kernel(void)
{
    struct test_space s = {0};
    struct test_thread t;

    check_error(space_open(&s, TRAP_NATIVE, 0), ERR_OK, "a native space");
    pa_t text = program_put(&s, PROGRAM(call));
    for (unsigned i = 0; i < SYS_COUNT; i++) {
        if (call[i].name == NULL || call[i].who == ANY) {
            continue;
        }
        thread_make(&t, &s);
        t.on_trap = on_trap;
        t.state->frame[0].rbx = i;
        forwarded = ~0ull;
        bool good_ = thread_start(&t) == ERR_OK && EVENTUALLY(!thread_loaded(&t));
        check(good_ && forwarded == i, call[i].name, "from a native program it is not forwarded");
        thread_free(&t);
    }
    space_close(&s);
    page_give(text);
}

// ---- good values --------------------------------------------------------------------------------------------

static void set_up(void)
{
    static struct kernel_desc kernel_desc;
    static struct space_desc space_desc;
    static struct thread_desc thread_desc;
    static struct kernel_limits limits;
    static struct map_entry entry;

    page = page_take();
    source = page_take();
    zeros = window(page_take());
    ones = window(page_take());
    memset(ones, 0xff, ABI_PAGE);
    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "a space");
    (void)program_put(&space, PROGRAM(spin));
    thread_make(&thread, &space);
    thread.desc.priority = 0;
    check_error(thread_start(&thread), ERR_OK, "a thread");
    pa_t edge = (pa_t)zeros - ABI_WINDOW;
    check_error(sys_mapping_load(info->space, EDGE, edge, MAP_READ | MAP_WRITE), ERR_OK, "a page at an edge");
    if (first) {
        child_make(&child);
        memset(child.desc.share, 100, sizeof(child.desc.share));
        check_error(child_load(&child), ERR_OK, "another kernel");
        kernel_desc = child.desc;
    }
    entry = (struct map_entry){DATA, page, MAP_READ};
    oid_t kernel = first ? child.kernel : info->kernel;
    const uint64_t value[KINDS] = {
        [KERNEL_ID] = kernel, [KERNEL_OR_SELF] = kernel, [SPACE_ID] = space.id, [THREAD_ID] = thread.id,
        [THREAD_OR_SELF] = thread.id, [KERNEL_DESC] = (uint64_t)&kernel_desc, [SPACE_DESC] = (uint64_t)&space_desc,
        [THREAD_DESC] = (uint64_t)&thread_desc, [LIMITS] = (uint64_t)&limits, [ENTRIES] = (uint64_t)&entry,
        [MAPPED] = DATA, [FRAME] = page, [FLAGS] = MAP_READ, [SIGNAL_FLAGS] = MAP_READ | MAP_MESSAGE | MAP_SIGNAL,
        [COPY_FLAGS] = MAP_WRITE | MAP_COPY, [RANGE] = DATA, [LENGTH] = ABI_PAGE, [ACCESS] = MAP_READ,
        [ENTRY_COUNT] = 1, [PRIORITY] = 1, [GROUP] = page >> ABI_GROUP_SHIFT, [GROUP_COUNT] = 1,
        [GROUP_ACCESS] = GROUP_READ, [OBJECT_TYPE] = OBJECT_SPACE, [ANY_VALUE] = 16,
    };
    memcpy(good, value, sizeof(good));
}

unsigned test_main(void)
{
    unsigned tried = 0;

    first = info->kernel == machine->kernel;
    check_error(sys_listen(info->thread), ERR_OK, "listen");
    rows_check();
    set_up();
    only_a_kernel();
    only_the_first();
    sleep_for(milliseconds(50));         // what was on its way has come to rest
    for (unsigned i = 0; i < ROWS; i++) {
        tried += try_row(&row[i]);
    }
    note("%u bad values", tried);
    CHECK(thread_loaded(&thread) && space.place->loaded == 1, "what was named is still there");
    return failures();
}
