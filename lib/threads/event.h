// event.h - waiting and waking across packages: lists of waiters, events, and semaphores for flows of any kind.
//
// A waiter is who waits (its struct waitable) and a link in a list.  It is in the waiting party's memory, on one list
// at a time, and out of it for good before `woken` is set; each time on a list ends in one call of the unblock routine.
// Everything here is lock-free and may be called by any flow and by unblock routines; a caller that is stopped in the
// middle holds up nobody.  Ordering: what was written before event_signal or units_post is seen after the wait.
// Psyche, 3: the bounded buffer that threads of different kinds share.
#pragma once
#include <abi/types.h>

#include "waitable.h"

struct waiter {
    struct waitable *who;                // I
    struct waiter *next;                 // whoever took the list
    uint32_t woken;                      // a  it is on no list any more
};

// ---- events: something that happens once ------------------------------------------------------------------------

struct event {
    struct waiter *first;                // a  EVENT_OVER: it has happened
};
#define EVENT_OVER ((struct waiter *)1)

static inline void event_init(struct event *e)
{
    e->first = NULL;
}
static inline bool event_over(const struct event *e)
{
    return __atomic_load_n(&e->first, __ATOMIC_ACQUIRE) == EVENT_OVER;       // pairs with event_signal()
}
// Put w on the list, with w->who set.  False: it has happened, and w is not on the list.  Never blocks.
bool event_add(struct event *e, struct waiter *w);
// It happens, once; unblocks who waits, in order.  The event's memory is not touched after the first of them knows.
// Never blocks.
void event_signal(struct event *e);
// Block by the caller's own routine until it has happened.
void event_wait(struct event *e);

// ---- units: a semaphore for flows of any kind -------------------------------------------------------------------

// FastThreads' own semaphores are quicker, and for its threads only.  A post wakes all who wait, of whom one gets the
// unit: meant for few waiters.
struct units {
    uint64_t left;                       // a
    struct waiter *waiters;              // a
};

static inline void units_init(struct units *u, uint64_t left)
{
    *u = (struct units){left, NULL};
}
// Take one if there is one.
bool units_try(struct units *u);
// Unblock w->who as soon as there may be one, which units_try then gets or does not.  Never blocks.
void units_watch(struct units *u, struct waiter *w);
// Take one.  Blocks by the caller's own routine while there is none.
void units_take(struct units *u);
// One more.  Never blocks.
void units_post(struct units *u);
