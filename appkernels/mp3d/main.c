// main.c - MP3D, the wind tunnel: an application kernel that runs a simulation in a space of its own.
//
// The simulation (sim/) is an ordinary program that knows where its particles are; this kernel gives it
// memory when it touches it (memory.c), lets its workers wait for each other, and prints the result.
// `docs/mp3d.md` says how to run it, and what is measured with it.
//
// What to simulate: words (sim/words.c) from args="..." of its line in the policy file, then those behind
// the program name `mp3d` of `quoin run ... -- mp3d WORDS`, in this order.  `input=NAME` reads words from a
// file of the boot archive's tree; `measure` prints what the measured steps took.  Cache Kernel, 3.
#include <base.h>
#include <cpio.h>
#include <device.h>
#include <sys.h>

#include "mp3d.h"

enum { WRONG = 2, PRIORITY = 8 };        // PRIORITY: of workers, or the highest that is allowed

_Noreturn void mp3d_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void mp3d_fault(struct thread_state *s, uint64_t cookie, unsigned depth);      // memory.c
_Noreturn void mp3d_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(mp3d_trap, mp3d_fault, mp3d_exception);

const char ak_name[] = "mp3d";

static struct sim *sim;
static struct sim_setup setup;
static struct worker worker[SIM_THREADS];
static bool measure;

// ---- words ------------------------------------------------------------------------------------------------

static bool take_text(const char *text, size_t length)
{
    const char *bad;
    size_t bad_length;

    if (sim_words(&setup, text, length, &bad, &bad_length)) {
        return true;
    }
    ak_log("not understood: %.*s", (int)(bad_length < 80 ? bad_length : 80), bad);
    return false;
}

static bool take_file(const char *name)
{
    struct cpio_entry e;
    char path[128];

    base_format(path, sizeof(path), "root/%s", *name == '/' ? name + 1 : name);
    if (!cpio_find(ak_window(ak_info->archive), ak_info->archive_length, path, &e)) {
        ak_log("there is no file %s", name);
        return false;
    }
    return take_text(e.data, e.size);
}

static bool take_word(const char *word, size_t length)
{
    char text[128];

    if (length >= sizeof(text)) {
        return take_text(word, length);
    }
    memcpy(text, word, length);
    text[length] = '\0';
    if (strcmp(text, "measure") == 0) {
        measure = true;
        return true;
    }
    return strncmp(text, "input=", 6) == 0 ? take_file(text + 6) : take_text(text, length);
}

// The words of args="..." in the kernel's line.
static bool take_policy(const char *line)
{
    static const char key[] = "args=\"";

    for (; *line != '\0' && strncmp(line, key, sizeof(key) - 1) != 0; line++) {
    }
    const char *at = *line == '\0' ? line : line + sizeof(key) - 1;
    while (*at != '\0' && *at != '"') {
        const char *word = at;
        while (*at != '\0' && *at != '"' && *at != ' ') {
            at++;
        }
        if (at > word && !take_word(word, (size_t)(at - word))) {
            return false;
        }
        at += *at == ' ';
    }
    return true;
}

// boot/run: settings, an empty string, then the program and its words, each with a NUL.
static bool take_run(void)
{
    struct cpio_entry e;
    bool program = false, mine = false;

    if (ak_info->archive == 0 ||
        !cpio_find(ak_window(ak_info->archive), ak_info->archive_length, "boot/run", &e)) {
        return true;
    }
    const char *at = e.data, *end = at + e.size;
    while (at < end) {
        size_t n = strnlen(at, (size_t)(end - at));
        if (mine && !take_word(at, n)) {
            return false;
        }
        mine = mine || (program && n == 4 && memcmp(at, "mp3d", 4) == 0);
        if (program && !mine) {
            return true;                 // a program for somebody else
        }
        program = program || n == 0;
        at += n + 1;
    }
    return true;
}

// ---- what the simulation asks for -------------------------------------------------------------------------

static struct ak_mutex meeting;
static uint32_t arrived, round, ended;           // meeting; round also a

static void barrier(struct worker *w)
{
    ak_mutex_lock(&meeting, &w->thread);
    uint32_t mine = round;
    if (++arrived == setup.threads) {
        arrived = 0;
        __atomic_store_n(&round, mine + 1, __ATOMIC_RELEASE);
        for (unsigned i = 0; i < setup.threads; i++) {
            if (&worker[i] != w) {
                ak_wake(&worker[i].thread);
            }
        }
    }
    ak_mutex_unlock(&meeting);
    while (__atomic_load_n(&round, __ATOMIC_ACQUIRE) == mine) {
        (void)ak_block(&w->thread, 0);
    }
}

