// service.c - the service thread: loads threads again, keeps the deadlines of unloaded ones.
//
// It is the first thread of its kernel, loaded and locked by the starter, and takes no lock.  What it knows of a
// thread is in the thread's state page (loaded, depth, reason, run, deadline) and in its flags; consider() looks at
// one and does what is to be done.  A thread is looked at
//   - when it was put on the reload list: run, wake, interrupt;
//   - when the writeback channel names it;
//   - all of them, when the channel had lost entries, or the service thread itself was not loaded for a while.
// Not loaded: if it was waiting and nobody has woken it, it stays so until its deadline (`parked`); else it joins
// the `ready` queue, whose head is loaded as soon as the supervisor has room (ERR_AGAIN: in a quarter of a slice).
//
// A `scheduled` thread is looked at in the same way, but loaded by ak_thread_load() alone, which poll() calls; one with
// `load` is not put into the ready queue: its owner is told instead, and calls ak_thread_load() in poll().
//
// A thread that was written back in its program, or between ak_returning() and the program, is started again in
// resume(): that reloads the program's space if need be and looks for signals, and takes no slot of a space before
// it runs.
//
// End of a thread: ak_thread_exit sets `dying` and unloads itself.  Found unloaded and dying, it goes to the `graves`,
// and is buried when no entry of the channel can name it any more: bury_all().
#include "appkernel_impl.h"

#include <base.h>
#include <communication.h>
#include <sys.h>

void (*ak_signalled)(va_t va);

static struct ak_thread *reload;         // stack, pushed by everyone
static uint32_t stopping;
static int stop_value;

static struct ak_thread *all;            // s  below: the service thread only
static struct ak_thread *ready_first, *ready_last;
static struct com_channel writebacks;
static uint32_t channel_lost;
static struct ak_thread *graves;         // ended, by next_queued; `queued` stays set, so nobody queues them again
static unsigned parked_count;            // those with a deadline
static oid_t listening = UINT64_MAX;     // the service thread's id when it asked for signals last
static uint64_t poll_again;              // what poll() asked for

void ak_service_kick(void)
{
    (void)sys_signal(ak_info->thread);
}

void ak_stop(int value)
{
    stop_value = value;
    __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);            // pairs with ak_service()
    ak_service_kick();
}

