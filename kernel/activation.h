// activation.h - activations: threads of a space that is given whole processors, and the events it is told.
//
// States of an activation (thread.act; only activation.c and claim.c write it):
//   NONE      not one: a thread like any other.  thread.home is NULL
//   FRESH     in its home's pool; it has no context
//   CLAIM     ready: claims a processor.  Running: its space holds that one.  It runs its program, or a handler
//   BLOCKED   in a handler or in `wait`, without a claim: a handler of it is scheduled like any thread, but on one of
//             the processors that its space would get
//   STOPPED   its context is to be told, or to go on by itself (`paused`); without a claim
//   FRESH -> CLAIM -> FRESH                 the allocator adds a claim, takes it back; the program gives it up
//   CLAIM -> BLOCKED -> STOPPED             wait; then resume, or the end of a wait in the program
//   CLAIM -> STOPPED                        the allocator takes a processor back
//   STOPPED -> CLAIM, FRESH                 it is the next to run; its context has been told
// A ready CLAIM that was preempted has a context to tell, too. All that have are on the list of events of their home,
// with their kinds in thread.events, until an upcall of that space puts them in slots. So no event needs memory of
// the supervisor's, and none can be lost. A context whose program has disabled upcalls is `paused` instead, and goes
// on when there is a processor. thread.upcall (and .due): when this one gets to its program, it is to begin an
// upcall, or to go on if paused. A BLOCKED activation in a handler has no program space (thread.space is NULL), so
// that its resume comes here. Locking: the instance lock. Scheduler Activations, 3.1 and 3.2; the interface is
// abi/activation.h.
#pragma once
#include <abi/activation.h>

#include "list.h"
#include "names.h"

enum look { LOOK_WANTS = 1, LOOK_CLAIMS = 2 };
enum { UPCALL_TIMERS = UPCALL_INTERVAL | UPCALL_ALARM | UPCALL_QUANTUM };
enum activation_state { ACT_NONE, ACT_FRESH, ACT_CLAIM, ACT_BLOCKED, ACT_STOPPED };

struct claims {                        // of a space; all but link and schedule only with SCHEDULE_ACTIVATIONS
    uint32_t schedule;                 // I  enum schedule
    uint32_t priority;                 // I
    uint32_t activations, slots;       // I
    uint64_t loaded[ACTIVATIONS_MOST / 64];   // l  indices in use, a bit each
    pa_t     area;                     // I
    va_t     area_va, upcall;          // I
    struct space_kernel_page *page;    // I  owner's memory, as the following
    struct space_user_page   *user;    // I
    struct upcall_slot       *slot;    // I
    uint32_t count;                    // l  activations that are CLAIM
    uint32_t dropping;                 // l  of them, such as have been told to leave their processors
    uint32_t entering;                 // l  of them, such as are in line
    uint8_t  level, wants, gets;       // l  for the policy, and its answer: see fair.h
    uint8_t  changed;                  // l  what the allocator has to look at: enum look
    uint8_t  asked;                    // l  its place in the last question about processors: delegate.c
    bool     tight;                    // l  after the last upcall few slots more than half of them were left, or less
    uint32_t taken;                    // l  slots, modulo 2^32
    uint64_t holds;                    // l  processors, a bit each
    uint32_t held;                     // l  how many
    struct list fresh, events, paused; // l  of threads, by thread.activation
    uint32_t handlers;                 // l  BLOCKED activations whose handler is ready or runs
    uint32_t stalled;                  // l  upcalls that wait for a page
    va_t     fault;                    // l  page for which one of it blocked last
    struct list link;                  // l  on the instance's list of claimants
};

// Every check of a space's descriptor that concerns activations.
err_t activation_decode(const struct cpu *cpu, const struct appkernel *k, const struct space_desc *d);
void  activation_begin(struct cpu *cpu, struct space *s, const struct space_desc *d);
// No thread of s is left.
void  activation_end(struct cpu *cpu, struct space *s);

