// test_every.c - each instruction of the library that the programs reach is stopped at, once.
//
// There is a breakpoint at every instruction of the library.  Who comes there first is stopped, in one of the ways in
// which the supervisor stops a context; handlers and recoveries are so too, and so several deep.  What has been stopped
// at is counted over all programs; it says which functions have more, and each part of the library has to come to a
// share.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../threads_impl.h"
#include "held.h"
#include "operations.h"
#include "paths.h"
#include "work.h"

extern const char __executable_start[], etext[], host_library[], __start_threads_spin[], __stop_threads_spin[];
enum { PLACES = 16384, TEXT = 1 << 18, INT3 = 0xcc, ROUNDS = 300, FEW = 12, MANY = 24 };

enum part { PART_CRITICAL, PART_COPY, PART_SPIN, PART_REST, PARTS };
static const char *const part_name[PARTS] = {"critical functions", "their recovery copy", "waits for locks",
                                             "the rest"};

static struct place { uint32_t at, function; enum part part; uint8_t code; } place[PLACES];
static unsigned places, functions;
static char function_name[512][48];
static uint32_t place_of[TEXT];          // by distance from the beginning, 1 and up
static uint8_t stopped[PLACES];          // by place; of this child
static uint8_t *ever;                    // of all
static uint32_t declined[PLACES], declineds;     // places that are to be tried again
static uint32_t last;                    // place
static uint64_t declines;

// ---- the instructions ---------------------------------------------------------------------------------------

static bool between(uint64_t at, const char *from, const char *to)
{
    return at >= (uint64_t)from && at < (uint64_t)to;
}
static enum part part_of(uint64_t at)
{
    if (between(at, __start_threads_critical, __stop_threads_critical)) {
        return PART_CRITICAL;
    }
    if (between(at, __start_threads_recovery, __stop_threads_recovery)) {
        return PART_COPY;
    }
    if (between(at, __start_threads_spin_recovery, __stop_threads_spin_recovery) ||
        between(at, __start_threads_spin, __stop_threads_spin)) {
        return PART_SPIN;
    }
    return between(at, host_library, __start_threads_critical) ? PART_REST : PARTS;
}
// Only there for the distance, or behind what never comes back.
static bool never_runs(const char *instruction)
{
    static const char *const such[] = {"int3", "nop", "data16", "cs nop", "ud2", "xchg   %ax,%ax"};

    for (unsigned i = 0; i < sizeof such / sizeof such[0]; i++) {
        if (strncmp(instruction, such[i], strlen(such[i])) == 0) {
            return true;
        }
    }
    return false;
}
static void read_line(const char *line)
{
    char name[48], instruction[64];
    unsigned long at;

    if (sscanf(line, "%lx <%47[^>]>:", &at, name) == 2 && functions < 511) {
        strcpy(function_name[++functions], name);
        return;
    }
    if (sscanf(line, " %lx: %63[^\n]", &at, instruction) != 2 || part_of(at) == PARTS || never_runs(instruction) ||
        strncmp(function_name[functions], "__popcount", 10) == 0) {      // the compiler's
        return;
    }
    uint64_t distance = at - (uint64_t)__executable_start;
    if (distance < TEXT && places < PLACES) {
        place[places] = (struct place){(uint32_t)distance, functions, part_of(at), *(const uint8_t *)at};
        place_of[distance] = ++places;
    }
}
static void read_instructions(void)
{
    char path[256], command[320], line[256];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

    assert_true(length > 0);
    path[length] = '\0';
    snprintf(command, sizeof command, "objdump -d -w --no-show-raw-insn %s", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe) != NULL) {
        read_line(line);
    }
    assert_int_equal(pclose(pipe), 0);
    assert_true(places > 3000 && places < PLACES);
}

// ---- breakpoints --------------------------------------------------------------------------------------------

static void put(uint32_t i, uint8_t code)
{
    __atomic_store_n((uint8_t *)__executable_start + place[i].at, code, __ATOMIC_SEQ_CST);
}
static void put_all(bool on)
{
    for (uint32_t i = 0; i < places; i++) {
        if (!on || !stopped[i]) {
            put(i, on ? INT3 : place[i].code);
        }
    }
}
static uint32_t slots_free(void)
{
    return host.machine.user->slots_given - host.machine.kernel->slots_taken;
}
static void try_later(uint32_t i)
{
    stopped[i] = ever[i] = 0;
    declined[declineds++] = i;
}
// In the signal handler, under its lock.  The host needs slots for what it stops; with few left, places wait until
// there are more, or the handlers would never get anywhere.
static enum host_op trap(uint64_t *rip)
{
    static const enum host_op op[] = {HOST_TELL, HOST_INTERVAL, HOST_TELL, HOST_BLOCK, HOST_TAKE, HOST_TELL};
    uint64_t at = --*rip - (uint64_t)__executable_start;
    uint32_t i = at < TEXT ? place_of[at] : 0;

    if (i-- == 0) {
        _exit(11);
    }
    put(i, place[i].code);
    if (declines != host.declined) {                 // the last one could not be stopped
        declines = host.declined;
        try_later(last);
    }
    if (held_quiet) {
        try_later(i);
        return HOST_NONE;
    }
    while (slots_free() > MANY && declineds > 0) {
        uint32_t later = declined[--declineds];
        put(later, later == i ? place[i].code : INT3);
    }
    if (stopped[i]) {                                // by another processor at the same time
        return HOST_NONE;
    }
    if (slots_free() < FEW) {
        try_later(i);
        return HOST_UNBLOCK;
    }
    host.now += 5;
    stopped[i] = ever[i] = 1;
    last = i;
    enum host_op chosen = op[host_random(6)];
    return chosen == HOST_BLOCK && place[i].part != PART_REST ? HOST_TELL : chosen;  // nothing there blocks
}

