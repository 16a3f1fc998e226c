// claim.c - what becomes of an activation when it gets or loses a processor, blocks, or goes on.  See activation.h.
#include "arch.h"
#include "atomic.h"
#include "instance.h"
#include "sched.h"
#include "upcall.h"

// Has nothing happened to its context, but that it was taken off its processor?
static bool just_preempted(const struct thread *t)
{
    return t->events != 0 && (t->events & ~(uint32_t)(UPCALL_PREEMPTED | UPCALL_TAKEN)) == 0;
}

uint32_t activation_slots(const struct claims *c)
{
    return load_relaxed(&c->user->slots_given) - c->taken;
}

bool activation_scarce(const struct claims *c)
{
    uint32_t half = c->slots / 2;

    return activation_slots(c) <= (c->activations < half ? c->activations : half);
}

bool activation_goes_on(struct thread *t)
{
    if (!t->paused && just_preempted(t) && activation_scarce(&t->home->claims)) {
        activation_untell(t);
    }
    bool on = t->paused;
    t->paused = false;
    return on;
}

// ---- on and off a processor ---------------------------------------------------------------------------------

// In a handler, it goes on as any thread does, and has no program space (see trap_resume()).
static void leave_program(struct thread *t, uint32_t kinds)
{
    t->act = ACT_BLOCKED;
    if (t->depth > 0) {
        t->space = NULL;
    }
    if (activation_quiet(t)) {
        t->quiet = true;
        activation_look();
    } else {
        activation_tell(t, kinds);
    }
}

void activation_preempted(struct thread *t)
{
    activation_hold(t, false);
    if (t->depth > 0) {
        activation_end_claim(t);
        leave_program(t, UPCALL_BLOCKED | UPCALL_TAKEN);
        activation_handling(t, true);
        return;
    }
    t->home->claims.dropping -= t->drop;
    t->drop = false;
    t->upcall = t->due = t->added = t->entering = true;
    if (activation_quiet(t) || (t->events == 0 && activation_scarce(&t->home->claims))) {
        t->paused = true;
        activation_look();
    } else {
        activation_tell(t, UPCALL_PREEMPTED | UPCALL_TAKEN);
    }
}

void activation_dropped(struct cpu *cpu, struct thread *t)
{
    activation_hold(t, false);
    activation_end_claim(t);
    if (t->depth > 0) {
        leave_program(t, UPCALL_BLOCKED | UPCALL_TAKEN);
        sched_ready(cpu, t);
    } else if (activation_quiet(t)) {
        activation_pause(t);
    } else {
        t->act = ACT_STOPPED;
        activation_tell(t, UPCALL_PREEMPTED | UPCALL_TAKEN);
    }
}

// Has an upcall faulted on the page for which the one that it tells of has blocked?  Telling of that one too would
// fault again (Scheduler Activations, 3.1).
static bool faults_again(const struct thread *t, va_t page)
{
    const struct claims *c = &t->home->claims;
    va_t rsp = t->state->frame[0].rsp;

    return page != 0 && page == c->fault && rsp < t->stack && t->stack - rsp <= UPCALL_STACK;
}

void activation_blocked(struct cpu *cpu, struct thread *t)
{
    struct claims *c = &t->home->claims;
    const struct frame *f = &t->state->frame[0];
    bool fault = t->depth == 1 && f->kind % FRAME_OWNER == FRAME_FAULT, wanted = !t->drop && !activation_quiet(t);
    va_t page = fault ? f->addr & ~(va_t)(ABI_PAGE - 1) : 0;

    activation_end_claim(t);
    if (wanted && faults_again(t, page)) {
        t->act = ACT_BLOCKED;
        t->space = NULL;
        t->events = UPCALL_BLOCKED | UPCALL_TAKEN;
        t->stalled = true;
        c->stalled++;
        activation_hold(t, false);
        return;
    }
    c->fault = page;
    struct thread *next = wanted ? activation_claim(t->home) : NULL;
    if (next != NULL) {
        next->added = false;                      // the space holds this processor already
        sched_ready_here(cpu, next);
    } else {
        activation_hold(t, false);
    }
    leave_program(t, next != NULL ? UPCALL_BLOCKED : UPCALL_BLOCKED | UPCALL_TAKEN);
}

