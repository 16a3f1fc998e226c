// upcall.c - the handler of upcalls: every event that the supervisor tells comes through here.
//
// Its record is at the top of the stack of the first event's slot.  What it does, in this order:
//   1. Each context is taken out of its slot.  One in a critical section is first run to the end of that, so afterwards
//      nobody of this upcall holds a spin lock.
//   2. Handlers among them, which have events themselves, are continued: first those that are not through with this,
//      which come back as soon as they are (PHASE_LOCKS), if somebody has continued them; then all, to their ends.  So
//      nobody waits for a lock whose holder is in the hands of a handler that does not run.
//   3. Threads go to the ready list, workers of other packages to those (package.h).  The slots go back to the ring;
//      that of a handler's own stack when few are left and a later one sees that the stack is not used, some at a time.
//   4. It becomes a scheduler (scheduler.c), which owns nothing: stopped there it is just dropped.
// It may be stopped anywhere, and is then itself a context of the next upcall, three deep or more.
// A handler that recovers, or has continued another one, has its own frame in `saved` and is continued by that.
//
// Scheduler Activations, 3.1 and 4.3.
#include <base.h>

#include "threads_impl.h"

void threads_handler(uint32_t first, uint32_t events, struct activation_kernel *activation);
extern const char *threads_release_address;
const char *threads_release_address;

static uint64_t used[SLOTS_MOST / 64];   // a  slots whose stacks a handler has begun on since they were given

struct batch {
    struct thread *threads, *last;       // to be made ready, in order
    struct thread *handlers;             // to be continued: with contexts that may hold locks
    struct thread *workers;              // of other packages, to be made ready
    bool adopt;                          // there may be lists of processors that are lost
};

static bool between(uint64_t rip, const char *from, const char *to)
{
    return rip >= (uint64_t)from && rip < (uint64_t)to;
}

// ---- 1: contexts ----------------------------------------------------------------------------------------------

static void copy_xstate(uint8_t *to, const uint8_t *from)
{
    uint64_t has;

    memcpy(&has, from + 512, sizeof has);
    memcpy(to + 512, from + 512, 64);
    memcpy(to + 24, from + 24, 8);                   // MXCSR
    if (has & 1) {
        memcpy(to, from, 24);
        memcpy(to + 32, from + 32, 128);
    }
    if (has & 2) {
        memcpy(to + 160, from + 160, 256);
    }
    if (has & 4) {
        memcpy(to + 576, from + 576, 256);
    }
}
// The whole context goes to the record.
static void save_context(struct thread *flow, const struct upcall_slot *slot, uint64_t rip)
{
    const struct frame *c = &slot->context;
    struct stopped *s = &flow->stopped;
    const uint64_t general[15] = {c->r15, c->r14, c->r13, c->r12, c->r11, c->r10, c->r9, c->r8, c->rbp, c->rdi,
                                  c->rsi, c->rdx, c->rcx, c->rbx, c->rax};

    memcpy(s->general, general, sizeof general);
    flow->control = (struct control_words){MXCSR_BEGIN, X87_BEGIN, 0};
    s->frame.ret = threads_resume_stopped;
    s->rip = rip;
    s->rflags = c->rflags;
    s->below = c->rsp - STOPPED_BELOW;
    copy_xstate(flow->xstate, slot->xstate);
    flow->saved = &s->frame;
}
// A flow that recovery brought to the end of a critical function.  If it is about to begin the rest of a stopped one,
// its frame has just been popped; recovery may have written there.
static void save_end(struct thread *flow)
{
    struct switch_frame *f = &flow->stopped.frame;
    const struct recovery_end *e = &flow->end;

    bool rest = e->light[9] == (uint64_t)&f->ret;

    *f = (struct switch_frame){.r15 = e->r15, .r14 = e->r14, .r13 = e->r13, .r12 = e->r12, .rbp = e->rbp,
                               .rbx = e->rbx, .ret = rest ? f->ret : threads_resume_light};
    if (!rest) {
        memcpy(flow->light, e->light, sizeof flow->light);
    }
    flow->control = e->control;
    flow->saved = f;
}
static bool in_recovery(uint64_t rip)
{
    return between(rip, threads_recover_marked, threads_recover_end) ||
           between(rip, threads_recovery_end, threads_recovery_marked) ||
           between(rip, __start_threads_recovery, __stop_threads_recovery) ||
           (between(rip, __start_threads_spin_recovery, __stop_threads_spin_recovery) &&
            (rip - (uint64_t)__start_threads_spin_recovery) % 16 == 0);
}
static uint64_t restart(uint64_t rip)
{
    if (between(rip, threads_recover_mark, threads_recover_marked)) {
        return (uint64_t)threads_recover_mark;
    }
    if (between(rip, threads_recovery_mark, threads_recovery_marked)) {
        return (uint64_t)threads_recovery_mark;
    }
    return rip;
}
static struct thread *recover(struct thread *self, const struct upcall_slot *slot, uint64_t rip, uint64_t fs)
{
    struct frame context = slot->context;
    uint64_t has;