// May a thread with this descriptor be loaded into s?
bool  activation_index_ok(const struct space *s, const struct thread_desc *d);
// Is there such an index in a space, and no activation with it?
bool  activation_index_free(const struct claims *c, uint64_t index);
// A fresh thread, before it joins.
void  activation_init(struct thread *t, const struct thread_desc *d);
// t, just loaded into s, or about to resume into it, becomes one of its activations. At depth 0 as its state page
// says.
void  activation_join(struct thread *t, struct space *s);
// It leaves: it is written back, or loses its space.  It does not run in its program.
void  activation_leave(struct thread *t);
// What the state page of a thread that is written back says about it.
void  activation_write_back(struct thread *t);

// t, which ran here in CLAIM, has left the processor:
void  activation_preempted(struct thread *t);                       // the caller makes it ready
bool  activation_blocked(struct cpu *cpu, struct thread *t);        // it waits.  True: another one runs here at once
void  activation_dropped(struct cpu *cpu, struct thread *t);        // the allocator has taken the processor
// One that is BLOCKED is ready from now on.  False: it has waited in its program, which does not go on by itself.
bool  activation_ready(struct thread *t);
// The running thread leaves its handler: BLOCKED, it does not go on, its context is told with UNBLOCKED and these
// kinds.  CLAIM: it begins an upcall with these kinds.
void  activation_resume(struct cpu *cpu, struct thread *t, uint32_t kinds);

// What s wants or has may have changed.
void  activation_look(struct space *s);
// For claim.c and upcall.c.  Its context, or that it has blocked, is to be told.
void  activation_tell(struct thread *t, uint32_t kinds);
// It goes on by itself when there is a processor.
void  activation_pause(struct thread *t);
// It claims none any more.  The processor that it has, or would go on with, is held no more, unless its space `keeps`
// it.
void  activation_end_claim(struct thread *t, bool keeps);
// A BLOCKED one runs its handler, or is ready to; or waits again.
void  activation_handling(struct thread *t, bool on);
// Has its program disabled upcalls?
bool  activation_quiet(const struct thread *t);
// The space holds the processor that t runs on, or does so no more.
void  activation_hold(struct thread *t, bool on);
// Its events are in a slot.
void  activation_told(struct thread *t);
// Slots that the program has given and nobody has taken, without such as are kept for those that were told to have
// blocked, as long as none of these goes on: how many, and are there so many.
uint32_t activation_slots(const struct claims *c);
static inline bool activation_has_slots(const struct claims *c, uint32_t n)
{
    return __builtin_expect(!c->tight, 1) || activation_slots(c) >= n;
}
// Are they to be kept for what must be told?
bool  activation_scarce(const struct claims *c);
// Is there a slot for an event of these kinds?
bool  activation_has_room(const struct claims *c, uint32_t kinds);
static inline bool activation_room(const struct claims *c, uint32_t kinds)
{
    return __builtin_expect(!c->tight, 1) || activation_has_room(c, kinds);
}
// It goes on by itself, and was just preempted until now; its timers' events stay.
void  activation_untell(struct thread *t);
// The claim that runs here from now on: does it go on by itself?
bool  activation_goes_on(struct thread *t);
// A claim that cannot begin, or need not, is none any more; it does not run.
void  activation_withdrawn(struct thread *t);
// It has no context any more, and no claim.
void  activation_recycle(struct thread *t);

// For the allocator.  One more claim: paused ones first; NULL: there is no activation.
struct thread *activation_claim(struct space *s);
// So many more claims it could have, `most` at most or a few more.
uint32_t activation_spare(const struct claims *c, uint32_t most);
// A ready claim is taken back.
void  activation_unclaim(struct cpu *cpu, struct thread *t);

// Calls of a running activation.
err_t activation_processors(struct thread *t, uint64_t *held);
err_t activation_release(struct cpu *cpu, struct thread *t);
// Has the program disabled upcalls for t, in a handler, as an activation of s?
bool  activation_disabled(const struct thread *t, const struct space *s);
