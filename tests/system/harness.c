// harness.c - what test kernels share.
#include "harness.h"

const struct kernel_info *info;
const struct system_info *machine;
volatile const struct system_stats *stats;

static unsigned failed;
static pa_t     next_page, end_page;
static pa_t     free_pages[4096];
static unsigned free_count;
static uint32_t console_lock;            // a spin lock: handlers print too

void harness_main(const struct kernel_info *i);
_Noreturn void harness_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void harness_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void harness_exception(struct thread_state *s, uint64_t cookie, unsigned depth);

// ---- printing ---------------------------------------------------------------------------------------------

static void print(const char *text, size_t length)
{
    while (__atomic_exchange_n(&console_lock, 1, __ATOMIC_ACQUIRE)) {
        (void)sys_yield();
    }
    while (length > 0) {
        uint64_t taken = 0;
        if (device_write(info, DEVICE_TERMINAL, text, length, &taken) != ERR_OK) {
            break;
        }
        text += taken;
        length -= taken;
    }
    __atomic_store_n(&console_lock, 0, __ATOMIC_RELEASE);
}

static void print_line(const char *prefix, const char *name, const char *why, va_list arguments)
{
    char line[240];

    const char *colon = why == NULL || *name == '\0' ? "" : ": ";
    int n = base_format(line, sizeof(line) - 1, "%s%s%s", prefix, name, colon);
    if (why != NULL) {
        n += base_vformat(line + n, sizeof(line) - 1 - (size_t)n, why, arguments);
    }
    n = n < (int)sizeof(line) - 2 ? n : (int)sizeof(line) - 2;
    line[n++] = '\n';
    print(line, (size_t)n);
}

bool check(bool good, const char *name, const char *why, ...)
{
    va_list arguments;

    va_start(arguments, why);
    print_line(good ? "ok " : "not ok ", name, good ? NULL : why, arguments);
    va_end(arguments);
    __atomic_fetch_add(&failed, !good, __ATOMIC_RELAXED);
    return good;
}

void note(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_line("# ", "", format, arguments);
    va_end(arguments);
}

const char *error_name(err_t e)
{
    static const char *const name[] = {
#define ERROR(number, label, sentence) [number] = #label,
#include <abi/errors.def>
#undef ERROR
    };
    return (unsigned)e == FAULTED ? "a fault" : (unsigned)e < sizeof(name) / sizeof(name[0]) ? name[e] : "?";
}

void check_error(err_t got, err_t expected, const char *name)
{
    check(got == expected, name, "the answer is %s, not %s", error_name(got), error_name(expected));
}

unsigned failures(void)
{
    return failed;
}

void test_end(void)
{
    if (info->kernel == machine->kernel) {
        (void)sys_power_off(failed < 100 ? failed : 100);
    }
    thread_end(failed);
}

struct counts counts_now(void)
{
    return (struct counts){stats->free_kernels, stats->free_spaces, stats->free_threads,
                           stats->free_mappings, stats->free_tables, stats->free_locked_mappings};
}

void counts_check(const struct counts *before, const char *name)
{
    struct counts n = counts_now();

    check(memcmp(before, &n, sizeof(n)) == 0, name,
          "free kernels %u -> %u, spaces %u -> %u, threads %u -> %u, mappings %u -> %u, tables %u -> %u, "
          "locked %u -> %u",
          before->kernels, n.kernels, before->spaces, n.spaces, before->threads, n.threads, before->mappings,
          n.mappings, before->tables, n.tables, before->locked, n.locked);
}

// ---- memory -----------------------------------------------------------------------------------------------

pa_t page_take(void)
{
    pa_t page = free_count > 0 ? free_pages[--free_count] : next_page;

    if (page == next_page) {
        next_page += ABI_PAGE;
    }
    if (page >= end_page) {
        check(false, "memory for the test", "there is no page left");
        test_end();
    }
    memset(window(page), 0, ABI_PAGE);
    return page;
}

void page_give(pa_t page)
{
    if (free_count < sizeof(free_pages) / sizeof(free_pages[0])) {
        free_pages[free_count++] = page;
    }
}

// ---- spaces -----------------------------------------------------------------------------------------------

void sleep_for(uint64_t ticks)
{
    uint64_t until = now() + ticks;

    while (now() < until) {
        (void)sys_wait(until);
    }
}

static void wait_a_little(void)
{
    (void)sys_wait(now() + machine->slice / 4);
}

err_t space_open(struct test_space *s, uint32_t rule, uint32_t flags)
{
    pa_t place = s->place != NULL ? (pa_t)s->place - ABI_WINDOW : page_take();
    struct space_desc d = {.flags = flags, .rule = rule, .cookie = (uint64_t)s, .place = place};
    err_t e;

    s->place = window(place);
    while ((e = sys_space_load(&d, &s->id)) == ERR_AGAIN) {
        wait_a_little();
    }
    return e;
}

void space_close(struct test_space *s)
{
    (void)sys_space_unload(s->id);
    page_give((pa_t)s->place - ABI_WINDOW);
    s->place = NULL;
    s->id = 0;
}

err_t map_page(struct test_space *s, va_t va, pa_t pa, uint64_t flags)
{
    err_t e;

    while ((e = sys_mapping_load(s->id, va, pa, flags)) == ERR_AGAIN) {
        wait_a_little();
    }
    return e;
}