static void unblocked(struct thread *t, uint32_t kinds)
{
    struct claims *c = &t->home->claims;

    activation_handling(t, false);
    c->stalled -= t->stalled;
    c->fault = 0;
    t->stalled = false;
    if (t->quiet && activation_quiet(t)) {
        t->quiet = false;
        activation_pause(t);
        return;
    }
    t->act = ACT_STOPPED;
    activation_tell(t, kinds | UPCALL_UNBLOCKED | (t->quiet ? UPCALL_BLOCKED | UPCALL_TAKEN : 0));
    t->quiet = false;
}

bool activation_ready(struct thread *t)
{
    if (t->depth == 0) {
        unblocked(t, 0);
        return false;
    }
    activation_handling(t, true);
    return true;
}

void activation_waits(struct thread *t)
{
    activation_handling(t, false);
}

void activation_resume(struct cpu *cpu, struct thread *t, uint32_t kinds)
{
    t->depth = 0;
    cpu->frame = &t->state->frame[0];
    if (t->act == ACT_CLAIM) {
        arch_space_switch(cpu, t->space->root);
        t->events |= kinds;
        upcall_enter(cpu);
        return;
    }
    sched_leave(cpu);
    unblocked(t, kinds);
}

void activation_withdrawn(struct thread *t)
{
    activation_hold(t, false);
    activation_end_claim(t);
    if (t->fresh) {
        activation_recycle(t);
    } else {
        t->act = ACT_STOPPED;
    }
}

// ---- for the allocator ----------------------------------------------------------------------------------------

// The first that has no claim; with `just` only one that was just preempted.
static struct thread *first_stopped(struct list *l, bool just)
{
    for (struct list *n = l->next; n != l; n = n->next) {
        struct thread *t = list_entry(n, struct thread, activation);
        if (t->act == ACT_STOPPED && (!just || just_preempted(t))) {
            return t;
        }
    }
    return NULL;
}

// Which one is to have the next processor.
static struct thread *choose(struct claims *c)
{
    bool scarce = activation_scarce(c);
    struct thread *t;

    if (!list_empty(&c->paused)) {
        return list_entry(c->paused.next, struct thread, activation);
    }
    t = scarce ? first_stopped(&c->events, true) : NULL;
    if (t != NULL) {
        activation_untell(t);
        return t;
    }
    if (activation_slots(c) == 0 || (scarce && list_empty(&c->events))) {
        return NULL;
    }
    return list_empty(&c->fresh) ? first_stopped(&c->events, false)      // its context is told when it runs
                                 : list_entry(c->fresh.next, struct thread, activation);
}

struct thread *activation_claim(struct space *s)
{
    struct thread *t = choose(&s->claims);

    if (t != NULL) {
        if (t->events == 0) {
            list_remove(&t->activation);
        }
        t->act = ACT_CLAIM;
        t->upcall = t->due = t->added = t->entering = true;
        s->claims.count++;
    }
    return t;
}

void activation_unclaim(struct cpu *cpu, struct thread *t)
{
    sched_remove(cpu, t);
    t->status = THREAD_WAITING;
    activation_end_claim(t);
    if (t->paused) {
        activation_pause(t);
    } else if (t->events != 0) {
        t->act = ACT_STOPPED;
    } else {
        activation_recycle(t);
    }
}

// ---- calls ----------------------------------------------------------------------------------------------------

err_t activation_processors(struct thread *t, uint64_t *held)
{
    if (t->act != ACT_CLAIM || t->depth != 0) {
        return ERR_DENIED;
    }
    *held = t->home->claims.held;
    if (!list_empty(&t->home->claims.events)) {
        t->upcall = t->due = true;
    }
    activation_look();
    return ERR_OK;
}

err_t activation_release(struct cpu *cpu, struct thread *t)
{
    struct claims *c;

    if (t->act != ACT_CLAIM || t->depth != 0) {
        return ERR_DENIED;
    }
    c = &t->home->claims;
    t->fresh = true;
    if (!list_empty(&c->events) && activation_slots(c) != 0) {
        t->added = false;
        upcall_enter(cpu);
        return (err_t)ERR_NO_RESULT;
    }
    activation_hold(t, false);
    sched_leave(cpu);
    activation_end_claim(t);
    activation_recycle(t);
    store_relaxed(&c->page->released, c->page->released + 1);
    activation_look();
    return (err_t)ERR_NO_RESULT;
}
