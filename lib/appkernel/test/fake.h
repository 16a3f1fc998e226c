// fake.h - a supervisor for one application kernel, simulated: all that may happen does, at random.
//
// Threads are coroutines: their registers are in their state pages as on the machine, so a thread that was
// written back goes on, or is started in its resume(), with what the library left there.  As many processors
// as threads: after each point (points.h, and the entry of each call) anyone who is ready may be the next.
// Threads are written back in steps: first the id is stale, and the thread may run on; then its state page
// says that it is not loaded; then the channel says so.  Each next step comes at a random moment, or with the
// next call of anyone.
//
// A run boots with ak_start() and ends with the first thread, or when a check fails: then it gives
// FAKE_FAILED.  What the library keeps in static variables is not made new by another run: fake_seeds gives
// each one a process.
#pragma once
#include <abi/boot.h>
#include <abi/frame.h>
#include <abi/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_FAILED = -1, FAKE_PAGES = 1100 };
#define FAKE_MEMORY (1ull << 40)         // physical; the window of lower addresses is the sanitizer's

struct fake_setup {
    uint64_t seed;
    unsigned slots;                      // threads in the cache, the first one too; at least 3
    unsigned chop;                       // at one in so many points somebody else runs
    unsigned evict;                      // before one in so many turns a thread is written back; 0: never
    unsigned reload;                     // before one in so many turns the first thread is loaded anew; 0: never
    unsigned again;                      // percent of the loads that find no room
    unsigned entries;                    // of the channel until it is full, at most CHANNEL_ENTRIES
    unsigned cpus;                       // what the system page says
    uint64_t turns;                      // after so many the run has failed
    struct memory_range range[8];        // inside FAKE_MEMORY; none: a megabyte
    unsigned ranges;
    bool states;                         // there is a frame-state table, in the frame before the first range
    // Nobody can run until the clock is `next`, if that is not 0.  The test looks at its threads.  False, and
    // next is 0: nothing will ever happen any more, and that is an error.
    bool (*quiet)(uint64_t next);
    // Would the program of this thread make a call if it ran now?
    bool (*program)(uint64_t cookie);
    // Its handler.
    void (*trap)(struct thread_state *s, uint64_t cookie, unsigned depth);
};

enum { FAKE_PRIORITY = 16 };                             // the kernel's highest
uint32_t fake_priority(oid_t thread);                    // that the supervisor knows; UINT32_MAX: not loaded
int  fake_run(const struct fake_setup *setup);           // what the first thread gave, or FAKE_FAILED
uint32_t fake_draw(uint32_t below);
void fake_input(void);                                   // a device has input: the listener is signalled
void fake_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define FAKE_CHECK(good)                                                                                  \
    do {                                                                                                  \
        if (!(good)) {                                                                                    \
            fake_fail("%s:%d: %s", __FILE__, __LINE__, #good);                                            \
        }                                                                                                 \
    } while (0)

extern char fake_log[4096];                              // what was written to the log
extern char fake_failure[512];                           // what fake_fail was told
extern struct fake_counts {
    unsigned loads, again, writebacks, lost;
    uint64_t turns;
} fake_counts;

// Each seed in a process of its own, from 1, or that of QUOIN_SEED alone.  `run` gives whether all was well.
// Gives the first seed that failed, or 0.
uint64_t fake_seeds(unsigned count, bool (*run)(uint64_t seed));