void ak_queue(struct ak_thread *t)
{
    if (exchange32(&t->queued, 1) != 0) {
        return;                          // who queued it kicks the service thread
    }
    t->next_queued = __atomic_load_n(&reload, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&reload, &t->next_queued, t, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
    ak_service_kick();
}

static void know(struct ak_thread *t)
{
    t->known = true;
    t->next = all;
    t->prev = NULL;
    if (all != NULL) {
        all->prev = t;
    }
    all = t;
}

static void unpark(struct ak_thread *t)
{
    parked_count -= t->parked;
    t->parked = false;
}

// The last words on a thread.
static void bury(struct ak_thread *t)
{
    unpark(t);
    if (t->prev != NULL) {
        t->prev->next = t->next;
    } else {
        all = t->next;
    }
    if (t->next != NULL) {
        t->next->prev = t->prev;
    }
    ak_thread_bury(t);
}

// t is not ready.
static void make_ready(struct ak_thread *t)
{
    unpark(t);
    t->ready = true;
    if (t->load != NULL) {
        t->load(t);
        return;
    }
    t->next_ready = NULL;
    if (ready_first == NULL) {
        ready_first = t;
    } else {
        ready_last->next_ready = t;
    }
    ready_last = t;
}

static void consider(struct ak_thread *t)
{
    struct thread_state *s = t->state;

    if (__atomic_load_n(&s->loaded, __ATOMIC_ACQUIRE) != 0) {
        // Stale all the same: it is being written back, and will be in the channel.
        if (load32(&t->interrupt) != 0) {
            (void)sys_thread_unload(t->id, 0);
        } else {
            (void)sys_signal(t->id);
        }
        return;
    }
    __atomic_store_n(&t->id, 0, __ATOMIC_RELEASE);
    if (load32(&t->dying) != 0) {
        if (exchange32(&t->queued, 1) == 0) {        // else it is on the reload list, and comes here again
            t->next_queued = graves;
            graves = t;
        }
        return;
    }
    __atomic_store_n(&t->interrupt, 0, __ATOMIC_SEQ_CST);
    if (t->scheduled || t->ready) {
        return;                          // somebody else decides; or its deadline came and there was no room yet
    }
    if (s->run == RUN_WAITING && load32(&t->woken) == 0) {
        bool has_deadline = s->deadline != 0;
        parked_count += has_deadline - t->parked;
        t->parked = has_deadline;
        return;
    }
    make_ready(t);
}

static void take_reload_list(void)
{
    struct ak_thread *t = __atomic_exchange_n(&reload, NULL, __ATOMIC_ACQUIRE);

    while (t != NULL) {
        struct ak_thread *next = t->next_queued;
        if (!t->known) {
            know(t);
        }
        // From here on it may be queued again; what was set before is seen by consider().
        (void)exchange32(&t->queued, 0);
        consider(t);
        t = next;
    }
}

static void take_channel(void)
{
    struct channel_entry e;
    size_t length;

    // All that is in it now: it holds no more, and more may come meanwhile.
    for (unsigned i = 0; i < CHANNEL_ENTRIES && com_receive(&writebacks, &e, sizeof(e), &length) == ERR_OK; i++) {
        if (e.type == OBJECT_THREAD) {
            consider((struct ak_thread *)e.cookie);
        }
    }
}

// The channel has lost entries: look at every thread.
static void scan(void)
{
    for (struct ak_thread *t = all; t != NULL; t = t->next) {
        if (__atomic_load_n(&t->state->loaded, __ATOMIC_ACQUIRE) == 0) {
            consider(t);
        }
    }
}

// A thread in its grave was found unloaded, perhaps by an older entry of the channel or by the reload list: its last
// entry was written, or lost, in the same stay in the supervisor.  A call that takes the supervisor's lock makes sure
// that this is over; then the channel is emptied once more, and nothing refers to it.
static void bury_all(void)
{
    struct ak_thread *t = graves;

    if (t == NULL) {
        return;
    }
    graves = NULL;
    (void)sys_signal(ak_info->thread);               // and so the next wait returns: there may be new graves
    take_channel();
    while (t != NULL) {
        struct ak_thread *next = t->next_queued;
        bury(t);
        t = next;
    }
}

// It was loaded with another id, alone or with the whole kernel: nothing was signalled to it meanwhile.  The starter
// signals it when that id is known.
static void check_reloaded(void)
{
    oid_t id = __atomic_load_n(&ak_info->thread, __ATOMIC_ACQUIRE);

    if (id != listening) {
        (void)sys_listen(0);
        listening = id;
        scan();
    }
}

static void check_lost(void)
{
    if (writebacks.missed != channel_lost) {
        channel_lost = writebacks.missed;
        scan();
    }
}

// How a thread goes on that is not loaded now.
static void prepare(struct ak_thread *t)
{
    struct thread_state *s = t->state;
    bool in_program = t->resume != NULL && (s->depth == 0 || (s->depth == 1 && (s->frame[0].kind & AK_RETURNING)));

    if (s->reason == REASON_DOUBLE_FAULT || (s->reason == REASON_BAD_STATE && !in_program)) {
        ak_panic("thread %p failed in its handler: reason %u depth %u rip %lx address %lx", (void *)t, s->reason,
                 s->depth, (unsigned long)s->frame[s->depth].rip, (unsigned long)s->frame[s->depth].addr);
    }
    if (s->reason == REASON_BAD_STATE) {
        memset(s->xstate, 0, sizeof(s->xstate));
        s->fs_base = s->gs_base = 0;
        __atomic_store_n(&t->failed, REASON_BAD_STATE, __ATOMIC_RELEASE);
    }
    if (in_program) {
        s->frame[1].rip = (va_t)t->resume;
        s->frame[1].rdi = (uint64_t)t;
        s->frame[1].rsp = t->xstack - 8;
        s->frame[1].rflags = 0x202;
        s->depth = 1;
    }
    s->reason = REASON_NONE;
}

static err_t load(struct ak_thread *t)
{
    oid_t id;

    prepare(t);
    uint32_t level = ak_thread_level(t);
    struct thread_desc d = {.flags = t->flags | LOAD_SIGNALED, .priority = level,
                            .state = ak_window_pa(t->state), .state_va = (va_t)t->state, .xstack = t->xstack,
                            .cookie = (uint64_t)t, .affinity = __atomic_load_n(&t->affinity, __ATOMIC_RELAXED)};
    err_t e = sys_thread_load(&d, &id);
    if (e == ERR_OK) {
        __atomic_store_n(&t->id, id, __ATOMIC_SEQ_CST);          // pairs with ak_wake() and ak_thread_interrupt()
        t->ready = false;
        if (level != ak_thread_level(t)) {
            ak_thread_apply(t);
        }
    }
    return e;
}

err_t ak_thread_load(struct ak_thread *t)
{
    return load(t);
}

struct ak_thread *ak_thread_next(const struct ak_thread *after)
{
    return after == NULL ? all : after->next;
}

// Load the queue's threads.  True: some are left for which there was no room.
static bool load_ready(void)
{
    while (ready_first != NULL) {
        struct ak_thread *t = ready_first;
        err_t e = load(t);
        if (e == ERR_AGAIN) {
            return true;
        }
        if (e != ERR_OK) {
            ak_panic("thread %p cannot be loaded: error %d", (void *)t, e);
        }
        ready_first = t->next_ready;
    }
    return false;
}

// Load parked threads whose deadline has come.  Gives the next deadline, or 0.
static uint64_t check_parked(void)
{
    uint64_t next = 0;

    if (parked_count == 0) {
        return 0;
    }
    uint64_t now = ak_now();
    for (struct ak_thread *t = all; t != NULL; t = t->next) {
        uint64_t deadline = t->state->deadline;
        if (!t->parked) {
            continue;
        }
        if (deadline <= now) {
            make_ready(t);
        } else if (next == 0 || deadline < next) {
            next = deadline;
        }
    }
    return next;
}

// The sooner of two moments, of which 0 is never.
static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

void ak_service_until(uint64_t time)
{
    poll_again = sooner(poll_again, time);
}

int ak_service(void (*poll)(void))
{
    com_open_writeback(&writebacks, ak_window(ak_info->channel));
    while (load32(&stopping) == 0) {
        take_channel();
        take_reload_list();
        check_reloaded();
        check_lost();
        bury_all();
        uint64_t deadline = check_parked();
        if (load_ready()) {
            deadline = sooner(deadline, ak_now() + ak_system->slice / 4 + 1);
        }
        poll_again = 0;
        if (poll != NULL) {
            poll();
        }
        va_t va = 0;
        (void)sys_wait_signal(sooner(deadline, poll_again), &va);
        if (va != 0 && ak_signalled != NULL) {
            ak_signalled(va);
        }
    }
    return stop_value;
}
