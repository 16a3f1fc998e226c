// parked.c - what a thread at rest costs its owner: bytes of its record, instructions to park it and to wake it.
#include <park.h>

#include "bench.h"

enum { TIMES = 64, OWN = 20, ABOVE };    // the latter: a priority above this thread's, so that it runs at once

static _Noreturn void rest(void)
{
    for (;;) {
        (void)sys_wait(0);
    }
}

// A thread that has run and waits, its registers in use; unloaded and parked, put back and loaded, again and again.
void parked_run(void)
{
    static uint64_t record[AK_PARK_MOST / 8], unpark[TIMES];
    pa_t state = bench_frame();
    struct thread_state *s = ak_window(state);
    uint64_t empty = bench_empty();
    size_t size = 0;
    struct thread_desc d = {.space = ak_info->space, .flags = LOAD_SIGNALED, .priority = ABOVE, .state = state,
                            .state_va = (va_t)s, .xstack = (va_t)ak_window(bench_frame()) + ABI_PAGE};
    oid_t id;

    s->frame[0] = (struct frame){.rip = (uint64_t)rest, .rsp = d.xstack - 8, .rflags = 0x202, .rbx = 1, .rbp = 2,
                                 .rsi = 3, .r8 = 4, .r9 = 5, .r10 = 6, .r12 = 7, .r13 = 8, .r14 = 9, .r15 = 10};
    bench_check(sys_thread_priority(ak_info->thread, OWN), "priority");
    bench_check(sys_thread_load(&d, &id), "thread");
    for (unsigned i = 0; i < TIMES; i++) {
        uint64_t start = ak_now();
        err_t e = sys_thread_unload(id, 0);
        size = ak_park(s, record, sizeof(record));
        bench_sample[i] = ak_now() - start - empty;
        bench_check(e, "unload");
        start = ak_now();
        (void)ak_unpark(record, s);
        unpark[i] = ak_now() - start - empty;
        bench_check(s->run == RUN_WAITING ? ERR_OK : ERR_INVAL, "it waits");
        bench_check(sys_thread_load(&d, &id), "load");
    }
    bench_line("thread_park", bench_median(TIMES));
    memcpy(bench_sample, unpark, sizeof(unpark));
    bench_line("thread_unpark", bench_median(TIMES));
    bench_line("parked_bytes", size);
    bench_check(sys_thread_unload(id, 0), "unload");
}
