// scheduler.c - what a processor does that has nothing to run, and how many processors the program wants.
//
// A scheduler flow (a handler that is through, or an idle flow) owns nothing but its stack.  It runs the first of its
// own ready list, else of the one with the highest thread, spins for a moment, then gives its processor back.  `wanted`
// is lowered first and the lists are looked at under their locks after that: who makes a thread ready takes the lock
// of a list before it reads `wanted`, so either sees the other.  But it may be dropped between these, and threads may
// be on no list just then, since a handler or a timer is about to make them ready.  So a scheduler that is to run
// something looks whether it leaves more behind: then it wants one more than there are, and who comes looks again.
// lib/threads/model/wanted.pml has all of this.
//
// Scheduler Activations, 3.2; FastThreads: per-processor ready lists, look in the others', spin.
#include "threads_impl.h"

static struct ready *highest(void)
{
    struct ready *best = NULL;
    uint32_t most = 0;

    for (uint32_t p = 0; p < threads.machine.cpus; p++) {
        uint32_t bits = *(volatile uint32_t *)&threads.ready[p].bits;
        if (bits > most) {                           // not less than the highest level, which is what counts
            best = &threads.ready[p];
            most = bits;
        }
    }
    return best;
}
// What is ready, of threads and of packages; not all of it, if that is more than one.
static uint32_t all_ready(void)
{
    uint32_t ready = 0;

    for (uint32_t p = 0; p < threads.machine.cpus && ready < 2; p++) {
        ready += critical_listed(&threads.ready[p]);
    }
    return ready < 2 ? ready + packages_ready() : ready;
}
static bool wanted_swing(uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(threads.wanted, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}
// One of those that give up waits for the first timer, in the supervisor; dropped there (upcall.c), it has waited.
static bool wait_for_timer(struct thread *self)
{
    uint64_t until = *(volatile uint64_t *)&threads.first_until;
    uint64_t others = __atomic_load_n(&threads.waited_until, __ATOMIC_RELAXED);

    if (until >= others) {
        return false;
    }
    self->until = until;                             // before: dropped from here on, it is seen to have waited
    if (__atomic_compare_exchange_n(&threads.waited_until, &others, until, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_RELAXED)) {
        threads.machine.wait(until);
    }
    scheduler_waited(self);
    return true;
}
void scheduler_waited(struct thread *self)
{
    uint64_t until = self->until;

    if (until != 0) {
        (void)__atomic_compare_exchange_n(&threads.waited_until, &until, UINT64_MAX, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED);
        *(volatile uint64_t *)&self->until = 0;      // last: dropped before, it is seen to have waited
    }
}
static void give_up(struct thread *self)
{
    uint32_t wanted = *(volatile uint32_t *)threads.wanted;
    uint32_t held = threads.machine.kernel->held;

    if (threads.machine.release == NULL || wait_for_timer(self)) {
        return;
    }
    if (wanted >= held && wanted != 0 && !wanted_swing(wanted, wanted - 1)) {
        return;
    }
    if (all_ready() != 0) {
        return;                          // what was lowered is raised by who runs that
    }
    count(&threads.count.released, 1);
    threads_leave();
}
// It owns nothing from now on; a handler that waited for that runs instead of it.
void scheduler_free(struct thread *self)
{
    struct thread *waiter;

    __atomic_store_n(&self->phase, PHASE_SCHEDULING, __ATOMIC_SEQ_CST);
    waiter = *(struct thread *volatile *)&self->waiter;
    if (waiter != NULL) {
        critical_end_for(self, waiter);
    }
}
// Meanwhile it has a thread in hand, and must not be dropped.
static void run_timers(struct thread *self)
{
    if (*(volatile uint64_t *)&threads.first_until <= threads.machine.now()) {
        __atomic_store_n(&self->phase, PHASE_LOCKS, __ATOMIC_SEQ_CST);
        timers_run(self);
        timers_arm();
        scheduler_free(self);
    }
}
void scheduler_loop(void)
{
    struct thread *self = thread_self();

    for (uint32_t spins = 0;; spins++) {
        struct ready *from = ready_here();
        if (*(volatile uint64_t *)&threads.first_until != UINT64_MAX) {
            run_timers(self);
        }
        if (packages != 0) {
            packages_run(self);
        }
        if (*(volatile uint32_t *)&from->bits != 0) {
            look_behind();
            critical_schedule(self, from);
        }
        from = highest();
        if (from != NULL) {
            look_behind();
            count(&threads.count.stolen, 1);
            critical_schedule(self, from);
        } else if (spins >= threads.setup.spins) {
            give_up(self);
            spins = 0;
        }
        __builtin_ia32_pause();
    }
}
// Threads on lists of processors that are not the program's now: nobody else looks there as long as all are busy.
void scheduler_adopt(void)
{
    uint64_t holds = *(volatile uint64_t *)&threads.machine.kernel->holds;
    struct thread *self = thread_self(), *t;

    for (uint32_t p = 0; p < threads.machine.cpus; p++) {
        if (*(volatile uint32_t *)&threads.ready[p].bits == 0 || holds >> p & 1) {
            continue;
        }
        // The caller may go on anywhere meanwhile, also there: then it is its own list.
        while (&threads.ready[p] != ready_here() && (t = critical_take(&threads.ready[p])) != NULL) {
            critical_ready(self, t);
        }
    }
}
// False: others have changed it.
static bool raise(uint32_t from, uint32_t to)
{
    if (to > threads.setup.processors) {
        to = threads.setup.processors;
    }
    if (from >= to) {
        return true;
    }
    if (!wanted_swing(from, to)) {
        return false;
    }
    if (to > threads.machine.kernel->held && threads.machine.kernel->helps != 0) {
        count(&threads.count.asked, 1);
        threads.machine.processors();
    }
    return true;
}
// More than there are: one that was dropped may have lowered `wanted` and still be held.
void scheduler_want(void)
{
    uint32_t held = *(volatile uint32_t *)&threads.machine.kernel->held, wanted;

    do {
        wanted = *(volatile uint32_t *)threads.wanted;
    } while (!raise(wanted, (wanted > held ? wanted : held) + 1));
}
void scheduler_look(void)
{
    uint32_t ready = all_ready(), need, wanted;

    if (ready == 0) {
        return;
    }
    need = *(volatile uint32_t *)&threads.machine.kernel->held + (ready > 1);
    do {
        wanted = *(volatile uint32_t *)threads.wanted;
    } while (!raise(wanted, need));
}