struct taken {
    uint64_t ticks, loads, replaced, faults, pages;
};
static struct taken at_begin, at_end;            // worker 0, then ak_main

static struct taken taken_now(void)
{
    volatile const struct system_stats *stats = ak_stats;

    return (struct taken){ak_now(), stats->loads[OBJECT_MAPPING], stats->writebacks[OBJECT_MAPPING],
                          memory_faults(), memory_pages()};
}

_Noreturn void worker_end(struct worker *w, int value)
{
    if (value != 0 || __atomic_add_fetch(&ended, 1, __ATOMIC_ACQ_REL) == setup.threads) {
        ak_stop(value);
    }
    ak_thread_exit(&w->thread);
}

void mp3d_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct worker *w = (struct worker *)cookie;

    switch (s->frame[depth].rax) {
    case CALL_END:
        worker_end(w, 0);
    case CALL_BARRIER:
        barrier(w);
        break;
    case CALL_BEGIN:
        at_begin = taken_now();
        break;
    case CALL_FINISH:
        at_end = taken_now();
        break;
    default:
        ak_log("worker %u: there is no call %lu", w->number, (unsigned long)s->frame[depth].rax);
        worker_end(w, 139);
    }
    memory_return(w);
}

void mp3d_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    const struct frame *f = &s->frame[depth];

    if (depth != 0) {
        ak_panic("exception %u at %lx", f->vector, (unsigned long)f->rip);
    }
    ak_log("the simulation failed: exception %u at %lx", f->vector, (unsigned long)f->rip);
    worker_end((struct worker *)cookie, 139);
}

// ---- the whole --------------------------------------------------------------------------------------------

static void put(const char *text, size_t length)
{
    for (size_t done = 0; done < length;) {
        uint64_t n = 0;
        if (device_write(ak_info, DEVICE_TERMINAL, text + done, length - done, &n) != ERR_OK) {
            return;                      // this kernel was not given the console
        }
        done += n;
        if (n == 0) {
            (void)sys_wait(ak_now() + ak_ticks_from_ns(100000));
        }
    }
}

static void put_line(const char *text)
{
    put(text, strlen(text));
    put("\n", 1);
}

static void put_measured(void)
{
    const struct { const char *name; uint64_t begin, end;
    } row[] = {
        {"ticks", at_begin.ticks, at_end.ticks},          {"loads", at_begin.loads, at_end.loads},
        {"replaced", at_begin.replaced, at_end.replaced}, {"faults", at_begin.faults, at_end.faults},
        {"pages", 0, at_end.pages},
    };
    char text[80];

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        base_format(text, sizeof(text), "measured %s %lu", row[i].name,
                    (unsigned long)(row[i].end - row[i].begin));
        put_line(text);
    }
}

// On the worker's own thread, in this kernel's space: what the program starts with.
static void start(void *arg)
{
    struct worker *w = arg;
    struct frame *f = &w->thread.state->frame[0];

    f->rip = PROGRAM_TEXT;
    f->rdi = w->number;
    f->rsp = PROGRAM_STACK + (w->number + 1) * PROGRAM_STACK_SIZE - 8;
    f->rflags = 0x202;
    memory_return(w);
}

static void resume(struct ak_thread *t)
{
    memory_return((struct worker *)t);
}

static int run(void)
{
    uint32_t most = ak_info->limits.max_priority;

    for (unsigned i = 0; i < setup.threads; i++) {
        worker[i].number = i;
        if (ak_thread_create(&worker[i].thread, most < PRIORITY ? most : PRIORITY, 0) != ERR_OK) {
            ak_log("there is no memory for worker %u", i);
            return WRONG;
        }
        worker[i].thread.resume = resume;
    }
    for (unsigned i = 0; i < setup.threads; i++) {
        ak_thread_run(&worker[i].thread, start, &worker[i]);
    }
    int value = ak_service(NULL);
    if (value == 0 && sim->failed) {
        ak_log("the simulation had too few pages");
        return WRONG;
    }
    if (value == 0) {
        sim_report(sim, put_line);
        if (measure) {
            put_measured();
        }
    }
    return value;
}

int ak_main(const struct kernel_info *info)
{
    sim_defaults(&setup);
    if (!take_policy(info->args) || !take_run()) {
        return WRONG;
    }
    const char *wrong = sim_check(&setup);
    if (wrong != NULL) {
        ak_log("%s", wrong);
        return WRONG;
    }
    sim = memory_init();
    if (sim == NULL) {
        ak_log("there is no memory");
        return WRONG;
    }
    sim->setup = setup;
    if (sim_layout(sim, PROGRAM_AREA) > PROGRAM_END - PROGRAM_AREA) {
        ak_log("too many particles for the simulation's address space");
        return WRONG;
    }
    return run();
}