pa_t program_put(struct test_space *s, const char *begin, const char *end)
{
    pa_t page = page_take();

    memcpy(window(page), begin, (size_t)(end - begin));
    check_error(map_page(s, TEXT, page, MAP_READ | MAP_EXEC), ERR_OK, "map a program");
    return page;
}

// ---- threads ----------------------------------------------------------------------------------------------

void thread_make(struct test_thread *t, struct test_space *s)
{
    memset(t, 0, sizeof(*t));
    t->space = s;
    t->state_pa = page_take();
    t->stack = page_take();
    t->state = window(t->state_pa);
    t->state->frame[0].rip = TEXT;
    t->desc = (struct thread_desc){
        .space = s == NULL ? info->space : s->id, .priority = 1, .state = t->state_pa,
        .state_va = (va_t)t->state, .xstack = ABI_WINDOW + t->stack + ABI_PAGE, .cookie = (uint64_t)t,
    };
}

err_t thread_start(struct test_thread *t)
{
    err_t e;

    if (t->space != NULL && t->desc.space != 0) {
        t->desc.space = t->space->id;
    }
    while ((e = sys_thread_load(&t->desc, &t->id)) == ERR_AGAIN) {
        wait_a_little();
    }
    return e;
}

bool thread_loaded(const struct test_thread *t)
{
    return __atomic_load_n(&t->state->loaded, __ATOMIC_ACQUIRE) != 0;
}

void thread_free(struct test_thread *t)
{
    if (thread_loaded(t)) {
        (void)sys_thread_unload(t->id, 0);
    }
    page_give(t->state_pa);
    page_give(t->stack);
}

void thread_call(struct test_thread *t, void (*function)(struct test_thread *t))
{
    struct frame *f = &t->state->frame[1];

    memset(f, 0, sizeof(*f));
    f->rip = (uint64_t)function;
    f->rsp = t->desc.xstack - 8;
    f->rdi = (uint64_t)t;
    f->rflags = 0x202;
    t->state->depth = 1;
}

void thread_return(struct test_thread *t)
{
    err_t e = sys_resume(t == NULL || t->space == NULL ? 0 : t->space->id);

    if (e == ERR_STALE) {
        thread_end(2000);                // its space is gone; the test looks at the value
    }
    check(false, "resume", "the answer is %s", error_name(e));
    thread_end(2001);
}

void thread_end(uint64_t value)
{
    for (;;) {
        (void)sys_thread_unload(0, value);
    }
}

// ---- handlers ---------------------------------------------------------------------------------------------

static bool is_syscall(uint64_t rip)
{
    const uint8_t *at = (const uint8_t *)rip;

    return rip >= 0x400000 && rip < ABI_WINDOW && at[0] == 0x0f && at[1] == 0x05;
}

static void fail_here(const struct frame *f, const char *what)
{
    check(false, what, "rip 0x%lx address 0x%lx error 0x%lx", (unsigned long)f->rip, (unsigned long)f->addr,
          (unsigned long)f->error);
    test_end();
}

// Is this the test's own code?  Programs run at depth 0 of threads that have a space of their own.
static bool is_own(const struct test_thread *t, unsigned depth)
{
    return t == NULL || t->space == NULL || depth > 0;
}

// NULL for the first thread, whose cookie is srm's, and small.
static struct test_thread *thread_of(uint64_t cookie)
{
    return cookie < ABI_LARGE ? NULL : (struct test_thread *)cookie;
}

void harness_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct test_thread *t = thread_of(cookie);

    if (is_own(t, depth)) {
        fail_here(&s->frame[depth], "trap in the test itself");
    }
    t->traps++;
    if (t->on_trap != NULL) {
        t->on_trap(t, depth);
    }
    thread_end(s->frame[depth].rax);
}

void harness_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct test_thread *t = thread_of(cookie);
    struct frame *f = &s->frame[depth];

    if (t != NULL) {
        t->faults++;
        if (t->on_fault != NULL) {
            t->on_fault(t, depth);
        }
    }
    if (is_own(t, depth)) {
        if (!is_syscall(f->rip)) {
            fail_here(f, "fault in the test itself");
        }
        f->rip += 2;
        f->rax = FAULTED;
        thread_return(t);
    }
    thread_end(1000 + f->vector);
}

void harness_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct test_thread *t = thread_of(cookie);

    if (t != NULL) {
        t->exceptions++;
        if (t->on_exception != NULL) {
            t->on_exception(t, depth);
        }
    }
    if (is_own(t, depth)) {
        fail_here(&s->frame[depth], "exception in the test itself");
    }
    thread_end(1000 + s->frame[depth].vector);
}

void harness_main(const struct kernel_info *i)
{
    info = i;
    machine = window(i->system);
    stats = window(i->system + ABI_PAGE);
    device_begin(i, machine);
    next_page = i->free;
    end_page = i->range[0].base + i->range[0].length;
    while (__atomic_load_n(&i->device_signals, __ATOMIC_ACQUIRE) == 0) {     // what is counted shall rest
        (void)sys_wait(now() + milliseconds(1));
    }
    test_main();
    test_end();
}
