// host.h - the supervisor's side of activations on the host: processors are threads of the host's, upcalls are signals.
//
// A signal stops a processor at whatever instruction it is at, its context goes to a slot, and the processor goes on at
// the upcall entry.  Between that the library's code runs as it does in Quoin.  Code of the library's threads may use
// nothing of the host's C library that needs thread-local storage: FS base is the library's.
// One thread, the controller (the test), says what happens; host_do() returns when it has.
#pragma once
#include <signal.h>

#include "../threads.h"

enum { HOST_PROCESSORS = 4, HOST_ACTIVATIONS = 16, HOST_SLOTS = 256 };

enum host_op {
    HOST_NONE,
    HOST_ADD,                            // to a parked processor
    HOST_TELL,                           // UPCALL_PREEMPTED, to tell what is pending
    HOST_INTERVAL,
    HOST_TAKE,                           // preempted, and the processor is parked
    HOST_BLOCK,                          // what runs there blocks in the supervisor
    HOST_FAULT,                          // what runs there has a fault that its owner refuses
    HOST_UNBLOCK,                        // of a step: nothing is stopped, somebody blocked is pending
};

struct host {
    struct threads_machine machine;
    uint64_t held, now;
    uint32_t finished;                   // a  the program says so
    uint32_t blocked;                    // contexts that HOST_BLOCK took
    uint64_t asked, ops, declined;
    uint64_t told_added, told_taken, released;
    enum host_op (*step)(uint64_t rip);  // single steps: asked before each instruction of the program, if not NULL
    // Without steps: a breakpoint, which the program has put at *rip - 1 and takes away; it goes on at *rip.
    enum host_op (*trap)(uint64_t *rip);
    uint64_t steps;
};
extern struct host host;

// An area, the memory and processors; each test once, in a process of its own.
void host_begin(struct threads_setup *setup, unsigned processors);
// False: it could not be done now (not in that state, or no slots).
bool host_do(unsigned processor, enum host_op op);
bool host_unblock(void);                 // the first of the blocked ones; it is pending then
bool host_pending(void);
unsigned host_random(unsigned below);    // xorshift
void host_seed(uint64_t seed);
// Run until the program has finished and nothing is held: `chaos` out of 100 rounds something happens at random.
void host_run(unsigned processors, unsigned chaos);
// Accounts at the end: false, and a line that says which does not balance.
bool host_balanced(void);
// Run fn in a child process, for a library with one state; fails the cmocka test if it does not exit with 0.
void host_child(void (*fn)(void));
