// signal.c - address-valued signals: memory-based messaging.  See signal.h.
//
// Words of the queue belong to the owner, who may write them at any time: they are only used modulo the size of the
// ring, and only decide which of the owner's signals the owner's thread gets.
#include "supervisor.h"

enum { RED_ZONE = 128, INITIAL_FLAGS = 0x202 };

static uint32_t queued(const struct thread *t)
{
    uint32_t fill = load_relaxed(&t->state->signal_head) - load_relaxed(&t->state->signal_tail);
    return fill > SIGNAL_ENTRIES ? SIGNAL_ENTRIES : fill;
}

static void put(struct thread *t, va_t va, uint64_t cookie)
{
    struct thread_state *s = t->state;
    uint32_t head = load_relaxed(&s->signal_head);

    if (queued(t) == SIGNAL_ENTRIES) {
        store_relaxed(&s->signal_lost, s->signal_lost + 1);
        return;
    }
    s->signal[head % SIGNAL_ENTRIES] = (struct signal_entry){va, cookie};
    store_release(&s->signal_head, head + 1);         // pairs with whoever reads the page while the thread is loaded
}

static struct signal_entry get(struct thread *t)
{
    struct thread_state *s = t->state;
    uint32_t tail = load_relaxed(&s->signal_tail);
    struct signal_entry e = s->signal[tail % SIGNAL_ENTRIES];

    store_relaxed(&s->signal_tail, tail + 1);
    return e;
}

static void due_again(struct thread *t)
{
    store_relaxed(&t->due,
                  t->upcall || (t->function != 0 && load_relaxed(&t->state->signal_active) == 0 && queued(t) != 0));
}

void signal_queue_load(struct thread *t)
{
    due_again(t);
    if (signal_waits(t)) {
        t->signalled = true;
    }
}

bool signal_waits(const struct thread *t)
{
    return t->function == 0 && queued(t) != 0;
}

va_t signal_take(struct thread *t)
{
    return signal_waits(t) ? get(t).va : 0;
}

// Queue a signal for t and see to it that t notices.
static void deliver(struct cpu *cpu, struct thread *t, va_t va, uint64_t cookie)
{
    put(t, va, cookie);
    cpu->instance->stats->signals++;
    if (t->o.state != OBJECT_LOADED) {
        return;                                       // on its way out, its queue with it
    }
    due_again(t);
    if (thread_waits(t)) {
        if (t->function == 0) {
            t->state->frame[t->depth].rdx = signal_take(t);
        }
        sched_signal(cpu, t);
    } else if (t->function == 0) {
        t->signalled = true;                          // the next wait takes it
    } else if (t->status == THREAD_RUNNING) {
        sched_poke(cpu, &cpu->instance->cpu[t->cpu]);
    }
}

// ---- the reverse TLB ----------------------------------------------------------------------------------------

static struct reverse *reverse_slot(struct cpu *cpu, uint64_t pfn)
{
    return &cpu->reverse[pfn % REVERSE_ENTRIES];
}

static bool reverse_hit(struct cpu *cpu, uint64_t pfn, va_t offset)
{
    const struct reverse *r = reverse_slot(cpu, pfn);

    if (r->pfn != pfn || r->version != cpu->instance->message_version) {
        cpu->stats->reverse_misses++;
        return false;
    }
    cpu->stats->reverse_hits++;
    deliver(cpu, r->thread, r->va + offset, r->cookie);
    return true;
}

// ---- sending ------------------------------------------------------------------------------------------------

// The two-stage look-up: the mappings of the frame, and for each its receiver; `last` is what it found.
static uint64_t send_to_all(struct cpu *cpu, uint64_t pfn, va_t offset, struct reverse *last)
{
    struct instance *in = cpu->instance;
    uint64_t count = 0;

    *last = (struct reverse){.pfn = pfn, .version = in->message_version};

    for (struct record *r = pmap_frame_first(in, pfn); r != NULL; r = pmap_frame_next(in, r)) {
        if (!r->signal) {
            continue;
        }
        struct thread *t = pmap_signal_of(in, r);
        last->va = (va_t)r->vpn << ABI_PAGE_SHIFT;
        last->cookie = space_at(in, (uint32_t)r->space)->cookie;
        last->thread = t;
        deliver(cpu, t, last->va + offset, last->cookie);
        count++;
    }
    in->work += (uint32_t)count * WORK_WAKE;
    return count;
}

