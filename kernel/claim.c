// claim.c - what becomes of an activation when it gets or loses a processor, blocks, or goes on.  See activation.h.
#include "supervisor.h"

static uint32_t given(const struct claims *c)
{
    return load_relaxed(&c->user->slots_given) - c->taken;
}

// Whoever was told to have blocked is to be told once more, in an upcall that may have a context of its own: two slots
// are kept for that, since all who have the others may wait for what it holds.  `more` such that are about to be told.
static uint32_t kept(const struct claims *c, uint32_t more)
{
    const uint64_t *told = c->page->told;
    uint64_t owed = told[__builtin_ctz(UPCALL_BLOCKED)] - told[__builtin_ctz(UPCALL_UNBLOCKED)] + more;

    return owed <= c->slots / 4 ? 2 * (uint32_t)owed : c->slots / 2;
}

// Was it told to have blocked, and goes on?
static bool is_owed(uint32_t events)
{
    return (events & (UPCALL_BLOCKED | UPCALL_UNBLOCKED)) == UPCALL_UNBLOCKED;
}

bool activation_has_room(const struct claims *c, uint32_t kinds)
{
    uint32_t slots = given(c), back = kinds & (UPCALL_BLOCKED | UPCALL_UNBLOCKED);

    return slots > c->slots / 2 || (is_owed(kinds) ? slots != 0 : slots > kept(c, back == UPCALL_BLOCKED));
}

uint32_t activation_slots(const struct claims *c)
{
    uint32_t slots = given(c), keep = slots > c->slots / 2 ? 0 : kept(c, 0);

    for (struct list *n = c->events.next; n != &c->events && keep != 0; n = n->next) {
        keep = is_owed(list_entry(n, struct thread, activation)->events) ? 0 : keep;
    }
    return slots > keep ? slots - keep : 0;
}

// With no slot left timers can wait: it may be the one they are for that gives slots.
static uint32_t can_wait(const struct claims *c)
{
    return activation_has_slots(c, 1) ? 0 : UPCALL_TIMERS;
}

// Has nothing happened to its context, apart from such as `wait`, but that it was taken off its processor, or lost it
// while it was blocked?
static bool just_preempted(const struct thread *t, uint32_t wait)
{
    const uint32_t back = UPCALL_BLOCKED | UPCALL_UNBLOCKED | UPCALL_TAKEN;
    const uint32_t e = t->events & ~wait;

    return e != 0 && (e & ~(back | UPCALL_PREEMPTED)) == 0 &&
           ((e & (UPCALL_BLOCKED | UPCALL_UNBLOCKED)) == 0 || (e & back) == back);
}

bool activation_scarce(const struct claims *c)
{
    uint32_t half = c->slots / 2;

    return c->tight && activation_slots(c) <= (c->activations < half ? c->activations : half);
}

bool activation_goes_on(struct thread *t)
{
    const struct claims *c = &t->home->claims;

    if (!t->paused && t->events != 0 && just_preempted(t, can_wait(c)) && activation_scarce(c)) {
        activation_untell(t);
    }
    bool on = t->paused;
    t->paused = false;
    return on;
}

// ---- on and off a processor ---------------------------------------------------------------------------------

// In a handler, it goes on as any thread does, and has no program space (see trap_resume()).
static void is_blocked(struct thread *t)
{
    t->act = ACT_BLOCKED;
    if (t->depth > 0) {
        t->space = NULL;
    }
}

static void leave_program(struct thread *t, uint32_t kinds)
{
    is_blocked(t);
    if (activation_quiet(t)) {
        t->quiet = true;
        activation_look(t->home);
    } else {
        activation_tell(t, kinds);
    }
}

// When it gets a processor, it begins there.
static void begins(struct thread *t)
{
    t->upcall = t->due = t->added = t->entering = true;
    t->warned = false;
    t->home->claims.entering++;
}