    memcpy(&has, slot->xstate + 512, sizeof has);
    self->recover.x87 = X87_BEGIN;
    if (has & 1) {
        memcpy(&self->recover.x87, slot->xstate, 2);
    }
    memcpy(&self->recover.mxcsr, slot->xstate + 24, 4);
    context.rip = rip;
    threads_recover(self, &context, fs);
    struct thread *flow = *(struct thread *volatile *)&self->recovered;
    count(&threads.count.recovered, 1);
    if (flow != NULL) {
        save_end(flow);
    }
    return flow;
}

// ---- whose context it is --------------------------------------------------------------------------------------

static void hold(struct thread **list, struct thread *handler)
{
    handler->next = *list;
    *list = handler;
}
// And all that wait for it: each of them can go on.
static void keep_handlers(struct thread *self, struct batch *b, struct thread *handler)
{
    uint64_t deep = 1;

    for (struct thread *waiter; handler != NULL; handler = waiter) {
        waiter = handler->waiter;
        handler->waiter = NULL;
        hold(handler->phase == PHASE_LOCKS ? &self->held : &b->handlers, handler);
        deep++;
    }
    if (deep > threads.count.deepest) {
        threads.count.deepest = deep;
    }
}
static void keep(struct thread *self, struct batch *b, struct thread *flow)
{
    if (flow->kind == FLOW_THREAD) {
        count(&threads.count.ready, 1);
        flow->next = NULL;
        *(b->threads != NULL ? &b->last->next : &b->threads) = flow;
        b->last = flow;
        return;
    }
    if (flow->kind == FLOW_WORKER) {
        count(&threads.count.ready, 1);
        flow->next = b->workers;
        b->workers = flow;
        return;
    }
    if (flow->phase == PHASE_EVENTS || flow->phase == PHASE_LOCKS) {
        count(&threads.count.continued, 1);
        keep_handlers(self, b, flow);
        return;
    }
    // A scheduler.  Those that waited for it as long as it had events still have theirs.
    count(&threads.count.dropped, 1);
    scheduler_waited(flow);
    keep_handlers(self, b, flow->waiter);
    flow->waiter = NULL;
    __atomic_store_n(&flow->phase, PHASE_LEFT, __ATOMIC_RELEASE);
}
static void take_context(struct thread *self, struct batch *b, const struct upcall_slot *slot)
{
    uint64_t fs = slot->fs_base, rip = restart(slot->context.rip);
    struct thread *flow, *behind = NULL;

    count(&threads.count.contexts, 1);
    if (between(rip, threads.machine.release, threads.machine.release_end) ||
        between(rip, threads_left, threads_leave_end)) {
        count(&threads.count.dropped, 1);            // it gave its stack away before
        return;
    }
    if (fs == 0) {
        fs = slot->context.rsp + 8;                  // a handler at its first instruction
    }
    flow = (struct thread *)fs;
    if (in_recovery(rip)) {
        behind = (struct thread *)slot->thread;
        behind->recovered = NULL;                    // somebody else has it: this one
        count(&threads.count.nested, 1);
        flow = recover(self, slot, rip, fs);
    } else if (between(rip, __start_threads_critical, __stop_threads_critical)) {
        flow = recover(self, slot, rip - (uint64_t)__start_threads_critical + (uint64_t)__start_threads_recovery, fs);
    } else if (between(rip, threads_resume, threads_resume_end)) {
        flow->saved = &flow->stopped.frame;
    } else {
        save_context(flow, slot, rip);
    }
    keep_handlers(self, b, behind);
    if (flow != NULL) {
        keep(self, b, flow);
    }
}