uint64_t signal_raise(struct cpu *cpu, uint64_t pfn, va_t offset)
{
    struct reverse last;

    return send_to_all(cpu, pfn, offset, &last);
}

// Not in the reverse TLB.
static __attribute__((noinline)) err_t send_slowly(struct cpu *cpu, uint64_t pfn, va_t offset, uint64_t *receivers)
{
    struct reverse last;

    if (device_is(cpu->instance, pfn)) {
        *receivers = 1;
        return device_signal(cpu, pfn, offset);
    }
    *receivers = send_to_all(cpu, pfn, offset, &last);
    if (*receivers == 1) {
        *reverse_slot(cpu, pfn) = last;
    }
    return ERR_OK;
}

err_t signal_send(struct cpu *cpu, va_t va, uint64_t *receivers)
{
    struct space *s = thread_where(cpu->thread);
    struct leaf leaf;

    if (va >= ABI_USER_END || !table_find(cpu->instance, s, va, 0, &leaf) || !arch_pte_present(*leaf.pte)) {
        return (err_t)ERR_USER_WRITE;
    }
    uint32_t access = arch_pte_access(*leaf.pte);
    if (!(access & MAP_MESSAGE)) {
        return ERR_DENIED;
    }
    if (!(access & MAP_WRITE)) {
        return (err_t)ERR_USER_WRITE;                 // as a store would
    }
    uint64_t pfn = arch_pte_pa(*leaf.pte) >> ABI_PAGE_SHIFT;
    va_t offset = va & (ABI_PAGE - 1);
    *receivers = 1;
    return reverse_hit(cpu, pfn, offset) ? ERR_OK : send_slowly(cpu, pfn, offset, receivers);
}

bool signal_handoff(struct cpu *cpu)
{
    va_t va = cpu->frame->rdi;
    const struct table *leaf = table_last(thread_where(cpu->thread), va);
    enum { SEND = MAP_MESSAGE | MAP_WRITE };

    if (leaf == NULL || cpu->frame->rsi != 0) {
        return false;
    }
    pte_t e = *table_leaf(leaf, va);
    uint64_t pfn = arch_pte_pa(e) >> ABI_PAGE_SHIFT;
    const struct reverse *r = reverse_slot(cpu, pfn);
    if (!arch_pte_present(e) || (arch_pte_access(e) & SEND) != SEND || r->pfn != pfn ||
        r->version != cpu->instance->message_version) {
        return false;
    }
    if (r->thread->function != 0 || !sched_handoff(cpu, r->thread, r->va + (va & (ABI_PAGE - 1)))) {
        return false;
    }
    cpu->stats->reverse_hits++;
    cpu->instance->stats->signals++;
    return true;
}

// ---- the signal function ------------------------------------------------------------------------------------

void signal_enter(struct cpu *cpu)
{
    struct thread *t = cpu->thread;
    struct frame *f = cpu->frame;

    assert(cpu->locked && t->depth == 0);
    if (t->upcall) {
        upcall_enter(cpu);
        return;
    }
    if (t->function == 0 || queued(t) == 0 || load_relaxed(&t->state->signal_active) != 0) {
        store_relaxed(&t->due, false);                // the owner has changed its mind
        return;
    }
    struct signal_entry e = get(t);
    t->state->interrupted = *f;
    t->state->signal_active = 1;
    store_relaxed(&t->due, false);
    f->kind = FRAME_NONE;
    f->rip = t->function;
    f->rsp = ((f->rsp - RED_ZONE) & ~15ull) - 8;
    f->rflags = INITIAL_FLAGS;
    f->rdi = e.va;
    f->rsi = e.cookie;
    cpu->stats->signals_entered++;
}

err_t signal_return(struct cpu *cpu)
{
    struct thread *t = cpu->thread;

    if (t->depth != 0 || load_relaxed(&t->state->signal_active) == 0) {
        return ERR_DEPTH;
    }
    *cpu->frame = t->state->interrupted;
    cpu->frame->kind = FRAME_NONE;                    // all registers count
    t->state->signal_active = 0;
    due_again(t);
    if (signal_due(t)) {
        signal_enter(cpu);
    }
    return (err_t)ERR_NO_RESULT;
}
