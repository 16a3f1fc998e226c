// srm.h - what the files of the system resource manager share.
//
// An app is an application kernel that the policy file names.  Its descriptors (own space, kernel, first
// thread) may be written back whenever they are not locked; what is needed to load them again is here and
// in its memory.
// States: an app is started (APP_LIVE), and ends once (APP_ENDED); while live its descriptors come and go.  One that
// is swapped out (`out`) is live, but is not loaded again until the policy says so.
// Everything runs on one thread.
#pragma once
#include <abi/boot.h>
#include <abi/errors.h>
#include <abi/frame.h>
#include <abi/object.h>

#include <rpc_channel.h>

#include "policy.h"

enum app_state { APP_NEW, APP_LIVE, APP_ENDED };

// What a cookie names: an app, and which of its descriptors.
enum app_part { PART_SPACE = 1, PART_KERNEL = 2, PART_THREAD = 3 };
#define APP_COOKIE(index, part) ((uint64_t)(index) << 2 | (part))

enum { APP_RANGES = 8, APP_SEGMENTS = 8, APP_GRANTS = 32 };

// The first pages of an app's first range.  Frame states follow.
enum app_page { PAGE_INFO, PAGE_CHANNEL, PAGE_STATE, PAGE_CALLS, PAGE_ANSWERS, PAGE_FRAME_STATES };

struct app_segment {                     // of its image
    struct memory_range memory;
    va_t     va;
    uint32_t flags;                      // enum map_flags
};

struct app {
    const struct policy_kernel *policy;
    enum app_state state;
    uint64_t value;                      // what it ended with
    bool     locked;                     // its descriptors are locked
    bool     ran;                        // its first thread has been loaded before
    bool     out;                        // it is swapped out
    uint64_t share_given, priority_given;        // by the policy, at present
    uint64_t asked;                      // bytes that the policy lends it at present
    struct memory_range loan;            // what it got of that; length 0: nothing
    oid_t    space, kernel, thread;      // may be stale
    struct place *place;                 // two of srm's own: kernel, space
    struct memory_range range[APP_RANGES];
    unsigned ranges;
    struct app_segment segment[APP_SEGMENTS];
    unsigned segments;
    struct appkernel_note note;
    va_t     entry;
    uint64_t first_frame, frame_count;   // of its frame-state table
    uint64_t retry;                      // not loaded again before this moment
    // What it asked for and got (serve.c, account.c).
    struct memory_range grant[APP_GRANTS];       // length 0: none
    uint8_t  share[ABI_MAX_CPUS];        // what it has of what it was given
    uint32_t priority;                   // the highest of its threads
    struct rpc_object object[1 + APP_GRANTS];
    struct rpc_server server;
    struct com_channel calls, answers;
    uint64_t busy_since, busy;           // the span of time in which srm has worked for it so many ticks
};

// Where an app finds its two message pages: in the window's first unit, which is no memory that anybody is granted.
enum { SERVICE_PAGE = 64 };              // behind those of the devices
#define SERVICE_VA (ABI_WINDOW + SERVICE_PAGE * ABI_PAGE)

extern const struct kernel_info *srm_info;
extern const struct system_info *srm_system;

void srm_main(const struct kernel_info *info) __attribute__((noreturn));

static inline void *srm_window(pa_t pa)
{
    return (void *)(ABI_WINDOW + pa);
}
static inline pa_t srm_window_pa(const void *p)
{
    return (pa_t)p - ABI_WINDOW;
}
static inline uint64_t srm_now(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
static inline struct thread_state *app_thread_state(const struct app *a)
{
    return srm_window(a->range[0].base + PAGE_STATE * ABI_PAGE);
}

// log.c
void srm_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void srm_power_off(uint32_t status);
_Noreturn void srm_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));   // status 125

// image.c: memory and contents, once.  False, with a line in the log: it cannot be.
bool app_prepare(struct app *a);
void app_release(struct app *a);         // give its memory back
bool app_take_loan(struct app *a, uint64_t bytes);       // false: there is not so much in one piece
void app_give_loan(struct app *a);

// main.c: unload it, give its memory back; ends everything if it was the last one or the primary one.
void app_end(unsigned index, uint64_t value);

// swap.c: what the policy file says about time.
void swap_start(const struct policy *policy);    // the clock of the policy begins
void swap_prepare(struct app *a, unsigned index);        // what an app begins with: in or out, share, priority
void swap_loaded(unsigned index);                // it was loaded by its start
void swap_ended(unsigned index);
// Do what is due for the apps.  Gives the moment at which to be called again, 0: none.
uint64_t swap_run(struct app *app, unsigned count);

// load.c: its descriptors.  False, with a line in the log, if the supervisor refuses them for good.
bool app_load(struct app *a, unsigned index);
// Its first thread alone, after it was written back.  ERR_OK, ERR_STALE: its kernel has gone too; or a
// refusal.
err_t app_load_thread(struct app *a, unsigned index);
void app_unload(struct app *a);
// Let it use its loan, or take that away from it: when this comes back nothing of it refers to that memory.
void app_open_loan(struct app *a, uint64_t ends);
void app_close_loan(struct app *a);
const char *srm_error_text(err_t e);

void srm_wait_a_little(void);
// What it may hold and lock, with this priority as its highest.
struct kernel_limits app_limits(const struct app *a, uint32_t priority);

// device.c: which devices it has, as kernel_info.devices; their pages in its space; those for signals, which its first
// thread gets; and silence, when it has ended.
uint32_t app_devices(const struct app *a);
err_t app_map_devices(struct app *a, unsigned index);
err_t app_map_signals(struct app *a, unsigned index);
void  app_quiet_devices(unsigned index);

// More memory than the first: rights and mappings of a range, and away with both.  Bounded: AGAIN if there is no room
// for a mapping now, STALE if its descriptors are not loaded.
err_t app_load_range(struct app *a, const struct memory_range *r);
err_t app_unload_range(struct app *a, const struct memory_range *r);

// serve.c: calls of the interface that srm offers (lib/interface/srm.interface).
void serve_open(struct app *a, unsigned index);  // once, after its memory is there
void serve_close(struct app *a, unsigned index);         // it has ended
// Serve everyone who calls, a bounded while each.  Gives the moment at which to do so again; 0: at the next signal.
uint64_t serve_all(struct app *apps, unsigned count);
// Wait until something else than a call is to be done, or the clock reaches the deadline (0: none); serve calls
// meanwhile.
void serve_wait(struct app *apps, unsigned count, uint64_t deadline);

// account.c: what those calls do.
extern const struct account_operations account_operations;
struct app *app_number(unsigned index);          // main.c: NULL if the policy has no such kernel
void account_release(struct app *a);             // its grants go back

// allocate.c: it decides about processors, if the policy has weights, and answers what it is asked.
void allocate_start(const struct policy *policy);
void allocate_look(void);

// report.c
void report_death(const struct app *a);
