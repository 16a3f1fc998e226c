// harness.h - what test kernels share: checks that print a line, memory, threads with handlers of their own.
//
// A test kernel is as small as an application kernel can be, so that nothing but the supervisor is tested:
// one thread runs test_main(); there is no service thread, and nothing is loaded again behind the test's
// back. A fault of the test's own code at a SYSCALL instruction (a bad pointer) is turned into the answer
// FAULTED.
#pragma once
#include <base.h>
#include <device.h>
#include <sys.h>

#include <abi/frame.h>

enum { FAULTED = 1000 };                 // in place of an error: the call's argument faulted
enum { TEXT = 0x400000 };                // where programs are mapped in program spaces

extern const struct kernel_info *info;
extern const struct system_info *machine;
extern volatile const struct system_stats *stats;

unsigned test_main(void);                // what it gives is ignored: failures are counted by check()

// ---- checks -----------------------------------------------------------------------------------------------

// One line on the console: `ok name`, or `not ok name: why`.
bool check(bool good, const char *name, const char *why, ...) __attribute__((format(printf, 3, 4)));
#define CHECK(condition, name) check((condition), (name), "%s", #condition)
void check_error(err_t got, err_t expected, const char *name);
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));   // a line that is no check
const char *error_name(err_t e);
unsigned failures(void);
// End the kernel with the number of failures; the first kernel ends the machine.
_Noreturn void test_end(void);

// Free descriptors and mappings: taken before, compared after.
struct counts {
    uint32_t kernels, spaces, threads, mappings, tables, locked;
};
struct counts counts_now(void);
void counts_check(const struct counts *before, const char *name);

// ---- memory -----------------------------------------------------------------------------------------------

pa_t  page_take(void);                   // a cleared page; ends the test if there is none
void  page_give(pa_t page);
static inline void *window(pa_t pa)
{
    return (void *)(ABI_WINDOW + pa);
}
static inline uint64_t now(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
static inline uint64_t milliseconds(uint64_t n)
{
    return n * (machine->tsc_hz / 1000);
}
// Sleep so long, whatever signals come: the first thread is signalled at every writeback.
void sleep_for(uint64_t ticks);
// Wait until the condition holds, a minute at most (the emulator may get little time); gives whether
// it does.
#define EVENTUALLY(condition)                                       \
    ({                                                              \
        uint64_t until_ = now() + milliseconds(60000);              \
        while (!(condition) && now() < until_) {                    \
            (void)sys_wait(now() + milliseconds(1));                \
        }                                                           \
        (condition);                                                \
    })

// ---- calls with any arguments -----------------------------------------------------------------------------

struct raw {
    uint64_t number, a, b, c, d, e, f, error, value;
};
void raw_call(struct raw *r);
static inline err_t raw(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct raw r = {number, a, b, c, d, 0, 0, 0, 0};
    raw_call(&r);
    return (err_t)r.error;
}

// ---- spaces and threads -----------------------------------------------------------------------------------

struct test_space {
    oid_t         id;
    struct place *place;
};
// Loads, waiting while the supervisor answers `again`.
err_t space_open(struct test_space *s, uint32_t rule, uint32_t flags);
void  space_close(struct test_space *s);

// A thread with a state page and an exception stack.  Its handlers run what is set here; if NULL, the
// thread ends itself with the number of the call, or 1000 + vector.  They end with thread_return().
struct test_thread {
    oid_t  id;
    struct thread_state *state;
    pa_t   state_pa, stack;
    struct thread_desc desc;
    struct test_space *space;
    void (*on_trap)(struct test_thread *t, unsigned depth);
    void (*on_fault)(struct test_thread *t, unsigned depth);
    void (*on_exception)(struct test_thread *t, unsigned depth);
    volatile uint64_t traps, faults, exceptions;
};
// Registers cleared, RIP at TEXT.
void  thread_make(struct test_thread *t, struct test_space *s);
err_t thread_start(struct test_thread *t);       // loads it, waiting while the answer is `again`
void  thread_free(struct test_thread *t);        // unloads it if it is loaded, gives its pages back
// Make it run a function of the test in the kernel's own space, at depth 1.
void  thread_call(struct test_thread *t, void (*function)(struct test_thread *t));
bool  thread_loaded(const struct test_thread *t);
_Noreturn void thread_return(struct test_thread *t);             // resume the program
_Noreturn void thread_end(uint64_t value);

// Copy a program to a page and map it at TEXT.  Gives the page.
#define PROGRAM(name) program_##name, program_##name##_end
#define DECLARE_PROGRAM(name) extern const char program_##name[], program_##name##_end[]
DECLARE_PROGRAM(spin);
DECLARE_PROGRAM(trap);
DECLARE_PROGRAM(wait);
DECLARE_PROGRAM(store);
DECLARE_PROGRAM(load);
DECLARE_PROGRAM(ud);
DECLARE_PROGRAM(count);
DECLARE_PROGRAM(add);
DECLARE_PROGRAM(sse);
DECLARE_PROGRAM(registers);
DECLARE_PROGRAM(call);
pa_t program_put(struct test_space *s, const char *begin, const char *end);
// mapping_load, waiting while the supervisor answers `again`.
err_t map_page(struct test_space *s, va_t va, pa_t pa, uint64_t flags);
