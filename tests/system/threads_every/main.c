// main.c - a preemption at every instruction of libraries of threads, in a small program of operations (struct every).
//
// First each operation is run with breakpoints at all instructions of the libraries (breaks.c), again and again until
// nobody comes to one any more.  They stay, for what is executed later only.
// Then each operation is run again and again, stopped one instruction later each time, until it ends before
// that. Who was stopped first in some function is then stopped once more, after each instruction of the
// upcall and of what it goes on with, and so on. At last several stops at random (random=N of them for each
// operation).
#include "every.h"

enum { QUIET = 200, QUIET_COPY = 150, QUIET_UPCALL = 400, STRIDE = 16, NEAR = 256, OUTSIDE = 48, MISSES = 4,
       REST = 8, FILL = 16, NAMES = 512, PASSES = 8 };

static int failures;
// Instructions until an operation, the library in an upcall, and the copy of a critical function are reached.
static uint64_t base_operation, base_upcall, base_copy;
static bool deepened[STOPS][NAMES];      // functions in which somebody was stopped, and stopped again after that

// A thread has touched what is not there: nobody goes on.
static bool faulted(struct thread *t, const struct upcall_slot *slot)
{
    native_print("not ok a fault at %lx of %lx, in %p\n", slot->context.rip, slot->context.addr, (void *)t);
    native_exit(1);
}
void threads_program_setup(struct threads_setup *setup)
{
    setup->machine.event = faulted;
    setup->machine.cpus = 2;
    setup->spins = 2;
}

static void failed(const struct operation *o, const struct plan *p)
{
    if (operation_failed != NULL) {
        native_print("not ok %s: %s, line %d, stops %u after %lu %lu %lu\n", o->name, operation_failed,
                     operation_failed_line, p->stops, p->after[0], p->after[1], p->after[2]);
        operation_failed = NULL;
        failures++;
    }
}
static unsigned moments, fresh;

static struct moment once(const struct operation *o, const struct plan *p)
{
    struct moment m = moments_run(o, p);

