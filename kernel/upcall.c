// upcall.c - beginning an upcall.  See upcall.h.
//
// Everything is put in memory of the owner's, which its program reads and may write: what is read back from there
// (counts, the alarm heard last) decides nothing for anybody else.
#include "supervisor.h"

enum { INITIAL_FLAGS = 0x202, SLOT_TRIES = 8 };

struct telling {                         // of one upcall
    struct claims *c;
    struct upcall_slot *first, *last;
    uint32_t index, count;               // of the first; how many
};

// The next slot that the program has given; SLOT_NONE: there is none.
static uint32_t slot_take(struct claims *c)
{
    uint32_t given = load_acquire(&c->user->slots_given);     // pairs with the program's release: the entry is there

    for (unsigned i = 0; i < SLOT_TRIES && given != c->taken; i++) {
        uint32_t slot = load_relaxed(&c->user->slot[c->taken % SLOTS_MOST]) & 0xffff;
        c->taken++;
        store_relaxed(&c->page->slots_taken, c->taken);
        if (slot < c->slots) {
            return slot;
        }
    }
    return SLOT_NONE;
}

// Put an event of t in a slot; its extended state is still in the processor if it `runs`.  False: there is no slot.
static bool put(struct telling *x, const struct thread *t, uint32_t kinds, bool runs)
{
    const struct thread_state *s = t->state;
    uint32_t i = slot_take(x->c);

    if (i == SLOT_NONE) {
        return false;
    }
    struct upcall_slot *slot = x->c->slot + i;
    slot->kinds = kinds;
    slot->activation = t->index;
    slot->processor = t->cpu;
    slot->next = SLOT_NONE;
    slot->thread = load_relaxed(&t->user->thread);
    slot->fs_base = s->fs_base;
    slot->value = t->value;
    if (kinds & UPCALL_CONTEXT) {
        memcpy(&slot->context, &s->frame[0], sizeof(slot->context));
        if (runs) {
            slot->fs_base = arch_state_save_to(slot->xstate);
        } else {
            memcpy(slot->xstate, s->xstate, sizeof(slot->xstate));
        }
    }
    for (uint32_t k = kinds; k != 0; k &= k - 1) {
        x->c->page->told[__builtin_ctz(k)]++;
    }
    if (x->count++ == 0) {
        x->first = slot;
        x->index = i;
    } else {
        x->last->next = i;
    }
    x->last = slot;
    return true;
}

// Others' events, oldest first: such as there are slots for.
static void put_others(struct telling *x)
{
    for (struct list *n = x->c->events.next, *next; x->count < UPCALL_BATCH && n != &x->c->events; n = next) {
        struct thread *o = list_entry(n, struct thread, activation);
        uint32_t kinds = o->act == ACT_BLOCKED ? o->events & ~(uint32_t)UPCALL_CONTEXT : o->events;
        next = n->next;
        if (activation_room(x->c, kinds) && put(x, o, kinds, false)) {
            activation_told(o);
        }
    }
}

static void begin(struct cpu *cpu, struct thread *t, struct telling *x)
{
    struct claims *c = x->c;
    struct frame *f = cpu->frame;
    va_t block = c->area_va + area_kernel_blocks() + t->index * sizeof(struct activation_kernel);

    t->stack = load_relaxed(&x->first->stack);
    c->tight = load_relaxed(&c->user->slots_given) - c->taken <= c->slots / 2 + UPCALL_BATCH;
    f->rax = f->rbx = f->rcx = f->rbp = f->r8 = f->r9 = f->r10 = 0;
    f->r11 = f->r12 = f->r13 = f->r14 = f->r15 = 0;           // not cpu->enter_fresh: it may leave again at once
    f->rdi = x->index;
    f->rsi = x->count;
    f->rdx = block;
    f->rip = c->upcall;
    f->rsp = t->stack - 8;
    f->rflags = INITIAL_FLAGS;
    f->kind = FRAME_TRAP;                         // RCX and R11 hold nothing of value
    arch_state_begin(block);
    t->fresh = t->added = false;
    t->events = 0;
    t->interval = t->interval_left = 0;
    c->page->upcalls++;
}

// What an own event says.  A context that was running until now has been preempted for the sake of the upcall.
static uint32_t own_kinds(const struct thread *t)
{
    return (t->fresh ? 0 : t->events != 0 ? t->events : UPCALL_PREEMPTED) | (t->added ? UPCALL_ADDED : 0);
}