void activation_preempted(struct thread *t)
{
    activation_hold(t, false);
    if (t->depth > 0) {
        activation_end_claim(t, false);
        leave_program(t, UPCALL_BLOCKED | UPCALL_TAKEN);
        activation_handling(t, true);
        return;
    }
    t->home->claims.dropping -= t->drop;
    t->drop = false;
    begins(t);
    if (activation_quiet(t) || (t->events == 0 && activation_scarce(&t->home->claims))) {
        t->paused = true;
        activation_look(t->home);
    } else {
        activation_tell(t, UPCALL_PREEMPTED | UPCALL_TAKEN);
    }
}

void activation_dropped(struct cpu *cpu, struct thread *t)
{
    activation_end_claim(t, false);
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

// Another one claims t's processor, for the rest of its slice.  Gives it if nobody comes before it there, and the space
// goes on holding the processor.
static struct thread *next_here(struct cpu *cpu, const struct thread *t)
{
    struct thread *next = activation_claim(t->home);

    if (next == NULL) {
        return NULL;
    }
    sched_place(next, cpu->number);
    next->slice = t->slice;
    next->warned = t->warned;
    next->added = next->level < SHARE_WITHIN || highest(cpu->ready_mask) > (int)next->level;
    if (next->added) {
        sched_ready_here(cpu, next);
        return NULL;
    }
    return next;
}

bool activation_blocked(struct cpu *cpu, struct thread *t)
{
    struct claims *c = &t->home->claims;
    const struct frame *f = &t->state->frame[0];
    bool fault = t->depth == 1 && f->kind % FRAME_OWNER == FRAME_FAULT, wanted = !t->drop && !activation_quiet(t);
    va_t page = fault ? f->addr & ~(va_t)(ABI_PAGE - 1) : 0;

    if (wanted && faults_again(t, page)) {
        activation_end_claim(t, false);
        t->act = ACT_BLOCKED;
        t->space = NULL;
        t->events |= UPCALL_BLOCKED | UPCALL_TAKEN;
        t->stalled = true;
        c->stalled++;
        return false;
    }
    c->fault = page;
    struct thread *next = wanted ? next_here(cpu, t) : NULL;
    activation_end_claim(t, next != NULL);
    if (next == NULL) {
        leave_program(t, UPCALL_BLOCKED | UPCALL_TAKEN);
        return false;
    }
    is_blocked(t);
    // One that goes on by itself was not told that its own processor was lost: this one's was, then.  Likewise if there
    // is no slot to tell of this one, which then goes on by itself.
    next->added = !activation_room(c, UPCALL_BLOCKED);
    t->events |= next->paused || next->added ? UPCALL_BLOCKED | UPCALL_TAKEN : UPCALL_BLOCKED;
    if (load_relaxed(&c->user->wanted) > c->count) {
        activation_look(t->home);                 // there is one less to have it
    }
    sched_enter_here(cpu, next, t);
    return true;
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
    activation_end_claim(t, false);
    if (t->paused) {
        activation_pause(t);
    } else if (t->events != 0) {
        t->act = ACT_STOPPED;
    } else {
        activation_recycle(t);
    }
    activation_look(t->home);                     // others may need no slot
}

// ---- for the allocator ----------------------------------------------------------------------------------------

// Those that could have a claim; with `just`, the claims of their space, only such as were just preempted.  Gives how
// many, `most` at most.
static uint32_t find(const struct list *l, const struct claims *just, uint32_t most, struct thread **last)
{
    uint32_t found = 0, wait = just != NULL ? can_wait(just) : 0;

    for (struct list *n = l->next; n != l && found < most; n = n->next) {
        struct thread *t = list_entry(n, struct thread, activation);
        if ((t->act == ACT_STOPPED || t->act == ACT_FRESH) && (just == NULL || just_preempted(t, wait))) {
            *last = t;
            found++;
        }
    }
    return found;
}

uint32_t activation_spare(const struct claims *c, uint32_t most)
{
    struct thread *t;
    bool scarce = activation_scarce(c), events = !list_empty(&c->events) && activation_has_slots(c, 1);
    uint32_t n = find(&c->paused, NULL, most, &t) + find(&c->events, scarce ? c : NULL, most, &t);

    if (scarce && (n > 0 || !events)) {
        return n;
    }
    n += find(&c->fresh, NULL, scarce ? 1 : most, &t);
    return n != 0 ? n : find(&c->events, NULL, 1, &t);
}

// Which one is to have the next processor.
static struct thread *choose(struct claims *c)
{
    bool scarce = activation_scarce(c);
    struct thread *t = NULL;

    if (find(&c->paused, NULL, 1, &t) != 0) {
        return t;
    }
    if (scarce && find(&c->events, c, 1, &t) != 0) {
        activation_untell(t);
        return t;
    }
    if (scarce && (!activation_has_slots(c, 1) || list_empty(&c->events))) {
        return NULL;
    }
    if (!list_empty(&c->fresh)) {
        return list_entry(c->fresh.next, struct thread, activation);
    }
    (void)find(&c->events, NULL, 1, &t);          // its context is told when it runs
    return t;
}

struct thread *activation_claim(struct space *s)
{
    struct thread *t = choose(&s->claims);

    if (t != NULL) {
        if (t->paused || t->fresh) {
            list_remove(&t->activation);          // others are on the list of events, until they are told
        }
        t->act = ACT_CLAIM;
        begins(t);
        s->claims.count++;
    }
    return t;
}

void activation_unclaim(struct cpu *cpu, struct thread *t)
{
    sched_remove(cpu, t);
    t->status = THREAD_WAITING;
    activation_withdrawn(t);
}

// ---- calls ----------------------------------------------------------------------------------------------------

// Such as blocked while their upcalls were disabled, which they are no more, are told now.
static void tell_late(const struct space *s)
{
    for (struct list *n = s->threads.next; n != &s->threads; n = n->next) {
        struct thread *t = list_entry(n, struct thread, sibling);
        if (t->quiet && t->act == ACT_BLOCKED && !activation_quiet(t)) {
            t->quiet = false;
            activation_tell(t, UPCALL_BLOCKED | UPCALL_TAKEN);
        }
    }
}

err_t activation_processors(struct thread *t, uint64_t *held)
{
    if (t->act != ACT_CLAIM || t->depth != 0) {
        return ERR_DENIED;
    }
    tell_late(t->home);
    *held = t->home->claims.held;
    if (t->events != 0 || !list_empty(&t->home->claims.events)) {
        t->upcall = t->due = true;
    }
    activation_look(t->home);
    return ERR_OK;
}

err_t activation_release(struct cpu *cpu, struct thread *t)
{
    struct claims *c;

    if (t->act != ACT_CLAIM || t->depth != 0 || activation_quiet(t)) {
        return ERR_DENIED;
    }
    c = &t->home->claims;
    if (t->events & UPCALL_OWNER) {               // it has waited for a slot, and is not lost
        cpu->frame->rax = ERR_OK;
        sched_leave(cpu);
        activation_dropped(cpu, t);
        return (err_t)ERR_NO_RESULT;
    }
    store_relaxed(&t->block->alarm, t->events & UPCALL_ALARM ? 0 : load_relaxed(&t->block->alarm));  // not heard yet
    t->fresh = true;
    if (!t->drop && !list_empty(&c->events) && activation_has_slots(c, 1)) {
        t->added = false;
        upcall_enter(cpu);
        return (err_t)ERR_NO_RESULT;
    }
    sched_leave(cpu);
    activation_end_claim(t, false);
    activation_recycle(t);
    store_relaxed(&c->page->released, c->page->released + 1);
    activation_look(t->home);
    return (err_t)ERR_NO_RESULT;
}
