// device.c - the pages of the devices that an app may use.
//
// App i has the pages number i+1 of everybody's: it keeps them while its kernel comes and goes.  All have the log and
// the clock; `console` in the policy adds the terminal and the error stream.
// Signals of a device go to the app's first thread.  Their mappings go with that thread, and are loaded again after it.
// Cache Kernel, 2.2.
#include <abi/allocation.h>
#include <sys.h>

#include "srm.h"

static pa_t page_of(enum device d, unsigned page)
{
    return device_page(srm_system->devices, d, page);
}

// To `receiver`, if it is not 0, go its signals.
static err_t map(oid_t space, unsigned place, pa_t pa, uint64_t flags, oid_t receiver)
{
    va_t va = DEVICE_PLACE(place);

    for (;;) {
        err_t e = receiver == 0 ? sys_mapping_load(space, va, pa, flags | MAP_LOCKED)
                                : sys_mapping_load_signal(space, va, pa, flags | MAP_LOCKED, receiver);
        if (e != ERR_AGAIN) {
            return e;
        }
        srm_wait_a_little();
    }
}

static pa_t send_page(enum device d, unsigned index)
{
    return page_of(d, d == DEVICE_CLOCK ? 2 * (index + 1) : index + 2);      // below are srm's own
}

_Static_assert(2 * POLICY_KERNELS < (int)ALLOCATION_PAGE, "each app has an alarm");

static pa_t alarm_page(unsigned index)
{
    return page_of(DEVICE_CLOCK, 2 * (index + 1) + 1);
}

uint32_t app_devices(const struct app *a)
{
    uint32_t console = 1u << DEVICE_TERMINAL | 1u << DEVICE_ERRORS;

    return 1u << DEVICE_LOG | 1u << DEVICE_CLOCK | (a->policy->console ? console : 0);
}

err_t app_map_devices(struct app *a, unsigned index)
{
    err_t e = map(a->space, PLACE_ALARM, alarm_page(index), MAP_READ, 0);

    for (unsigned d = 0; d < DEVICES && e == ERR_OK; d++) {
        if (app_devices(a) >> d & 1) {
            e = map(a->space, PLACE_SEND + d, send_page(d, index), MAP_WRITE | MAP_MESSAGE, 0);
        }
    }
    if (e == ERR_OK && a->policy->console) {
        e = map(a->space, PLACE_INPUT, page_of(DEVICE_TERMINAL, 0), MAP_WRITE, 0);
    }
    return e;
}

err_t app_map_signals(struct app *a, unsigned index)
{
    err_t e = map(a->space, PLACE_SIGNALS + 1, alarm_page(index), MAP_READ, a->thread);

    if (e == ERR_OK && a->policy->console) {
        e = map(a->space, PLACE_SIGNALS, page_of(DEVICE_TERMINAL, 0), MAP_READ, a->thread);
    }
    if (e == ERR_OK) {
        struct kernel_info *i = srm_window(a->range[0].base + PAGE_INFO * ABI_PAGE);
        __atomic_store_n(&i->device_signals, 1, __ATOMIC_RELEASE);
    }
    return e == ERR_STALE ? ERR_OK : e;              // the thread has gone again: so will these, next time
}

// Its alarm shall not ring any more.  srm's own message page of the clock is used for it, by mapping the app's there.
void app_quiet_devices(unsigned index)
{
    struct clock_set *s = (struct clock_set *)DEVICE_PLACE(PLACE_END);
    uint64_t receivers;

    if (map(srm_info->space, PLACE_END, send_page(DEVICE_CLOCK, index), MAP_WRITE | MAP_MESSAGE, 0) != ERR_OK) {
        return;
    }
    s->when = s->period = 0;
    (void)sys_signal_at((va_t)s, &receivers);
    uint64_t unloaded;
    (void)sys_mapping_unload(srm_info->space, DEVICE_PLACE(PLACE_END), ABI_PAGE, &unloaded);
}
