// main.c - srm, the system resource manager: the first application kernel.
//
// It starts the kernels that the policy file names and gives each its memory, shares and limits; takes their
// descriptors when the supervisor writes them back, and loads them again; swaps kernels out and in and changes what
// they have, as the policy says (swap.c); reports a kernel that died, and why; ends each, and everything when the
// primary one has ended.
//
// One thread, woken by the supervisor when something was written to the channel.  The channel is only a hint:
// after each wakeup every app's places and state page are looked at, so a lost entry costs nothing.
// What an app wrote into its own state page can only end that app.
// Cache Kernel, 3.
#include <base.h>
#include <cpio.h>
#include <device.h>
#include <sys.h>

#include "memory.h"
#include "plan.h"
#include "srm.h"

const struct kernel_info *srm_info;
const struct system_info *srm_system;

static struct policy policy;
static struct app app[POLICY_KERNELS];
static uint64_t wake_at;                 // the soonest moment at which something is to be done, 0: none

// ---- handlers: only a mistake in srm itself leads here ----------------------------------------------------

_Noreturn void srm_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void srm_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void srm_exception(struct thread_state *s, uint64_t cookie, unsigned depth);

void srm_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    srm_fail("trap in srm at 0x%lx", (unsigned long)s->frame[depth].rip);
}

void srm_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    while (com_fault(&s->frame[depth])) {
        (void)sys_resume(0);             // an app's message page is not mapped at present
    }
    srm_fail("page fault in srm at 0x%lx, address 0x%lx", (unsigned long)s->frame[depth].rip,
             (unsigned long)s->frame[depth].addr);
}

void srm_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    srm_fail("exception %u in srm at 0x%lx", s->frame[depth].vector, (unsigned long)s->frame[depth].rip);
}

// ---- ending -----------------------------------------------------------------------------------------------

static void finish_if_over(unsigned index)
{
    uint64_t value = 0;

    if ((int)index == policy.primary) {
        srm_power_off((uint32_t)(app[index].value & 255));
    }
    for (unsigned i = 0; i < policy.count; i++) {
        if (app[i].state != APP_ENDED) {
            return;
        }
        value = value != 0 ? value : app[i].value;
    }
    srm_power_off((uint32_t)(value & 255));
}

void app_end(unsigned index, uint64_t value)
{
    struct app *a = &app[index];

    swap_ended(index);
    app_unload(a);
    app_quiet_devices(index);
    serve_close(a, index);
    app_release(a);
    a->state = APP_ENDED;
    a->value = value;
    finish_if_over(index);
}

// ---- starting and loading again ---------------------------------------------------------------------------

static void app_start(unsigned index)
{
    struct app *a = &app[index];

    a->state = APP_LIVE;
    swap_prepare(a, index);
    if (!app_prepare(a)) {
        srm_power_off(125);              // what the policy asks for cannot be had
    }
    serve_open(a, index);
    if (!a->out) {
        if (!app_load(a, index)) {
            srm_power_off(125);
        }
        swap_loaded(index);
    }
}

// Descriptors are locked if there is room for those of all apps that are in at a time, and for programs beside them.
static bool may_lock(void)
{
    unsigned n = plan_together(&policy) + 1;

    return n <= srm_system->kernels && n < srm_system->spaces && n + 2 <= srm_system->threads &&
           n <= srm_info->limits.locked_spaces && n <= srm_info->limits.locked_threads;
}

struct app *app_number(unsigned index)
{
    return index < policy.count ? &app[index] : NULL;
}

static void note_wakeup(uint64_t when)
{
    wake_at = wake_at == 0 || when < wake_at ? when : wake_at;
}

// Its kernel was evicted: it waits some slices before it pushes another one out.
static void app_swapped_out(struct app *a, unsigned index)
{
    uint64_t now = srm_now();

    if (a->retry == 0) {
        a->retry = now + 4 * srm_system->slice;
    }
    if (now < a->retry) {
        note_wakeup(a->retry);
        return;
    }
    a->retry = 0;
    if (!app_load(a, index)) {
        app_end(index, 125);
    }
}

