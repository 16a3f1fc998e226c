// loading.c - carries out what a policy decides: loads, unloads, raises and lowers threads.
//
// Everything but tell() runs on the scheduler thread, in processing_poll().  Another thread leaves a bit in `news`,
// puts itself on a lock-free list (whoever sets `told` pushes), and signals.
//
// A block is a number: the thread counts `blocks` up, leaves the news, and waits until `answered` has the same
// value.  The scheduler thread hears of the block, takes it out of the policy, and answers when it is over.  So the
// thread can be unloaded, or go on for some instructions, at any place in between; and a wake-up that comes
// first is kept as `token` and answers the next block at once.  Its wait cannot sleep too long: it is signalled after
// the answer, the supervisor keeps a signal that comes before the wait, and a thread that is loaded again has one.
#include "processing.h"

#include <base.h>
#include <sys.h>

enum news { NEWS_START = 1, NEWS_BLOCK = 2, NEWS_WAKE = 4, NEWS_EXIT = 8 };

static struct processing_thread *told;   // a  stack
static struct scheduler scheduler;       // below: the scheduler thread only
static struct processing_thread *active[SCHEDULER_CPUS];     // who has been made active, where
static struct processing_thread *residents;
static uint32_t active_priority;

static struct processing_thread *thread_of(struct scheduled *turn)
{
    return turn == NULL ? NULL
                        : (struct processing_thread *)((char *)turn - offsetof(struct processing_thread, turn));
}

void processing_begin(const struct scheduler_operations *policy, uint64_t slice, uint32_t priority)
{
    scheduler_init(&scheduler, policy, ak_system->cpus, slice);
    active_priority = priority;
}

struct scheduler *processing_scheduler(void)
{
    return &scheduler;
}

err_t processing_create(struct processing_thread *t, bool resident, uint32_t flags)
{
    *t = (struct processing_thread){.resident = resident};
    err_t e = ak_thread_create(&t->thread, 0, flags);
    t->thread.scheduled = true;
    return e;
}

// ---- news -------------------------------------------------------------------------------------------------

static void tell(struct processing_thread *t, uint32_t news)
{
    __atomic_fetch_or(&t->news, news, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&t->told, 1, __ATOMIC_SEQ_CST) == 0) {
        t->next_told = __atomic_load_n(&told, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&told, &t->next_told, t, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        }
    }
    ak_service_kick();
}

void processing_start(struct processing_thread *t, void (*fn)(void *), void *arg)
{
    ak_thread_run(&t->thread, fn, arg);
    tell(t, NEWS_START);
}

void processing_block(struct processing_thread *t, uint64_t until)
{
    uint32_t number = t->blocks + 1;

    t->until = until;
    __atomic_store_n(&t->blocks, number, __ATOMIC_RELEASE);      // pairs with hear_block()
    tell(t, NEWS_BLOCK);
    while (__atomic_load_n(&t->answered, __ATOMIC_ACQUIRE) != number) {
        (void)sys_wait(0);
    }
}

void processing_wake(struct processing_thread *t)
{
    tell(t, NEWS_WAKE);
}

_Noreturn void processing_exit(struct processing_thread *t)
{
    tell(t, NEWS_EXIT);
    for (;;) {
        (void)sys_wait(0);               // the scheduler thread unloads it
    }
}

static void hear_start(struct processing_thread *t, uint64_t now)
{
    t->started = true;
    if (t->resident) {
        t->thread.affinity = t->turn.mask;
        t->next = residents;
        residents = t;
    }
    scheduler_enter(&scheduler, &t->turn);
    scheduler_wake(&scheduler, &t->turn, now);
}

static void hear_block(struct processing_thread *t, uint64_t now)
{
    t->heard = __atomic_load_n(&t->blocks, __ATOMIC_ACQUIRE);
    if (t->token) {
        t->token = false;                // answered in go_on(): it is still ready
    } else {
        scheduler_block(&scheduler, &t->turn, t->until, now);
    }
}