// Its program runs already.  Is there a reason to interrupt it, and may it be interrupted?
static bool may_interrupt(const struct thread *t)
{
    const struct claims *c = &t->home->claims;

    return (t->events != 0 || (!list_empty(&c->events) && activation_has_slots(c, 2))) &&
           load_relaxed(&t->user->disabled) == 0;
}

// An upcall of the activation that is to run here, with its own event if it has one, that of one that has just blocked,
// and others.  False: no slot.
static bool tell(struct cpu *cpu, struct thread *t, bool runs, struct thread *blocked)
{
    struct telling x = {.c = &t->home->claims};
    uint32_t kinds = own_kinds(t);
    bool room = kinds == 0 || (activation_has_slots(x.c, 1) && put(&x, t, kinds, runs));

    if (blocked != NULL) {
        if (room && !t->added && put(&x, blocked, blocked->events & ~(uint32_t)UPCALL_CONTEXT, false)) {
            activation_told(blocked);
        } else {
            activation_tell(blocked, 0);
        }
    }
    if (!room) {
        return false;
    }
    if (!t->fresh) {
        activation_told(t);
    }
    put_others(&x);
    if (x.count == 0 && !put(&x, t, 0, false)) {
        return false;
    }
    begin(cpu, t, &x);
    return true;
}

void upcall_enter(struct cpu *cpu)
{
    struct thread *t = cpu->thread;

    t->upcall = t->due = false;
    if (t->drop) {
        sched_leave(cpu);
        activation_dropped(cpu, t);
    } else if (t->fresh) {
        if (!tell(cpu, t, false, NULL)) {
            sched_leave(cpu);
            activation_withdrawn(t);
        }
    } else if (may_interrupt(t) && !tell(cpu, t, true, NULL)) {
        t->upcall = t->events != 0;               // it goes on; the events wait for slots
    }
}

void upcall_begin(struct cpu *cpu, struct thread *blocked)
{
    struct thread *t = cpu->thread;

    t->upcall = t->due = t->entering = false;
    t->home->claims.entering--;
    activation_hold(t, true);
    if (!t->fresh && activation_goes_on(t)) {
        t->added = false;
        if (blocked != NULL) {
            activation_tell(blocked, 0);
        }
        if (!list_empty(&t->home->claims.events)) {
            activation_look(t->home);             // they were left to it (see_to_events())
        }
        if (!arch_state_load(t->state)) {
            sched_refuse(cpu, t);
        }
    } else if (!tell(cpu, t, false, blocked)) {
        sched_let_go(cpu);                        // it cannot begin, for want of slots
        activation_withdrawn(t);                  // others can have the processor
    }
}

// ---- timers -------------------------------------------------------------------------------------------------

uint64_t upcall_timers(struct cpu *cpu, struct thread *t, uint64_t now)
{
    const struct activation_user *u = t->user;
    uint64_t interval = load_relaxed(&u->interval), alarm = load_relaxed(&u->alarm);
    uint64_t total = load_relaxed(&t->state->ran), ran = total - t->looked;

    t->looked = total;
    if (load_relaxed(&t->home->claims.user->tick) == 0 || t->act != ACT_CLAIM) {
        return 0;
    }
    if (interval != t->interval) {
        t->interval = t->interval_left = interval;
    } else if (t->interval_left != 0) {
        t->interval_left = ran < t->interval_left ? t->interval_left - ran : 0;
        t->events |= t->interval_left == 0 ? UPCALL_INTERVAL : 0;
    }
    if (alarm != load_relaxed(&t->block->alarm) && alarm != 0 && alarm <= now) {
        store_relaxed(&t->block->alarm, alarm);   // heard, from now on: the event is not lost
        t->events |= UPCALL_ALARM;
    }
    if (t->events != 0) {                         // also such as have waited for slots, or were disabled
        t->upcall = t->due = true;
    }
    uint64_t slice = cpu->instance->slice;
    return now + (t->interval_left != 0 && t->interval_left < slice ? t->interval_left : slice);
}

bool upcall_warn(struct thread *t)
{
    if (t->act != ACT_CLAIM || t->warned || load_relaxed(&t->user->warn) == 0) {
        t->warned = false;
        return false;
    }
    t->warned = t->upcall = t->due = true;
    t->events |= UPCALL_QUANTUM;
    return true;
}