static void app_look(unsigned index)
{
    struct app *a = &app[index];
    struct thread_state *s = app_thread_state(a);
    bool thread_loaded = __atomic_load_n(&s->loaded, __ATOMIC_ACQUIRE);
    uint32_t reason = s->reason;

    if (!thread_loaded && reason == REASON_EXITED) {
        uint64_t value = s->value;
        srm_log("%s ended with value %lu", a->policy->name, (unsigned long)value);
        app_end(index, value);
    } else if (!thread_loaded && reason >= REASON_DOUBLE_FAULT) {
        report_death(a);
        app_end(index, 125);
    } else if (a->out) {
        return;
    } else if (!__atomic_load_n(&a->place[0].loaded, __ATOMIC_ACQUIRE)) {
        app_swapped_out(a, index);
    } else if (!thread_loaded && reason == REASON_EVICTED) {
        err_t e = app_load_thread(a, index);
        if (e == ERR_STALE) {
            note_wakeup(srm_now() + srm_system->slice);      // its kernel is on its way out
        } else if (e != ERR_OK) {
            srm_log("%s: its first thread cannot be loaded again: %s", a->policy->name, srm_error_text(e));
            app_end(index, 125);
        }
    }
}

// ---- the channel ------------------------------------------------------------------------------------------

// The death of a thread that a kernel loaded itself is told to srm too, under the kernel's cookie.
static void note_entry(const struct channel_entry *e)
{
    unsigned index = (unsigned)(e->cookie >> 2);

    if (e->type != OBJECT_THREAD || e->reason < REASON_DOUBLE_FAULT || (e->cookie & 3) != PART_KERNEL ||
        index >= policy.count) {
        return;
    }
    srm_log("%s: a thread died: %s (0x%lx)", policy.kernel[index].name,
            e->reason == REASON_DOUBLE_FAULT ? "a fault with no room for one more handler"
                                             : "its registers cannot be loaded into a processor",
            (unsigned long)e->value);
}

static void read_channel(void)
{
    struct channel *c = srm_window(srm_info->channel);

    while (c->tail != __atomic_load_n(&c->head, __ATOMIC_ACQUIRE)) {
        struct channel_entry e = c->entry[c->tail % CHANNEL_ENTRIES];
        __atomic_store_n(&c->tail, c->tail + 1, __ATOMIC_RELEASE);
        note_entry(&e);
    }
}

// ---- the whole --------------------------------------------------------------------------------------------

static void read_policy(void)
{
    struct cpio_entry file;
    struct policy_error error;

    if (!cpio_find(srm_window(srm_info->archive), srm_info->archive_length, "boot/policy", &file)) {
        srm_fail("the boot archive has no boot/policy");
    }
    if (!policy_parse(&policy, file.data, file.size, &error)) {
        if (error.line == 0) {
            srm_fail("policy: %s", error.text);
        }
        srm_fail("policy line %u: %s", error.line, error.text);
    }
}

// What the parser does not know: how many processors there are.
static void check_policy(void)
{
    for (unsigned i = 0; i < policy.count; i++) {
        const struct policy_kernel *k = &policy.kernel[i];
        if (k->mapping.most != 0 && k->mapping.most < 16ull * srm_system->cpus) {
            srm_fail("policy line %u: max_mappings is 16 for each processor at least: %u", k->number,
                     16 * srm_system->cpus);
        }
    }
}

static void start_all(void)
{
    struct memory_range places;
    bool lock = may_lock();

    memory_init(srm_system->range, srm_system->ranges);
    if (memory_take(1, &places, 1) != 1) {
        srm_fail("no memory for srm itself");
    }
    memset(srm_window(places.base), 0, ABI_LARGE);
    for (unsigned i = 0; i < policy.count; i++) {
        app[i] = (struct app){.policy = &policy.kernel[i], .locked = lock,
                              .place = (struct place *)srm_window(places.base) + 2 * i};
    }
    swap_start(&policy);
    for (unsigned rest = 0; rest < 2; rest++) {                  // whoever gets the rest comes last
        for (unsigned i = 0; i < policy.count; i++) {
            if (policy.kernel[i].rest == rest) {
                app_start(i);
            }
        }
    }
}

void srm_main(const struct kernel_info *info)
{
    srm_info = info;
    srm_system = srm_window(info->system);
    device_begin(info, srm_system);
    read_policy();
    check_policy();
    if (sys_listen(info->thread) != ERR_OK) {
        srm_fail("the supervisor refuses the writeback channel");
    }
    allocate_start(&policy);
    start_all();
    for (;;) {
        read_channel();
        allocate_look();
        wake_at = swap_run(app, policy.count);
        for (unsigned i = 0; i < policy.count; i++) {
            if (app[i].state == APP_LIVE) {
                app_look(i);
            }
        }
        uint64_t again = serve_all(app, policy.count);
        if (again != 0) {
            note_wakeup(again);
        }
        serve_wait(app, policy.count, wake_at);
    }
}
