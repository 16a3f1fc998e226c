// fake_impl.h - what the halves of the simulation share: fake.c, the supervisor, and fake_run.c, who runs.
#pragma once
#include "appkernel_impl.h"
#include "fake.h"
#include "fake_switch.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p))
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)(save))
#define __sanitizer_finish_switch_fiber(fiber, bottom, size) ((void)(fiber))
#endif

enum { FAKE_SLOTS = 32, FAKE_SLICE = 400 };
// PROGRAM: depth 0, which is no coroutine; in the slot the depth is 1.
enum status { EMPTY, READY, WAITING, PROGRAM };

struct slot {
    enum status status;
    oid_t id;
    struct thread_state *state;
    uint64_t cookie, deadline, loaded_at, value;
    va_t stack, xstack;
    uint32_t depth, reason, priority;
    bool doomed;                         // its id is stale: it is on its way out
    bool signalled;
    unsigned held_up;                    // turns that its processor does other things
};

extern struct fake_setup fake_setup;
extern struct kernel_info fake_info;
extern struct slot fake_slot[FAKE_SLOTS];        // the first thread's is 0
extern struct slot *fake_current;                // NULL: the scheduler
extern struct slot *fake_leaving;                // not loaded any more; the channel does not say so yet
extern uint64_t fake_clock, fake_generation;
extern bool fake_over, fake_failed;
extern int fake_end_value;

bool fake_chance(unsigned one_in);               // 0: never
void fake_switch_out(void);                      // from a coroutine to the scheduler
void fake_switch_in(struct slot *s);             // and back
struct slot *fake_victim(uint64_t before);       // a random one of those that were loaded before
void fake_doom(struct slot *s, uint32_t reason, uint64_t value);     // the three steps of a writeback
void fake_unload(struct slot *s);
void fake_finish(void);
void fake_reload_first(void);
bool fake_untold(void);                          // the first thread has an id that it does not know yet