// ---- events ---------------------------------------------------------------------------------------------------

static void end_flow(struct thread *t)
{
    if (t->saved->ret == threads_resume_stopped) {
        t->stopped.rip = (uint64_t)(t->kind == FLOW_THREAD ? thread_exit : package_end);
        t->stopped.below = (uint64_t)t - 24 - STOPPED_BELOW;     // the whole stack is free
        t->stopped.rflags &= ~0x400ull;
        t->stopped.general[9] = 0;                   // RDI
    }
}
// A refused access of the library's: whoever goes on with that context makes it again.
static bool is_second_fault(const struct thread *flow, const struct upcall_slot *slot)
{
    return slot->kinds & UPCALL_FAULT &&
           (flow == NULL || (flow->kind != FLOW_THREAD && flow->kind != FLOW_WORKER) ||
            in_recovery(slot->context.rip));
}
static void take_event(struct thread *self, struct batch *b, const struct upcall_slot *slot)
{
    struct thread *flow = (struct thread *)slot->fs_base;
    uint32_t kinds = slot->kinds;

    if (is_second_fault(flow, slot)) {
        if (threads.machine.fail != NULL) {
            threads.machine.fail(slot);
        }
        __builtin_trap();
    }
    for (uint32_t k = 0; k < UPCALL_KINDS; k++) {
        if (kinds >> k & 1) {
            count(&threads.count.told[k], 1);
        }
    }
    if (flow != NULL && kinds & (UPCALL_BLOCKED | UPCALL_UNBLOCKED)) {
        flow->blocked = !(kinds & UPCALL_UNBLOCKED);
        if (flow->kind == FLOW_WORKER) {
            package_blocked(flow, !!(kinds & UPCALL_UNBLOCKED) - !!(kinds & UPCALL_BLOCKED));    // perhaps both
        }
    }
    if (kinds & UPCALL_CONTEXT) {
        take_context(self, b, slot);
    }
    if (kinds & (UPCALL_FAULT | UPCALL_OWNER)) {
        bool heard = threads.machine.event != NULL && threads.machine.event(flow, slot);
        if (kinds & UPCALL_FAULT && !heard) {
            end_flow(flow);
        }
    }
    b->adopt |= (kinds & (UPCALL_TAKEN | UPCALL_INTERVAL)) != 0;
}

// ---- 2, 3 -----------------------------------------------------------------------------------------------------

