// critical_package.c - critical functions of workers, the flows of other packages (package.h).
//
// The rules are those of critical.c.  A worker is claimed by its phase, so it is in one pair of hands only; what it
// counts in package.running changes in the same critical section.
#include "block.h"
#include "package.h"

void body_park(struct thread *self, struct package *p, struct switch_frame *frame);

enum { TOKEN = 2, PARKED = 1 };          // of thread.token.word: nothing, an unblock that came first, somebody waits

INLINE void give_place(struct package *p)
{
    __atomic_fetch_sub(&p->running, 1, __ATOMIC_SEQ_CST);
}
CRITICAL void critical_run(struct thread *self, struct thread *worker, uint32_t phase, struct package *p)
{
    uint32_t from = phase;

    if (__atomic_fetch_add(&p->running, 1, __ATOMIC_SEQ_CST) < (int32_t)p->processors &&
        __atomic_compare_exchange_n(&worker->phase, &from, WORKER_WORKS, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED)) {
        if (phase == PHASE_LEFT) {
            flow_begin(worker, package_start);
        }
        switch_and_end(self, worker, &worker->after);     // no lock: a word that is 0
    }
    give_place(p);
}
CRITICAL void critical_retire(struct thread *self, struct package *p)
{
    struct thread *idle = idle_claim();

    give_place(p);
    switch_and_end(self, idle, &idle->after);
}
SWITCHING(critical_park, body_park, rdx);
CRITICAL void body_park(struct thread *self, struct package *p, struct switch_frame *frame)
{
    struct thread *idle = idle_claim();

    guard_take(&self->token.guard);
    if (self->token.word == TOKEN) {
        self->token.word = 0;
        guard_give(&self->token.guard);
        __atomic_store_n(&idle->phase, PHASE_LEFT, __ATOMIC_RELEASE);
        switch_back(frame);
    }
    save_to(self, frame);
    self->token.word = PARKED;
    give_place(p);
    switch_to(idle, &self->token.guard);
}
CRITICAL bool critical_unpark(struct thread *worker)
{
    bool parked;

    guard_take(&worker->token.guard);
    parked = worker->token.word == PARKED;
    worker->token.word = parked ? 0 : TOKEN;
    if (parked) {
        __atomic_store_n(&worker->phase, WORKER_READY, __ATOMIC_SEQ_CST);
    }
    guard_give(&worker->token.guard);
    return parked;
}