static void hear_exit(struct processing_thread *t, uint64_t now)
{
    scheduler_leave(&scheduler, &t->turn, now);
    for (unsigned c = 0; c < scheduler.cpus; c++) {
        active[c] = active[c] == t ? NULL : active[c];
    }
    for (struct processing_thread **at = &residents; *at != NULL; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    t->started = false;
    __atomic_store_n(&t->thread.dying, 1, __ATOMIC_RELEASE);
    ak_thread_interrupt(&t->thread);     // unloads it; the service thread finds it so, and buries it
}

static void hear(struct processing_thread *t, uint64_t now)
{
    (void)__atomic_exchange_n(&t->told, 0, __ATOMIC_SEQ_CST);
    uint32_t news = __atomic_exchange_n(&t->news, 0, __ATOMIC_SEQ_CST);

    if (news & NEWS_START) {
        hear_start(t, now);
    }
    if (!t->started) {
        return;
    }
    t->token = t->token || (news & NEWS_WAKE) != 0;
    if (news & NEWS_BLOCK) {
        hear_block(t, now);
    }
    if (t->token && t->turn.state == SCHEDULED_BLOCKED) {
        t->token = false;
        scheduler_wake(&scheduler, &t->turn, now);
    }
    if (news & NEWS_EXIT) {
        hear_exit(t, now);
    }
}

static void hear_all(uint64_t now)
{
    struct processing_thread *t = __atomic_exchange_n(&told, NULL, __ATOMIC_ACQUIRE);

    while (t != NULL) {
        struct processing_thread *next = t->next_told;
        hear(t, now);
        t = next;
    }
}

// ---- carrying out -----------------------------------------------------------------------------------------

static void set_level(struct processing_thread *t, uint32_t level)
{
    t->thread.priority = level;          // for when it is loaded again
    if (t->level != level) {
        t->level = level;
        if (t->thread.id != 0) {
            (void)sys_thread_priority(t->thread.id, level);      // stale: it is loaded again, at this level
        }
    }
}

// The library's service is told later, by the channel; this thread may be loaded again before that.
static void unload(struct processing_thread *t)
{
    if (t->thread.id != 0) {
        (void)sys_thread_unload(t->thread.id, 0);
        if (__atomic_load_n(&t->thread.state->loaded, __ATOMIC_ACQUIRE) == 0) {
            __atomic_store_n(&t->thread.id, 0, __ATOMIC_RELEASE);
        }
    }
}

static void deactivate(struct processing_thread *t)
{
    if (!t->resident) {
        unload(t);
    } else if (t->turn.state == SCHEDULED_READY) {
        set_level(t, 0);                 // a blocked one needs no lower level, and will need the higher one again
    }
}

// False: there is no room to load it just now.
static bool be_loaded(struct processing_thread *t)
{
    if (t->thread.id != 0) {
        return true;
    }
    err_t e = ak_thread_load(&t->thread);
    t->loads += e == ERR_OK;
    if (e != ERR_OK && e != ERR_AGAIN) {
        ak_panic("a thread cannot be loaded: error %d", e);
    }
    return e == ERR_OK;
}

// Active on this processor, whatever it was before.
static bool go_on(struct processing_thread *t, unsigned cpu)
{
    set_level(t, active_priority);
    if (t->answered != t->heard) {
        __atomic_store_n(&t->answered, t->heard, __ATOMIC_RELEASE);      // pairs with processing_block()
        if (t->thread.id != 0) {
            (void)sys_signal(t->thread.id);
        }
    }
    if (!t->resident) {
        t->thread.affinity = 1ull << cpu;
    }
    return be_loaded(t);
}

void processing_poll(void)
{
    uint64_t now = ak_now();
    bool all = true;

    hear_all(now);
    uint64_t again = scheduler_run(&scheduler, now);
    for (unsigned c = 0; c < scheduler.cpus; c++) {
        if (active[c] != NULL && active[c] != thread_of(scheduler.on[c])) {
            deactivate(active[c]);
        }
        active[c] = thread_of(scheduler.on[c]);
    }
    for (unsigned c = 0; c < scheduler.cpus; c++) {
        all = (active[c] == NULL || go_on(active[c], c)) && all;
    }
    for (struct processing_thread *t = residents; t != NULL; t = t->next) {
        all = be_loaded(t) && all;
    }
    ak_service_until(again);
    if (!all) {
        ak_service_until(now + ak_system->slice / 4 + 1);
    }
}