// ---- programs -----------------------------------------------------------------------------------------------

// No handler was lost: each slot can be filled, or is that of a stack which nobody uses.
static void check_slots(void)
{
    const struct threads_machine *m = &host.machine;
    bool there[HOST_SLOTS] = {false};
    unsigned lost = 0;

    for (uint32_t i = m->kernel->slots_taken; i != m->user->slots_given; i++) {
        there[m->user->slot[i % SLOTS_MOST] & 0xffff] = true;
    }
    for (unsigned i = 0; i < HOST_SLOTS; i++) {
        const struct thread *handler = (const struct thread *)m->slot[i].stack;
        lost += !there[i] && handler->phase != PHASE_LEFT;
    }
    if (lost != 0) {
        fprintf(stderr, "%u handlers are lost\n", lost);
        exit(5);
    }
}
static void run(uint64_t seed, unsigned processors, void *(*first)(void *), void (*prepare)(struct threads_setup *))
{
    struct threads_setup setup = {.spins = 3, .interval = 1000};
    struct threads_statistics s;

    printf("seed %lu\n", seed);
    fflush(stdout);
    host_seed(seed);
    host.trap = trap;
    work_steps = 3;
    host_begin(&setup, processors);
    if (prepare != NULL) {
        prepare(&setup);
    }
    if (threads_begin(&setup, first, (void *)ROUNDS) != THREAD_OK) {
        exit(2);
    }
    put_all(true);
    host_run(processors, prepare != NULL ? 0 : 10);
    put_all(false);
    check_slots();
    threads_read_statistics(&s);
    printf("%lu breakpoints, %lu declined, %lu upcalls, %lu contexts, %lu recovered, %lu nested, %lu dropped, "
           "%lu continued\n",
           host.steps, host.declined, s.upcalls, s.contexts, s.recovered, s.nested, s.dropped, s.continued);
    fflush(stdout);
    if (!host_balanced()) {
        exit(4);
    }
}
static void run_work(uint64_t seed, unsigned processors)
{
    run(seed, processors, work_first, NULL);
    if (work_result != work_expected(ROUNDS)) {
        fprintf(stderr, "result %lu, expected %lu\n", work_result, work_expected(ROUNDS));
        exit(3);
    }
}
static void work_1(void) { run_work(1, 1); }
static void work_4(void) { run_work(2, 4); }

static void run_paths(uint64_t seed, unsigned processors)
{
    run(seed, processors, paths_first, NULL);
    if (paths_failed != 0) {
        fprintf(stderr, "paths.c: line %d\n", paths_failed);
        exit(3);
    }
}
static void paths_1(void) { run_paths(3, 1); }
static void paths_2(void) { run_paths(4, 2); }

static void run_operations(uint64_t seed, unsigned processors)
{
    run(seed, processors, held_first, held_begin);
    if (operation_failed != NULL) {
        fprintf(stderr, "%s: line %d\n", operation_failed, operation_failed_line);
        exit(3);
    }
}
static void operations_1(void) { run_operations(5, 1); }

// Of each part so many of 100 instructions at least.  What is never reached, by name:
//   kernel threads         exit_kernel, kernel_main, critical_exit_kernel, kernel_wait in wait_after, and a branch on
//                          threads.on_kernel in every critical function that waits, wakes or frees
//   before the first upcall    threads_begin, thread_record, make_handlers in it, timers_tick, threads_become,
//                          threads_become_idle
//   no upcalls             threads_processor, and `slots == 0` in scheduler_loop
//   never comes back       package_end (a worker's fault)
//   only inlined           event_add and units_watch as functions of their own
//   races of two processors    give_back() in the waits, what follows a failed exchange, who waits for a guard at the
//                          moment that the copy wants it (half of threads_spin_recovery): they happen in some runs
// How far the rest comes differs from run to run by some percent, so bounds are below that.
static const unsigned least[PARTS] = {[PART_CRITICAL] = 70, [PART_COPY] = 76, [PART_SPIN] = 25, [PART_REST] = 73};

static void report(void)
{
    for (uint32_t f = 1; f <= functions; f++) {
        unsigned all = 0, there = 0;
        for (uint32_t i = 0; i < places; i++) {
            all += place[i].function == f;
            there += place[i].function == f && ever[i];
        }
        if (there < all) {
            printf("    %-40s %4u of %4u\n", function_name[f], there, all);
        }
    }
    for (enum part p = 0; p < PARTS; p++) {
        unsigned all = 0, there = 0;
        for (uint32_t i = 0; i < places; i++) {
            all += place[i].part == p;
            there += place[i].part == p && ever[i];
        }
        printf("%s: stopped at %u of %u instructions\n", part_name[p], there, all);
        fflush(stdout);
        assert_true(all != 0 && there * 100 >= all * least[p]);
    }
}
static void test_every(void **state)
{
    (void)state;
    read_instructions();
    ever = mmap(NULL, PLACES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t from = (uint64_t)__executable_start & ~(uint64_t)(ABI_PAGE - 1);
    uint64_t to = ((uint64_t)etext + ABI_PAGE - 1) & ~(uint64_t)(ABI_PAGE - 1);
    assert_int_equal(mprotect((void *)from, to - from, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
    host_child(work_1);
    host_child(work_4);
    host_child(paths_1);
    host_child(paths_2);
    host_child(operations_1);
    report();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
