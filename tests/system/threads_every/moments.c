// moments.c - a preemption some instructions after the beginning of an operation, and after that of the upcall.
//
// An interval timer of the activation, which the supervisor begins to count when it looks, so there is a call.  Under
// --icount a tick is an instruction, and the way out of the supervisor is as long each time.  One processor.
#include "../../../lib/threads/package.h"
#include "every.h"

enum { LOCKS = 8, PIECE = 32768, SOON = 3000 };

static const struct plan *plan;
static struct moment moment;
static uint32_t *held, *lock[LOCKS];             // a lock that another processor has; those that it may have
static unsigned locks;
static uint64_t seed;
static enum operation_memory memory;
static bool ending;
uint64_t moments_preempted;
static struct thread *volatile between;          // who is unblocked when somebody is stopped
static volatile bool *between_go;
static struct package *turns;                    // since then: of that one
uint32_t every_looks;                            // entry.S

void every_upcall(uint32_t first, uint32_t events, const struct activation_kernel *activation);
void *__wrap_threads_native_memory(size_t bytes);
void *__real_threads_native_memory(size_t bytes);

static uint64_t random(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed * 0x2545f4914f6cdd1dull >> 33) % below;
}
static void count_from_here(struct activation_user *user, uint64_t ticks)
{
    user->interval = ticks;
    threads.machine.processors();
}
static void hold(uint32_t *which)
{
    if (held == NULL && __atomic_load_n(which, __ATOMIC_RELAXED) == 0) {
        __atomic_store_n(which, 1, __ATOMIC_RELEASE);
        held = which;
    }
}
// Who comes to a place that takes a lock finds that taken, once.
static void take_lock(struct instruction *p, const struct frame *context)
{
    uint32_t *which = p->state & PLACE_LOCKED ? NULL : lock_taken(p, context);

    if (which != NULL && held == NULL) {
        hold(which);
        p->state |= held != NULL ? PLACE_LOCKED : 0;
    }
}
static void give_free(void)
{
    if (held != NULL) {
        __atomic_store_n(held, 0, __ATOMIC_RELEASE);
        held = NULL;
    }
}
// How it was stopped.  The library is told that it was preempted.
static bool look_at(struct upcall_slot *slot)
{
    bool timer = slot->kinds & (UPCALL_PREEMPTED | UPCALL_INTERVAL | UPCALL_ALARM);
    const struct instruction *p = place_find(slot->context.rip);

    if (slot->kinds & UPCALL_FAULT && breaks_hit(&slot->context)) {
        moments_preempted += !(slot->kinds & UPCALL_PREEMPTED);
        slot->kinds = (slot->kinds & ~(uint32_t)UPCALL_FAULT) | UPCALL_PREEMPTED;
    } else if (timer) {
        moment.fresh |= places_stopped(slot->context.rip);
    }
    if (p != NULL && slot->kinds & UPCALL_CONTEXT) {
        take_lock(place_find(slot->context.rip), &slot->context);
    }
    return timer;
}
// What critical_unpark() does, which may have breakpoints.  Nobody has its guard, and nobody else runs.
static void unblock_between(void)
{
    struct thread *t = between;

    if (t == NULL || __atomic_load_n(&t->token.guard, __ATOMIC_RELAXED) != 0) {
        return;
    }
    between = NULL;
    turns = t->package;
    *between_go = true;
    if (t->token.word == 1) {
        t->token.word = 0;
        __atomic_store_n(&t->phase, WORKER_READY, __ATOMIC_SEQ_CST);
    } else {
        t->token.word = 2;
    }
}
// Ready workers go on in the order of their numbers: two of them change theirs.
static void turn_round(struct package *p)
{
    struct thread *t = p->flow[0];
    void *local = p->local[0];

    p->flow[0] = p->flow[1];
    p->local[0] = p->local[1];
    p->flow[1] = t;
    p->local[1] = local;
}
// Upcalls are disabled, and this is no thread.
void every_upcall(uint32_t first, uint32_t events, const struct activation_kernel *activation)
{
    struct activation_user *user = (struct activation_user *)activation->user;
    bool stopped = false;

    give_free();
    breaks_look();
    for (uint32_t n = 0; n < events && first < threads.machine.slots; n++) {
        struct upcall_slot *slot = &threads.machine.slot[first];
        first = slot->next;
        if (look_at(slot) && !(slot->kinds & UPCALL_ALARM)) {
            moment.at[moment.stops % STOPS] = slot->context.rip;
            stopped = true;
        }
    }
    moment.stops += stopped;
    if (turns != NULL && stopped) {
        turn_round(turns);
    }
    unblock_between();
    if (plan != NULL && moment.stops < plan->stops && !ending) {     // what has blocked goes on here
        if (plan->seed != 0 && held == NULL && random(2) == 0) {
            hold(lock[random(locks)]);
        }
        count_from_here(user, plan->after[moment.stops]);
    } else if (held != NULL) {
        count_from_here(user, SOON);
    }
}
// No upcall comes before the timer counts, so the activation is this one.
void operation_begin(void)
{
    struct activation_user *user;

    __asm__ volatile("movl $1, %%gs:4096 + 24\n\tmovq %%gs:8, %0" : "=r"(user) : : "memory");
    ending = false;
    moment.stops = 0;
    if (plan->seed != 0 && random(2) == 0) {
        hold(lock[random(locks)]);
    }
    count_from_here(user, plan->after[0] == 0 && held != NULL ? SOON : plan->after[0]);
    *(volatile uint32_t *)&user->disabled = 0;
}
void operation_end(void)
{
    *(volatile bool *)&ending = true;
    give_free();
    for (uint32_t i = 0; i < threads.machine.activations; i++) {
        threads.machine.activation[i].interval = 0;
    }
    threads.machine.processors();
}
void operation_may_hold(uint32_t *which)
{
    if (locks < LOCKS) {
        lock[locks++] = which;
    }
}
void moments_between(struct waitable *parked, volatile bool *go)
{
    between_go = go;
    between = (struct thread *)parked;
}
void operation_hold(uint32_t *which)
{
    hold(which);
}
void operation_memory(enum operation_memory how)
{
    memory = how;
}
uint64_t operation_clock(void)
{
    return threads_native_clock();
}
// Instead of what the libraries call.
void *__wrap_threads_native_memory(size_t bytes)
{
    static uint8_t piece[PIECE] __attribute__((aligned(ABI_PAGE)));

    if (memory == MEMORY_NONE) {
        return NULL;
    }
    return memory == MEMORY_SAME && bytes <= PIECE ? piece : __real_threads_native_memory(bytes);
}
void moments_begin(void)
{
    threads.machine.user->tick = 1;
    every_looks = 1;
    threads.machine.processors();
}
struct moment moments_run(const struct operation *o, const struct plan *p)
{
    moment = (struct moment){0};
    plan = p;
    seed = p->seed;
    locks = 0;
    operation_may_hold(&threads.ready[0].lock);
    operation_may_hold(&threads.timer_lock);
    breaks_set();
    o->run();
    plan = NULL;
    between = NULL;
    turns = NULL;
    return moment;
}
