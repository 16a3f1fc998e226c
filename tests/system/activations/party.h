// party.h - spaces of activations for tests: their owner, who loads them again, and the program that runs in them.
#pragma once
#include "../harness.h"

#include <abi/activation.h>

enum {
    ACTIVATIONS = 6, SLOTS = 32, AREA_PAGES = 2 + 1 + 1 + SLOTS / 2,
    AREA = 0x10000000, DATA = 0x20000000, STACKS = 0x30000000,
    WORKER_STACKS = STACKS + SLOTS * ABI_PAGE, STACK_PAGES = SLOTS + ACTIVATIONS,
    READY_MOST = 2 * STACK_PAGES, NOWHERE = 0x123000,
    OWN_CALL = 1000,                     // of the program's, to its kernel
};
enum command { COMMAND_NONE, COMMAND_RELEASE, COMMAND_ASK, COMMAND_BLOCK, COMMAND_FAULT };
enum behaviour { WELL_BEHAVED, SCRIBBLES, FORGETS_SLOTS, FAULTS };

// What the program shares with the test.
struct shared {
    uint64_t behaviour, random;
    uint32_t command;                    // whoever sees it first does it
    uint32_t helps;                      // the most that the supervisor has said
    uint64_t line[ACTIVATIONS];          // a checksum of each worker, above the number of its steps: 32 bits each
    uint32_t wrong;                      // workers that ran twice, handlers that failed
    uint32_t fresh, left;                // workers that can begin; slots whose stack is not used any more: a bit each
    uint32_t next, last;                 // where to look in `ready`
    va_t     ready[READY_MOST];          // contexts: the frames on their stacks
    uint64_t heard[UPCALL_KINDS];        // events, by bit of upcall_kind
    uint64_t warned, seen;               // when it was warned, or 0; when it ran last since then
    uint64_t graces, shortest, longest;  // from a warning to the loss of the processor
};

struct party {
    struct test_space space;
    struct test_thread thread[ACTIVATIONS];
    pa_t     area, data, stack;
    uint32_t priority, activations;
    va_t     entry;                      // of its upcalls
    uint64_t turn;                       // when one of them was loaded last
    volatile uint64_t blocks, refused, ended;
    volatile bool holds;                 // its calls block until it is false
};

void party_make(struct party *p, uint32_t priority, enum behaviour behaviour, uint32_t wanted);
// Load what is not loaded.
void party_keep(struct party *p);
void party_end(struct party *p);
struct shared *party_shared(const struct party *p);
struct space_kernel_page *party_page(const struct party *p);
struct space_user_page *party_user(const struct party *p);
struct activation_user *activation_words(const struct party *p, uint32_t i);
// Each of its workers gets on from now on.
void party_check(struct party *p, const char *name);
// Ticks for which its activations have run, all together.
uint64_t party_ran(const struct party *p);
// Steps of its checksums, which are right, or it is said that they are not.
uint64_t party_steps(const struct party *p);

// One step of a checksum, and its number.
static inline uint64_t line_step(uint64_t line)
{
    return ((line >> 32) * 1664525 + 1013904223) << 32 | (uint32_t)(line + 1);
}

// The program: code that is copied to the pages at TEXT of each space.  Upcalls begin at program_entry.
extern const char __start_program[], __stop_program[], program_entry[];
_Noreturn void program_upcall(uint64_t first, uint64_t count, const struct activation_kernel *k);

void test_shares(void);
void test_words(void);
void test_timers(void);
void test_hostile(void);