// Let another handler go on; this one is continued when it is through, or has come to PHASE_LOCKS.
static void go_on(struct thread *self, struct thread *handler)
{
    handler->waiter = self;
    critical_continue(self, handler);
}
static void finish(struct thread *self, struct thread *handlers)
{
    for (struct thread *next; handlers != NULL; handlers = next) {
        next = handlers->next;
        go_on(self, handlers);
    }
    *(volatile uint32_t *)&self->phase = PHASE_LOCKS;    // first: stopped from here on, it is held as one of these
    if (*(struct thread *volatile *)&self->waiter != NULL) {
        critical_come_back(self);
    }
    while ((handlers = *(struct thread *volatile *)&self->held) != NULL) {
        self->held = handlers->next;
        go_on(self, handlers);
    }
}
// The ring has an entry for each slot, so there is room.  No lock: with few slots left, who is stopped here cannot be
// told, and others must not wait for him.  An entry's upper bits say in which round it was written; who finds one that
// was written but not counted yet counts it.
void slot_give(uint32_t slot)
{
    struct space_user_page *user = threads.machine.user;

    for (;;) {
        uint32_t given = __atomic_load_n(&user->slots_given, __ATOMIC_ACQUIRE);
        uint32_t *entry = &user->slot[given % SLOTS_MOST], old = __atomic_load_n(entry, __ATOMIC_RELAXED);
        uint32_t round = (given / SLOTS_MOST + 1) << 16, next = given;
        // Of the round before: who was stopped here for a round or more has an old `given`.
        bool mine = (old & 0xffff0000) == round - 0x10000 &&
                    __atomic_compare_exchange_n(entry, &old, round | slot, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);

        // The release pairs with the supervisor's load.
        if (mine || (old & 0xffff0000) == round) {
            (void)__atomic_compare_exchange_n(&user->slots_given, &next, given + 1, false, __ATOMIC_RELEASE,
                                              __ATOMIC_RELAXED);
        }
        if (mine) {
            return;
        }
    }
}
static void give_slots(uint32_t first, uint32_t events)
{
    uint32_t slot = threads.machine.slot[first].next;

    for (uint32_t n = 1; n < events && slot < threads.machine.slots; n++) {
        uint32_t next = threads.machine.slot[slot].next;
        slot_give(slot);                             // its stack was not used: the phase is what it was
        slot = next;
    }
}
// Slots of handlers whose stacks are not used any more: some of them, the first ones, when so few are left that the
// supervisor would have to count them.  So the same stacks are used again and again, each of which is a page, and no
// other is looked at.
static void recycle(void)
{
    const struct threads_machine *m = &threads.machine;
    uint32_t more = m->slots / 8 + 1;

    if (m->user->slots_given - m->kernel->slots_taken > m->slots / 2 + UPCALL_BATCH + 1) {
        return;
    }
    for (uint32_t w = 0; w <= (m->slots - 1) / 64; w++) {
        for (uint64_t bits = __atomic_load_n(&used[w], __ATOMIC_RELAXED); bits != 0 && more != 0; bits &= bits - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(bits), left = PHASE_LEFT;
            struct thread *handler = (struct thread *)m->slot[slot].stack;
            if (handler->phase == PHASE_LEFT &&
                __atomic_compare_exchange_n(&handler->phase, &left, PHASE_GIVEN, false, __ATOMIC_ACQUIRE,
                                            __ATOMIC_RELAXED)) {
                __atomic_fetch_and(&used[w], ~(bits & -bits), __ATOMIC_RELAXED);     // first: it may begin at once
                slot_give(slot);
                more--;
            }
        }
    }
}
// Events may have waited for slots that are there now; nobody else asks for them.
static void tell_rest(void)
{
    const struct threads_machine *m = &threads.machine;

    if (__atomic_load_n(&m->kernel->pending, __ATOMIC_RELAXED) != 0 &&
        m->user->slots_given - m->kernel->slots_taken > 1) {
        m->processors();
    }
}
// Timers are heard once for each value.  user->thread is not touched: this handler may go on in another activation.
static void arm(struct activation_user *user)
{
    uint64_t interval = threads.setup.interval, until = *(volatile uint64_t *)&threads.first_until;

    if (threads.machine.alarm != NULL) {
        timers_again();
        return;
    }
    if (interval != 0) {
        user->interval = user->interval == interval ? interval + 1 : interval;
    }
    if (until != UINT64_MAX && until > threads.machine.now()) {
        timers_arm();                                // else it runs the timer itself
    }
}
void threads_handler(uint32_t first, uint32_t events, struct activation_kernel *activation)
{
    struct thread *self = thread_self();
    struct batch b = {0};
    uint32_t slot = first;

    __atomic_fetch_or(&used[first / 64 % (SLOTS_MOST / 64)], 1ull << first % 64, __ATOMIC_RELAXED);
    arm((struct activation_user *)activation->user);
    count(&threads.count.upcalls, 1);
    for (uint32_t n = 0; n < events && slot < threads.machine.slots; n++) {
        take_event(self, &b, &threads.machine.slot[slot]);
        slot = threads.machine.slot[slot].next;
    }
    finish(self, b.handlers);
    if (*(volatile uint64_t *)&threads.first_until != UINT64_MAX) {
        timers_look(self);               // first: whose time has come runs before its equals that were interrupted
    }
    for (struct thread *t = b.threads, *next; t != NULL; t = next) {
        next = t->next;
        critical_ready(self, t);
    }
    for (struct thread *w = b.workers, *next; w != NULL; w = next) {
        next = w->next;
        package_stopped(w);
    }
    if (b.adopt) {
        scheduler_adopt();
    }
    give_slots(first, events);
    recycle();
    scheduler_free(self);
    tell_rest();
    scheduler_loop();
}
