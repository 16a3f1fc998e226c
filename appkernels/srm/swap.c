// swap.c - does what the plan says: swaps kernels out and in, changes what they have, ends them.
//
// Swapped out, a kernel has no descriptor in the supervisor: its kernel object, own space, threads and mappings have
// been written back, and the registers of its threads are in their state pages in its memory, which stays with it.
// Swapped in, its first thread goes on and loads the others again (lib/appkernel).  It notices only that time has
// passed, and that its ids are others.
//
// A share changes in place.  The priority changes while the kernel is out, for its threads have to be loaded with
// another one: it is swapped out and in at once.
// Everything is as bounded and restartable as the calls of the supervisor that it is made of.  A kernel that ends at
// any step ends as any other: main.c sees it in its state page, which no step clears.
// Cache Kernel, 3.
#include <base.h>
#include <sys.h>

#include "plan.h"
#include "srm.h"

enum { SECOND = 1000000000 };

static struct plan plan;
static uint64_t begun;                   // the start, by the clock

// ---- the clock of the policy ------------------------------------------------------------------------------

static uint64_t plan_now(void)
{
    uint64_t ticks = srm_now() - begun, hz = srm_system->tsc_hz;

    return ticks / hz * SECOND + ticks % hz * SECOND / hz;
}

// The first tick that is not before this moment.
static uint64_t clock_of(uint64_t ns)
{
    uint64_t hz = srm_system->tsc_hz;

    return begun + ns / SECOND * hz + ns % SECOND * hz / SECOND + 1;
}

// A line of the log, with the moment and the kernel.
static void log_step(const struct app *a, const char *what)
{
    unsigned long ms = (unsigned long)(plan_now() / 1000000);

    srm_log("at %lu.%03lu s: %s %s", ms / 1000, ms % 1000, a->policy->name, what);
}

// ---- one app ----------------------------------------------------------------------------------------------

static void swap_out(struct app *a)
{
    app_unload(a);
    a->out = true;
    a->retry = 0;
}

static bool swap_in(struct app *a, unsigned index)
{
    a->out = false;
    if (!app_load(a, index)) {
        app_end(index, 125);
        return false;
    }
    plan_swapped_in(&plan, index, plan_now());
    return true;
}

// Stale: it has just been evicted, and is loaded again with its new share.
static void set_share(struct app *a, uint64_t share)
{
    char text[40];

    a->share_given = share;
    memset(a->share, (int)share, sizeof(a->share));
    for (uint64_t cpu = 0; cpu < srm_system->cpus && !a->out; cpu++) {
        (void)sys_kernel_share(a->kernel, cpu, share);
    }
    base_format(text, sizeof(text), "has a share of %lu %% from now on", (unsigned long)share);
    log_step(a, text);
}

static void set_priority(struct app *a, uint64_t priority)
{
    char text[48];

    base_format(text, sizeof(text), "%s priority %lu", a->out ? "will have" : "is swapped out, to have",
                (unsigned long)priority);
    if (!a->out) {
        swap_out(a);                     // and in again, when the others are out
    }
    a->priority_given = priority;
    a->priority = (uint32_t)priority;
    log_step(a, text);
}

// The memory is taken back before anybody else is given any.
static void end_loan(struct app *a)
{
    if (a->loan.length != 0) {
        app_close_loan(a);
        app_give_loan(a);
        log_step(a, "has given back what was lent to it");
    }
    a->asked = 0;
}

static void begin_loan(struct app *a, const struct plan_state *want)
{
    char text[64];
    bool got = app_take_loan(a, want->memory);

    a->asked = want->memory;
    if (got) {
        app_open_loan(a, want->memory_until == POLICY_FOREVER ? UINT64_MAX : clock_of(want->memory_until));
    }
    base_format(text, sizeof(text), "%s lent %lu MiB%s", got ? "is" : "cannot be", (unsigned long)(want->memory >> 20),
                got ? "" : ": not so much is free in one piece");
    log_step(a, text);
}

// The first half: what makes room for others.
static void step_out(struct app *a, unsigned index, const struct plan_state *want)
{
    if (want->end) {
        log_step(a, a->out ? "is ended while it is swapped out" : "is ended");
        app_end(index, 0);
        return;
    }
    if (!want->in && !a->out) {
        swap_out(a);
        log_step(a, "is swapped out");
    }
    if (want->memory != a->asked) {
        end_loan(a);
    }
    if (want->share != a->share_given) {
        set_share(a, want->share);
    }
    if (want->priority != a->priority_given) {
        set_priority(a, want->priority);
    }
}

static void step_in(struct app *a, unsigned index)
{
    unsigned turns = a->policy->turns;
    char text[40] = "is swapped in";

    if (turns != 0) {
        base_format(text, sizeof(text), "is swapped in for turn %lu", (unsigned long)plan.turn[turns - 1].count);
    }
    if (swap_in(a, index)) {
        log_step(a, text);
    }
}

// ---- all of them ------------------------------------------------------------------------------------------

void swap_start(const struct policy *policy)
{
    begun = srm_now();
    plan_start(&plan, policy);
}

void swap_prepare(struct app *a, unsigned index)
{
    struct plan_state s = plan_state(&plan, index, 0);

    a->out = !s.in;
    a->share_given = s.share;
    memset(a->share, (int)s.share, sizeof(a->share));
    a->priority_given = s.priority;
    a->priority = (uint32_t)s.priority;
}

void swap_loaded(unsigned index)
{
    plan_swapped_in(&plan, index, plan_now());
}

void swap_ended(unsigned index)
{
    plan_ended(&plan, index);
}

uint64_t swap_run(struct app *app, unsigned count)
{
    uint64_t now = plan_now();

    plan_advance(&plan, now);
    for (unsigned i = 0; i < count; i++) {
        if (app[i].state == APP_LIVE) {
            struct plan_state want = plan_state(&plan, i, now);
            step_out(&app[i], i, &want);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        struct plan_state want = plan_state(&plan, i, now);
        if (app[i].state == APP_LIVE && want.memory != app[i].asked) {
            begin_loan(&app[i], &want);
        }
        if (app[i].state == APP_LIVE && app[i].out && want.in) {
            step_in(&app[i], i);
        }
    }
    uint64_t next = plan_next(&plan, now);
    return next == POLICY_FOREVER ? 0 : clock_of(next);
}
