// thread.h - threads: registers in a state page, a space, a kernel that handles what happens to them.
//
// Not here: choosing who runs (sched.c), forwarding and resuming (trap.c).
// States: READY -> RUNNING -> {READY, WAITING} -> READY; only sched.c writes them.  A thread that runs on
// another processor is unloaded by that processor: it is asked by an interrupt.
// Depth 0 is the program in `space`; at depth 1 and more it runs a handler in its kernel's space, and then
// the program's space may be gone (space is NULL).
// Fields: I immutable while loaded  l instance lock  p the processor it runs on
#pragma once
#include <abi/frame.h>

#include "activation.h"
#include "handle.h"

enum thread_status { THREAD_READY, THREAD_RUNNING, THREAD_WAITING };

struct thread {
    struct object     o;           // first
    struct appkernel *kern;        // I  its handlers, and whose rights it uses
    struct appkernel *owner;       // I  who hears of its writeback
    struct space     *space;       // l  the program's, or NULL; see thread_set_space()
    struct thread_state *state;    // I  through the map of memory
    pa_t              state_pa;    // I
    va_t              state_va;    // I
    va_t              xstack;      // I
    uint64_t          cookie;      // I
    uint64_t          affinity;    // I
    uint32_t          depth;       // p
    uint32_t          priority;    // l
    uint32_t          level;       // l  while RUNNING or READY: where it is in line, see sched.h
    uint8_t           status;      // l  enum thread_status
    bool              signalled;   // l  a signal that wait has not taken yet
    bool              timed;       // l  on a processor's list of deadlines
    cpu_t             cpu;         // l  where it runs, is ready, or ran last
    struct share     *share;       // l  its kernel's there; see sched_place()
    uint64_t          deadline;    // l  of wait, 0: none
    uint64_t          slice;       // l  ticks left of its slice, 0: a fresh one
    uint64_t          value;       // l  given by its own thread_unload
    va_t              function;    // I  its signal function, or 0
    bool              due;         // l  a signal is queued that its function can take; read without the lock by its CPU
    bool              stopped;     // l  UNLOADING, and not running or ready any more
    uint8_t           run;         // l  enum thread_run: what it did when it was stopped
    uint32_t          signals;     // l  mappings whose signals it gets: see pmap.c
    struct thread    *state_next;  // l  in the hash of state pages
    struct list       sibling;     // l  on its space's list
    struct list       queue;       // l  on a ready list
    struct list       timer;       // l  on a processor's list of deadlines

    // Activations: see activation.h.
    struct space     *home;        // l  whose activation it is, or NULL
    uint32_t          index;       // I
    uint32_t          events;      // l  to be told: enum upcall_kind
    uint8_t           act;         // l  enum activation_state
    bool              fresh;       // l  it has no context
    bool              paused;      // l  its context goes on by itself
    bool              entering;    // l  a claim that has not begun on its processor
    bool              added;       // l  and when it does, its space has one more
    bool              upcall;      // l  an upcall is due
    bool              drop;        // l  it is to leave its processor
    bool              quiet;       // l  blocked while upcalls are disabled
    bool              handling;    // l  its handler is ready or runs, without a claim
    bool              stalled;     // l  an upcall that waits for the page that its event waits for
    bool              warned;      // l  of the end of its quantum
    va_t              stack;       // l  of its last upcall
    struct activation_user   *user;     // l  its words of its home's area
    struct activation_kernel *block;    // l
    uint64_t          interval, interval_left, looked;      // l  timers
    struct list       activation;  // l  on a list of its home
};

// Is it in `wait`?  An activation that is fresh or stopped is not.
static inline bool thread_waits(const struct thread *t)
{
    return t->status == THREAD_WAITING && t->act != ACT_FRESH && t->act != ACT_STOPPED;
}

// Load for kernel `owner`; it is ready at once.
err_t thread_load(struct cpu *cpu, struct appkernel *owner, const struct thread_desc *d, oid_t *id);
bool  thread_unload_step(struct cpu *cpu, struct thread *t);
bool  thread_pinned(const struct thread *t);
// Change the program's space; NULL: it has none.
void  thread_set_space(struct thread *t, struct space *s);
// LOADED -> UNLOADING, remembering why.
void  thread_doom(struct cpu *cpu, struct thread *t, uint32_t reason, uint64_t value);
