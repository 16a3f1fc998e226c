// run.c - tasks at work: a thread each, in one space, everything locked.
//
// A task's program does a job and makes a call.  The call runs here, on the same thread: it notes when the job was
// done, blocks until the next release, and returns to the program.  The order among tasks is the earliest deadline's
// (lib/processing); the threads are resident, so that no release has to load anything.
// Cache Kernel, 2.3, 3 and 4.2.
#include <base.h>
#include <sys.h>

#include "realtime.h"

enum { TEXT = 0x400000, DATA = 0x800000, PRELUDE_US = 10000, MEASURES = 16, MEASURE_UNITS = 1000 };

extern const char program_begin[], program_end[];
void measure_work(uint64_t *page, uint64_t units);

_Noreturn void realtime_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void realtime_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void realtime_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(realtime_trap, realtime_fault, realtime_exception);

struct task task[TASKS];
static unsigned tasks;                   // I
static uint64_t run_ticks, end_time;     // I
static uint32_t ended;                   // a
static uint32_t faults;                  // a
static oid_t space;                      // I

static uint64_t ticks(uint64_t microseconds)
{
    return ak_ticks_from_ns(microseconds * 1000);
}

// ---- jobs -------------------------------------------------------------------------------------------------

static _Noreturn void fail(struct task *t, const char *what, uint64_t address)
{
    ak_log("task %s: %s at 0x%lx", t->input->name, what, (unsigned long)address);
    __atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
    ak_stop(0);
    processing_exit(&t->thread);
}

static _Noreturn void go_on(struct task *t)
{
    ak_returning(&t->thread.thread);
    (void)ak_resume(&t->thread.thread);
    ak_staying(&t->thread.thread);
    fail(t, "its space has gone", 0);
}

static void resume(struct ak_thread *thread)
{
    go_on((struct task *)thread);
}

static void raise(uint64_t *worst, uint64_t value)
{
    *worst = value > *worst ? value : *worst;
}

static _Noreturn void next_job(struct task *t)
{
    uint64_t release = t->first + t->begun * t->period;
    bool in_time = ak_now() < release;   // else it only waits for itself

    if (t->begun == t->wanted) {
        __atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
        ak_service_kick();
        processing_exit(&t->thread);
    }
    processing_block(&t->thread, release);
    if (in_time) {
        raise(&t->latency, t->thread.turn.woken_at - release);
        raise(&t->start, ak_now() - release);
    }
    t->begun++;
    t->thread.thread.state->frame[0].rax = t->units;
    go_on(t);
}

void realtime_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct task *t = (struct task *)cookie;
    uint64_t now = ak_now(), release = t->first + (t->begun - 1) * t->period;

    if (depth != 0 || s->frame[0].rax != CALL_DONE) {
        fail(t, "a call that there is not", s->frame[depth].rip);
    }
    t->completed++;
    t->late += now > release + t->deadline;
    raise(&t->response, now - release);
    next_job(t);
}

void realtime_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    if (depth != 0) {
        ak_panic("fault at %lx, address %lx", (unsigned long)s->frame[depth].rip, (unsigned long)s->frame[depth].addr);
    }
    fail((struct task *)cookie, "a page fault", s->frame[0].addr);
}

void realtime_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    if (depth != 0) {
        ak_panic("exception %u at %lx", s->frame[depth].vector, (unsigned long)s->frame[depth].rip);
    }
    fail((struct task *)cookie, "an exception", s->frame[0].rip);
}

// On the task's own thread, in this kernel's space.
static void begin(void *arg)
{
    struct task *t = arg;
    struct frame *f = &t->thread.thread.state->frame[0];

    f->rip = TEXT;
    f->rdi = DATA + (uint64_t)(t - task) * ABI_PAGE;
    f->rsp = f->rdi + ABI_PAGE;
    f->rflags = 0x202;
    next_job(t);
}

// ---- preparing --------------------------------------------------------------------------------------------

static err_t map(va_t va, pa_t pa, uint64_t flags)
{
    err_t e;

    while ((e = sys_mapping_load(space, va, pa, flags | MAP_LOCKED)) == ERR_AGAIN) {
        ak_pause();
    }
    return e;
}

