// sharing.c - loads threads that share the processors, and gives each the priority that the policy says.
//
// All that lasts runs on the scheduling thread, in poll().  `sharing_resting` is the only word that others write:
// somebody who goes on clears it and kicks.  A thread that clears `blocked` just before, and does not see it yet,
// goes on at the priority that it had, until the next one is woken or started: so it has no rival meanwhile.
#include "sharing.h"

#include <base.h>

enum { INTERVAL_SLICES = 4, INTERVALS_MOST = 1 << 16, RAN_MOST = 16 };

static uint32_t highest;
uint32_t sharing_resting;
static uint64_t interval;                // I
static uint64_t due;                     // below: the scheduling thread only.  When priorities shall be set next
static unsigned ready_count;             // threads that did not sleep then
static struct {                          // threads that have to be loaded, by priority, first come first
    struct ak_thread *first, *last;
} waiting[ABI_PRIORITIES];
static uint32_t waiting_mask;

// ---- those who wait to be loaded --------------------------------------------------------------------------

static void waiting_add(struct ak_thread *t)
{
    uint32_t level = ak_thread_level(t);

    t->next_ready = NULL;
    if (waiting_mask >> level & 1) {
        waiting[level].last->next_ready = t;
    } else {
        waiting[level].first = t;
        waiting_mask |= 1u << level;
    }
    waiting[level].last = t;
}

// Somebody's priority has changed: all lists anew, which keeps the order within each.
static void waiting_sort(void)
{
    struct ak_thread *list[ABI_PRIORITIES];
    uint32_t mask = waiting_mask;

    for (uint32_t i = 0; i < ABI_PRIORITIES; i++) {
        list[i] = mask >> i & 1 ? waiting[i].first : NULL;
    }
    waiting_mask = 0;
    for (uint32_t i = ABI_PRIORITIES; i-- > 0;) {
        for (struct ak_thread *t = list[i], *next; t != NULL; t = next) {
            next = t->next_ready;
            waiting_add(t);
        }
    }
}

static __attribute__((noinline)) void load_waiting(void)
{
    while (waiting_mask != 0) {
        uint32_t level = 31 - (uint32_t)__builtin_clz(waiting_mask);
        struct ak_thread *t = waiting[level].first;
        err_t e = ak_thread_load(t);
        if (e == ERR_AGAIN) {
            ak_service_until(ak_now() + ak_system->slice / 4 + 1);       // no room just now
            break;
        }
        if (e != ERR_OK) {
            ak_panic("a thread cannot be loaded: error %d", e);
        }
        waiting[level].first = t->next_ready;
        if (t->next_ready == NULL) {
            waiting_mask &= ~(1u << level);
        }
    }
    __atomic_store_n(&sharing_resting, 0, __ATOMIC_RELAXED);
}

// ---- priorities -------------------------------------------------------------------------------------------

static void renew(struct sharing_thread *t, unsigned load, unsigned intervals)
{
    uint64_t total = __atomic_load_n(&t->thread.state->ran, __ATOMIC_RELAXED), ran = total - t->ran;
    bool ends = __atomic_load_n(&t->thread.dying, __ATOMIC_RELAXED) != 0;
    bool ready = !ends && !__atomic_load_n(&t->blocked, __ATOMIC_RELAXED);

    t->ran = total;
    ready_count += ready;
    ran = (int64_t)ran < 0 ? 0 : ran < RAN_MOST * interval ? ran : RAN_MOST * interval;
    uint32_t level = timeshare_renew(&t->share, ran * TIMESHARE_INTERVAL / interval, ready, load, intervals);
    uint32_t priority = timeshare_priority(level, highest);
    if (priority != t->thread.priority) {
        ak_thread_set_priority(&t->thread, priority);
    }
}

static __attribute__((noinline)) void renew_all(uint64_t now)
{
    uint64_t intervals = (now - due) / interval + 1;
    unsigned load = (ready_count + ak_system->cpus - 1) / ak_system->cpus;

    load += load == 0;
    intervals = intervals < INTERVALS_MOST ? intervals : INTERVALS_MOST;
    ready_count = 0;
    for (struct ak_thread *t = ak_thread_next(NULL); t != NULL; t = ak_thread_next(t)) {
        if (t->load == waiting_add) {
            renew((struct sharing_thread *)t, load, (unsigned)intervals);
        }
    }
    waiting_sort();
    due = now + interval;
    __atomic_store_n(&sharing_resting, ready_count == 0, __ATOMIC_RELAXED);
}

void sharing_poll(void)
{
    if (waiting_mask != 0) {
        load_waiting();
    }
    if (__atomic_load_n(&sharing_resting, __ATOMIC_RELAXED) == 0) {
        uint64_t now = ak_now();
        if (now >= due) {
            renew_all(now);
        }
        ak_service_until(due);
    }
}

// ---- what threads call ------------------------------------------------------------------------------------

void sharing_begin(uint32_t priority)
{
    highest = priority;
    interval = INTERVAL_SLICES * ak_system->slice;
    due = ak_now() + interval;
}

err_t sharing_create(struct sharing_thread *t)
{
    err_t e = ak_thread_create(&t->thread, highest, 0);

    t->thread.load = waiting_add;
    t->share = (struct timeshare){0};
    t->blocked = false;
    t->ran = 0;
    return e;
}

void sharing_start(struct sharing_thread *t, const struct sharing_thread *from, void (*fn)(void *), void *arg)
{
    if (from != NULL) {
        timeshare_inherit(&t->share, &from->share);
        t->thread.priority = from->thread.priority;
    }
    ak_thread_run(&t->thread, fn, arg);
}

void sharing_rouse(void)
{
    __atomic_store_n(&sharing_resting, 0, __ATOMIC_RELAXED);
    ak_service_kick();
}
