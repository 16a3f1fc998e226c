// loan.c - a kernel that is lent memory for a time, uses it, and finds it gone.
//
// Nothing is lent as long as another kernel has the rest of memory.  While it has the loan it is swapped out and in
// once, with what it wrote there.  Afterwards neither its window, nor a mapping, nor a thread of its own leads there.
#include "../harness.h"

enum { OWN = 0x600000000000, MIB = 1 << 20 };

static struct test_thread thread;

static uint64_t lent(void)
{
    return __atomic_load_n(&info->loan.length, __ATOMIC_ACQUIRE);
}

static void idle(struct test_thread *t)
{
    (void)t;
    for (;;) {
        (void)sys_wait(0);
    }
}

static void fill(const struct memory_range *r)
{
    uint64_t dirty = 0;

    for (pa_t pa = r->base; pa < r->base + r->length; pa += ABI_PAGE) {
        uint64_t *at = window(pa);
        dirty += *at != 0;
        *at = pa ^ 0x5a5a;
    }
    check(dirty == 0, "what is lent is clear", "%lu pages are not", (unsigned long)dirty);
}

static uint64_t wrong_in(const struct memory_range *r)
{
    uint64_t wrong = 0;

    for (pa_t pa = r->base; pa < r->base + r->length; pa += ABI_PAGE) {
        wrong += *(uint64_t *)window(pa) != (pa ^ 0x5a5a);
    }
    return wrong;
}

// A thread whose state page is in the loan.
static void start_thread(pa_t page)
{
    thread_make(&thread, NULL);
    thread.state = window(page);
    thread.state_pa = thread.desc.state = page;
    thread.desc.state_va = (va_t)thread.state;
    memset(thread.state, 0, ABI_PAGE);
    thread_call(&thread, idle);
    check_error(thread_start(&thread), ERR_OK, "a thread whose registers are in the loan");
}

static void check_gone(const struct memory_range *r)
{
    uint64_t n = 0;

    CHECK(raw(SYS_mapping_load_batch, info->space, ABI_WINDOW + r->base, 1, 0) == (err_t)FAULTED,
          "the window does not lead there");
    check_error(sys_mapping_load(info->space, OWN, r->base, MAP_READ), ERR_DENIED, "no mapping may be loaded");
    (void)sys_mapping_unload(info->space, OWN, ABI_PAGE, &n);
    check(n == 0, "the mapping that was there has been unloaded", "%lu", (unsigned long)n);
    check_error(sys_signal(thread.id), ERR_STALE, "and the thread too");
}

unsigned test_main(void)
{
    oid_t id = info->kernel;

    CHECK(lent() == 0, "nothing is lent at the start");
    CHECK(EVENTUALLY(lent() != 0), "the policy lends it memory");
    CHECK(stats->unloads[OBJECT_KERNEL] > 0, "after the other has ended");
    struct memory_range r = info->loan;
    check(r.length == 16 * MIB, "16 MiB", "%lu", (unsigned long)r.length);
    CHECK(info->loan_ends > now() && info->loan_ends - now() < milliseconds(101), "it is told for how long");
    fill(&r);
    CHECK(EVENTUALLY(*(volatile const oid_t *)&info->kernel != id), "it was swapped out and in");
    CHECK(lent() == r.length && wrong_in(&r) == 0, "with what it had written");
    check_error(sys_mapping_load(info->space, OWN, r.base + ABI_PAGE, MAP_READ | MAP_WRITE), ERR_OK, "a mapping");
    start_thread(r.base + r.length - ABI_PAGE);
    CHECK(EVENTUALLY(lent() == 0), "the time is over");
    sleep_for(machine->slice / 4);       // srm says so before it takes the memory
    check_gone(&r);
    CHECK(EVENTUALLY(lent() == 32 * MIB), "later there is more");
    r = info->loan;
    fill(&r);
    return failures();
}