static const char *load_space(void)
{
    pa_t text = ak_frame_alloc(), place = ak_frame_alloc();
    struct space_desc d = {.flags = LOAD_LOCKED, .rule = TRAP_FORWARD, .place = place};
    err_t e;

    if (text == 0 || place == 0) {
        return "there is no memory";
    }
    memcpy(ak_window(text), program_begin, (size_t)(program_end - program_begin));
    while ((e = sys_space_load(&d, &space)) == ERR_AGAIN) {
        ak_pause();
    }
    if (e != ERR_OK) {
        return "it may not lock a space";
    }
    return map(TEXT, text, MAP_EXEC) != ERR_OK ? "it may not lock mappings" : NULL;
}

// Ticks of 2^16 units, the fewest that were seen: the others were interrupted.
static uint64_t measure(uint64_t *page)
{
    uint64_t least = UINT64_MAX;

    *page = 1;
    for (unsigned i = 0; i < MEASURES; i++) {
        uint64_t before = ak_now();
        measure_work(page, MEASURE_UNITS);
        uint64_t took = ak_now() - before;
        least = took < least ? took : least;
    }
    return (least << 16) / MEASURE_UNITS;
}

static const char *prepare(struct task *t, const struct task_input *input, uint64_t run)
{
    uint32_t i = (uint32_t)(t - task);
    pa_t page = ak_frame_alloc();

    if (page == 0 || processing_create(&t->thread, true, LOAD_LOCKED) != ERR_OK) {
        return "there is no memory";
    }
    t->thread.thread.resume = resume;
    t->thread.thread.space = space;
    t->input = input;
    t->page = ak_window(page);
    t->period = ticks(input->period);
    t->deadline = ticks(input->deadline);
    t->units = (ticks(input->work) << 16) / measure(t->page);
    t->units += t->units == 0;
    *t->page = i + 1;
    t->wanted = input->phase >= run ? 0 : (run - input->phase - 1) / input->period + 1;
    if (map(DATA + (va_t)i * ABI_PAGE, page, MAP_WRITE) != ERR_OK) {
        return "it may not lock mappings";
    }
    t->thread.turn.execution = ticks(input->execution);
    t->thread.turn.period = t->period;
    t->thread.turn.relative = t->deadline;
    return edf_admit(processing_scheduler(), &t->thread.turn) ? NULL : "no processor has so much time left";
}

const char *tasks_prepare(const struct tasks *input, const struct task_input **bad)
{
    const char *wrong = NULL;

    *bad = NULL;
    run_ticks = ticks(input->run);
    if (ak_info->limits.max_priority < 2) {
        return "its priority is too low";
    }
    if (ak_info->limits.locked_threads < input->count) {
        return "it may not lock a thread for each task";
    }
    processing_begin(&earliest_deadline, ak_system->slice, ak_info->limits.max_priority - 1);
    wrong = load_space();
    for (unsigned i = 0; i < input->count && wrong == NULL; i++) {
        wrong = prepare(&task[i], &input->task[i], input->run);
        *bad = wrong == NULL ? NULL : &input->task[i];
        tasks++;
    }
    return wrong;
}

void tasks_start(void)
{
    uint64_t start = ak_now() + ticks(PRELUDE_US), longest = 0;

    for (unsigned i = 0; i < tasks; i++) {
        task[i].first = start + ticks(task[i].input->phase);
        longest = task[i].deadline > longest ? task[i].deadline : longest;
    }
    end_time = start + run_ticks + longest;      // whatever was released in time is due by then
    for (unsigned i = 0; i < tasks; i++) {
        processing_start(&task[i].thread, begin, &task[i]);
    }
}

void tasks_poll(void)
{
    processing_poll();
    if (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) == tasks || ak_now() >= end_time) {
        ak_stop(0);
    }
    ak_service_until(end_time);
}

unsigned tasks_wrong(void)
{
    unsigned wrong = __atomic_load_n(&faults, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < tasks; i++) {
        wrong += task[i].thread.loads - 1;
    }
    return wrong;
}