    moments++;
    fresh += m.fresh;
    failed(o, p);
    return m;
}
// Whether who was stopped there is to be stopped again, at each instruction after that; once for each function.
static bool goes_deeper(enum place_kind kind, uint64_t at, unsigned level)
{
    uint32_t f = place_function(at);

    if (level + 1 == STOPS || f == 0 || every.least[kind] == 0 || f >= NAMES || deepened[level][f]) {
        return false;
    }
    deepened[level][f] = true;
    if (kind > PLACE_REST) {
        return level < 2;
    }
    return kind == PLACE_REST ? level < 2 && f % REST == level : level < 2 || kind != PLACE_COPY;
}
// Stop it at each instruction, from `begin` on, until nothing new comes any more.
static void sweep(const struct operation *o, struct plan p, unsigned level, uint64_t begin, unsigned most)
{
    unsigned quiet = 0, misses = 0;

    p.stops = level + 1;
    for (p.after[level] = begin; misses < MISSES && quiet < most; p.after[level]++) {
        struct moment m = once(o, &p);
        if (m.stops <= level) {
            misses++;
            continue;
        }
        enum place_kind kind = place_kind(m.at[level]);
        bool outside = kind == PLACE_NONE || kind == PLACE_WAIT;
        misses = 0;
        quiet = m.fresh || (level == 0 && !outside) ? 0 : quiet + 1;
        if (goes_deeper(kind, m.at[level], level)) {
            bool copy = kind == PLACE_CRITICAL || kind == PLACE_COPY;
            sweep(o, p, level + 1, copy ? base_copy : base_upcall, copy ? QUIET_COPY : QUIET_UPCALL);
        }
    }
}
static void all(const struct operation *o)
{
    for (; o->name != NULL; o++) {
        uint64_t begin = operation_clock();
        moments = fresh = 0;
        sweep(o, (struct plan){0}, 0, base_operation, QUIET);
        native_print("%s: %u moments, %u new, %lu ticks\n", o->name, moments, fresh, operation_clock() - begin);
    }
}
static bool is_part(const struct moment *m, unsigned level)
{
    return m->stops > level && place_kind(m->at[level]) > PLACE_REST;
}
// Who was stopped there is; stop the other one too, at each instruction of a part to which that comes.  The way there
// is nearly as long each time: *from.
static void both(const struct operation *o, struct plan p, uint64_t *from)
{
    unsigned outside = 0;
    struct moment m;

    p.stops = 2;
    for (p.after[1] = *from; m = once(o, &p), !is_part(&m, 1); p.after[1] += STRIDE) {
        if (m.stops < 2) {
            return;
        }
    }
    p.after[1] -= STRIDE;
    if (*from == base_upcall || p.after[1] < *from + NEAR) {
        *from = p.after[1] > base_upcall + NEAR ? p.after[1] - NEAR : base_upcall;
    }
    for (; outside < OUTSIDE; p.after[1]++) {
        m = once(o, &p);
        outside = is_part(&m, 1) ? 0 : outside + 1;
    }
}
// Each instruction of one flow with each one of the other.
static void races(const struct operation *o)
{
    for (; o->name != NULL; o++) {
        struct plan p = {.stops = 1, .after = {base_operation}};
        uint64_t begin = operation_clock(), from = base_upcall;
        moments = 0;
        for (unsigned misses = 0; misses < MISSES; p.after[0]++) {
            struct moment m = once(o, &p);
            misses = m.stops == 0 ? misses + 1 : 0;
            if (is_part(&m, 0)) {
                both(o, p, &from);
            }
        }
        native_print("%s, both: %u moments, %lu ticks\n", o->name, moments, operation_clock() - begin);
    }
}
// Again and again, until each instruction that is executed has been stopped at once, by a breakpoint.
static void broken_one(const struct operation *o)
{
    uint64_t hits;

    do {
        hits = breaks_hits;
        (void)once(o, &(struct plan){0});
    } while (breaks_hits != hits);
}
static void broken(const struct operation *o)
{
    for (; o->name != NULL; o++) {
        uint64_t begin = operation_clock(), before = breaks_hits;
        moments = 0;
        broken_one(o);
        native_print("%s: %u times, %lu breakpoints, %lu ticks\n", o->name, moments,
                     (unsigned long)(breaks_hits - before), operation_clock() - begin);
    }
}
static uint64_t random(uint64_t below)
{
    static uint64_t state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state * 0x2545f4914f6cdd1dull >> 33) % below;
}
// Several stops, at random; and locks are held.
static void at_random(const struct operation *o)
{
    uint64_t times = native_number("random", 120);

    for (; o->name != NULL; o++) {
        moments = fresh = 0;
        for (unsigned i = 0; i < times; i++) {
            struct plan p = {.stops = 1 + (unsigned)random(STOPS), .seed = 1 + random(1 << 30)};
            p.after[0] = base_operation + random(i % 3 == 0 ? 3000 : 400);
            for (unsigned s = 1; s < STOPS; s++) {
                p.after[s] = base_upcall + random(random(3) == 0 ? 4000 : 1000);
            }
            (void)once(o, &p);
        }
        native_print("%s: %u new\n", o->name, fresh);
    }
}
static bool gone;
static void once_each(const struct operation *o)
{
    for (; o->name != NULL; o++) {
        (void)once(o, &(struct plan){0});
        gone = gone || breaks_gone;
    }
}
static void of_lists(const struct operation *const *list, void (*run)(const struct operation *))
{
    for (; *list != NULL; list++) {
        run(*list);
    }
}
// All operations once more, with a breakpoint wherever nobody was ever stopped: nobody comes to one.
static bool complete(void)
{
    for (unsigned i = 0; i < PASSES; i++) {
        uint64_t before = breaks_hits;
        gone = false;
        of_lists(every.operations, once_each);
        of_lists(every.large, once_each);
        if (breaks_hits == before && !gone) {
            native_print("ok each instruction that is executed was stopped at\n");
            return true;
        }
    }
    native_print("not ok instructions are executed at which nobody was stopped\n");
    return false;
}
// How far these places are behind the call that counts.
static void calibrate(void)
{
    const struct operation *o = &operations_threads[1];
    struct plan p = {.stops = 1};
    struct moment m;

    broken_one(o);
    for (p.after[0] = 1; place_function((m = once(o, &p)).at[0]) == 0; p.after[0]++) {
    }
    base_operation = p.after[0] - 4;
    p.stops = 2;
    for (p.after[1] = base_operation; place_function((m = once(o, &p)).at[1]) == 0; p.after[1]++) {
    }
    base_upcall = p.after[1];
    for (; place_kind((m = once(o, &p)).at[1]) != PLACE_COPY; p.after[1]++) {
    }
    base_copy = p.after[1] - 30;
    native_print("%lu instructions to an operation, %lu to the library in an upcall, %lu to a copy\n", base_operation,
                 base_upcall, base_copy);
}
static void fill(void)
{
    struct thread *t[FILL];

    for (unsigned i = 0; i < FILL; i++) {
        t[i] = operation_fork(operation_nothing, NULL, MIDDLE);
    }
    for (unsigned i = 0; i < FILL; i++) {
        (void)operation_join(t[i]);
    }
}
// No event was lost, and no handler.
static bool accounts(void)
{
    const struct space_kernel_page *k = threads_native_area();
    struct threads_statistics s;
    bool all = true;

    (void)thread_sleep(operation_clock() + 10000000);
    threads_read_statistics(&s);         // it may have breakpoints itself
    threads_read_statistics(&s);
    for (unsigned i = 0; i < UPCALL_KINDS; i++) {
        uint64_t told = *(volatile const uint64_t *)&k->told[i];
        told += 1u << i == UPCALL_PREEMPTED ? moments_preempted : 1u << i == UPCALL_FAULT ? -breaks_hits : 0;
        all = all && told == s.told[i];
    }
    all = all && s.contexts == s.ready + s.dropped + s.continued + s.nested;
    native_print("%s accounts: %lu upcalls, %lu contexts, %lu recovered, %lu nested, %lu continued, %lu dropped\n",
                 all ? "ok" : "not ok", s.upcalls, s.contexts, s.recovered, s.nested, s.continued, s.dropped);
    return all;
}
int every_run(void)
{
    if (!places_read()) {
        native_print("not ok the table\n");
        return 1;
    }
    moments_begin();
    fill();
    of_lists(every.operations, broken);
    of_lists(every.large, broken);
    calibrate();
    of_lists(every.races, races);
    of_lists(every.operations, all);
    of_lists(every.operations, at_random);
    native_print("%s operations\n", failures == 0 ? "ok" : "not ok");
    failures += !complete();
    return failures + !accounts() + !places_report();
}
