// start.c - the first steps of an application kernel, and its clock.
#include "appkernel.h"

#include <base.h>
#include <device.h>
#include <sys.h>

#include "appkernel_impl.h"

const struct kernel_info *ak_info;
const struct system_info *ak_system;
const struct system_stats *ak_stats;

void ak_start(const struct kernel_info *info)
{
    ak_info = info;
    ak_system = ak_window(info->system);
    ak_stats = ak_window(info->system + ABI_PAGE);
    device_begin(info, ak_system);
    ak_frames_init();
    int value = ak_main(info);
    for (;;) {
        (void)sys_thread_unload(0, (uint64_t)value);
    }
}

// a * b / c, without overflow in between.
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low, high, quotient;

    __asm__("mulq %3" : "=a"(low), "=d"(high) : "0"(a), "r"(b) : "cc");
    if (high >= c) {
        return UINT64_MAX;
    }
    __asm__("divq %4" : "=a"(quotient), "=d"(high) : "0"(low), "1"(high), "r"(c) : "cc");
    return quotient;
}

uint64_t ak_ticks_from_ns(uint64_t ns)
{
    return scale(ns, ak_system->tsc_hz, 1000000000);
}

uint64_t ak_ns_from_ticks(uint64_t ticks)
{
    return scale(ticks, 1000000000, ak_system->tsc_hz);
}
