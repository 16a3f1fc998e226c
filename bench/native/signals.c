// signals.c - signals in the two parts of the paper's measurement, delivery and return; and a thread loaded again.
//
// The parts are measured to a thread that runs on another processor, as in the paper, and to the sender itself.  The
// processors take turns at PAUSE: failed looks at the answer are counted.
#include "programs.h"

extern const char program_signal_far[], program_signal_far_partner[], program_signal_self[], program_function[],
    program_reload[];

static void start(struct program *p, bool function, unsigned cpu)
{
    struct thread_desc d = program_thread(p);

    d.affinity = 1ull << cpu;
    d.signal = function ? program_address(program_function) : 0;
    ((struct thread_state *)ak_window(p->state))->frame[0].rsp = DATA + ABI_PAGE;        // its stack: not used
    bench_check(sys_thread_load(&d, &p->thread), "thread");
}

// From the samples that programs.S calls delivery and return.
static void print_parts(struct program *p, const char *delivery, const char *back)
{
    const char *sample = ak_window(p->data[0]);
    uint64_t empty = programs_empty();

    memcpy(bench_sample, sample, sizeof(bench_sample));
    bench_line(delivery, bench_median(SAMPLES) - empty);
    memcpy(bench_sample, sample + sizeof(bench_sample), sizeof(bench_sample));
    bench_line(back, bench_median(SAMPLES) - empty);
}

void signals_far_run(void)
{
    const pa_t page[2] = {bench_frame(), bench_frame()};
    struct program p, partner;

    (void)sys_wait(ak_now() + ak_system->slice); // the other processor has come up
    bench_begin();
    program_load(&p, program_signal_far, TRAP_NATIVE);
    program_load(&partner, program_signal_far_partner, TRAP_NATIVE);
    start(&partner, true, 1);
    start(&p, false, 0);
    program_connect(&p, &partner, page[0]);
    program_connect(&partner, &p, page[1]);
    bench_check(sys_signal(partner.thread), "signal");
    program_wait(&p);
    bench_events("signal_far_delivery", SAMPLES);
    bench_end("signal_far_delivery", SAMPLES);
    print_parts(&p, "signal_far_delivery", "signal_far_return");
}

static void signal_self(void)
{
    const pa_t page = bench_frame();
    struct program p;

    bench_begin();
    program_load(&p, program_signal_self, TRAP_NATIVE);
    start(&p, true, 0);
    program_connect(&p, &p, page);
    program_wait(&p);
    bench_events("signal_self_delivery", SAMPLES);
    bench_end("signal_self_delivery", SAMPLES);
    print_parts(&p, "signal_self_delivery", "signal_self_return");
    program_unload(&p);
    ak_frame_put(page);
}

// From the call that loads it to its program's next instruction.
static void reload(void)
{
    struct program p;

    program_load(&p, program_reload, TRAP_FORWARD);
    struct thread_desc d = program_thread(&p);
    struct thread_state *s = ak_window(p.state);
    const uint64_t *when = ak_window(p.data[0]);
    uint64_t sample[SAMPLES];
    bench_begin();
    for (unsigned i = 0; i < SAMPLES; i++) {
        s->depth = 0;                            // it ended in its kernel's handler
        BENCH_MARK(MARK_ON);
        uint64_t t0 = ak_now();
        bench_check(sys_thread_load(&d, &p.thread), "thread");
        program_wait(&p);
        sample[i] = when[i] - t0;
    }
    bench_end("thread_reload", SAMPLES);
    memcpy(bench_sample, sample, sizeof(sample));
    uint64_t count = bench_median(SAMPLES);
    bench_line("thread_reload", count - programs_empty());
    program_unload(&p);
}

void signals_run(void)
{
    signal_self();
    reload();
}
