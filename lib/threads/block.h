// block.h - the pieces of every wait: who runs next, and the ways on from there.  Inlined into critical functions.
#pragma once
#include "guard.h"

// ---- who runs next --------------------------------------------------------------------------------------------

// An idle flow that nobody uses; there are more than activations, so there is one.
INLINE struct thread *idle_claim(void)
{
    for (uint32_t i = 0;; i = i + 1 < threads.idles ? i + 1 : 0) {
        struct thread *idle = threads.idle[i];
        uint32_t left = PHASE_LEFT;
        if (idle->phase == PHASE_LEFT && __atomic_compare_exchange_n(&idle->phase, &left, PHASE_SCHEDULING, false,
                                                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            flow_begin(idle, threads_idle_start);
            return idle;
        }
    }
}
// An idle flow, if `idle`: the caller has given back a thread.  With kernel threads NULL: it blocks by itself.
INLINE struct thread *next_thread(bool idle)
{
    struct thread *next = NULL;
    struct ready *r;

    if (threads.on_kernel) {
        return NULL;
    }
    if (!idle) {
        r = ready_take();
        if (r->bits != 0) {
            next = ready_get(r);
        }
        guard_give(&r->lock);
    }
    return next != NULL ? next : idle_claim();
}
// If it is a thread, others may have seen that none was ready meanwhile, and gone: so whoever runs here next looks
// whether processors are to be had, the caller or whom it hands to (AFTER_MORE), else an idle flow.
INLINE void give_back(struct thread *next, uint32_t *after)
{
    if (next == NULL) {
        return;
    }
    if (next->kind == FLOW_IDLE) {
        __atomic_store_n(&next->phase, PHASE_LEFT, __ATOMIC_RELEASE);
    } else {
        struct ready *r = ready_take();
        ready_put(r, next, true);
        guard_give(&r->lock);
        *after |= AFTER_MORE;
    }
}
// ---- waiting --------------------------------------------------------------------------------------------------

INLINE void publish(struct thread *self, struct wait_list *list, struct switch_frame *frame)
{
    save_to(self, frame);
    self->result = THREAD_OK;
    wait_put(list, self);
}
// The guard of what the caller waits for is held; it is on the list.
INLINE _Noreturn void block(struct thread *next, uint32_t *guard, struct switch_frame *frame)
{
    if (next != NULL) {
        switch_to(next, guard);
    }
    guard_give(guard);
    switch_back(frame);
}
INLINE _Noreturn void do_not_block(struct thread *self, enum thread_status result, struct thread *next,
                                   uint32_t *guard, struct switch_frame *frame)
{
    self->result = result;
    guard_give(guard);
    give_back(next, &self->after);
    switch_back(frame);
}
// The caller is going to look at what it waits for under this guard; who wants to end the wait sees that or is seen.
INLINE void announce(struct thread *self, struct mutex *on)
{
    __atomic_store_n(&self->on, on, __ATOMIC_RELAXED);
}
// w, who is through with its wait, runs next, without a ready list.  `here`: this processor's.
INLINE _Noreturn void hand_to(struct thread *w, const struct ready *here, uint32_t *guard)
{
    if (__builtin_expect(*(volatile const uint32_t *)&here->bits >> w->priority > 1, 0)) {
        w->after |= AFTER_LATE;
    }
    switch_to(w, guard);
}
