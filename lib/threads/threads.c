// threads.c - the library begins: its state, the records of handlers and idle flows, the slots.
#include "threads_impl.h"

#include <base.h>

struct threads threads;
void (*threads_yield)(void), (*threads_pause)(void);
extern const char *threads_release_address;
_Noreturn void threads_become(struct thread *t);
_Noreturn void threads_become_idle(struct thread *idle);
static uint32_t never_wants = UINT32_MAX;

enum { HANDLER_STACK = 8192 - sizeof(struct thread) };

_Static_assert(offsetof(struct thread, saved) == T_SAVED && offsetof(struct thread, phase) == T_PHASE &&
               offsetof(struct thread, control) == T_CONTROL, "record");
_Static_assert(offsetof(struct thread, recovered) == T_RECOVERED && offsetof(struct thread, light) == T_LIGHT,
               "record");
_Static_assert(offsetof(struct thread, end) == T_END && offsetof(struct thread, recover) == T_RECOVER, "record");
_Static_assert(offsetof(struct thread, stopped.below) == T_BELOW, "record");
_Static_assert(offsetof(struct thread, stopped.rip) == T_RIP, "record");
_Static_assert(offsetof(struct thread, spins) == T_SPINS && offsetof(struct thread, xstate) == T_XSTATE, "record");
_Static_assert(offsetof(struct frame, rip) == F_RIP && offsetof(struct frame, rflags) == F_RFLAGS &&
               offsetof(struct frame, rsp) == F_RSP, "frame");
_Static_assert(sizeof(struct thread) <= THREADS_RECORD, "records above stacks");
_Static_assert(sizeof(struct switch_frame) == 56 && sizeof(struct thread) % 64 == 0, "frames");
_Static_assert(offsetof(struct semaphore, guard) == offsetof(struct mutex, guard) &&
               offsetof(struct semaphore, waiters) == offsetof(struct mutex, waiters), "objects begin alike");

static bool make_handlers(const struct threads_machine *m)
{
    for (uint32_t i = 0; i < m->user->slots_given && i < SLOTS_MOST; i++) {
        m->user->slot[i] |= 0x10000;                 // as slot_give() would have
    }
    for (uint32_t i = 0; i < m->slots; i++) {
        bool given = m->slot[i].stack != 0;
        struct thread *t = given ? (struct thread *)m->slot[i].stack : thread_make(HANDLER_STACK);
        if (t == NULL) {
            return false;
        }
        if (given) {
            thread_record(t, FLOW_HANDLER);
        }
        t->kind = FLOW_HANDLER;
        t->slot = i;
        t->phase = PHASE_GIVEN;
        if (!given) {
            m->slot[i].stack = (va_t)t;
            slot_give(i);
        }
    }
    return true;
}
static bool make_idles(uint32_t idles)
{
    threads.idle = threads.setup.memory.allocate(area_pages_of(idles * sizeof *threads.idle));
    if (threads.idle == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < idles; i++) {
        threads.idle[i] = thread_make(HANDLER_STACK);
        if (threads.idle[i] == NULL) {
            return false;
        }
        threads.idle[i]->kind = FLOW_IDLE;
    }
    threads.idles = idles;
    return true;
}
// As in guard.h: all levels are empty.
static void make_lists(void)
{
    for (uint32_t i = 0; i < THREADS_PROCESSORS; i++) {
        struct ready *r = &threads.ready[i];
        for (uint32_t p = 0; p < THREAD_PRIORITIES; p++) {
            r->last[p] = (struct thread *)((char *)&r->first[p] - offsetof(struct thread, next));
        }
    }
}
// The first thread is left on a ready list that no processor may hold: the first upcall finds it.
static bool begin_activations(struct thread *first)
{
    const struct threads_machine *m = &threads.machine;
    struct ready *r = &threads.ready[0];

    make_lists();
    threads.wanted = &m->user->wanted;
    threads_release_address = m->release;
    if (!make_idles(m->activations + 1) || !make_handlers(m)) {
        return false;
    }
    if (threads.setup.interval != 0) {
        timers_tick();
    }
    r->first[first->priority] = r->last[first->priority] = first;
    r->bits = 1u << first->priority;
    m->user->wanted = m->release != NULL ? 1 : m->activations;
    return true;
}
void threads_processor(const struct activation_kernel *block)
{
    uint32_t left = PHASE_LEFT;

    for (uint32_t i = 0;; i = (i + 1) % threads.idles, left = PHASE_LEFT) {
        struct thread *idle = threads.idle[i];
        if (__atomic_compare_exchange_n(&idle->phase, &left, PHASE_SCHEDULING, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            // From the second one on it may be interrupted: then it is a scheduler, which is dropped.
            __asm__ volatile("wrfsbase %0\n\twrgsbase %1" : : "r"(idle), "r"(block) : "memory");
            threads_become_idle(idle);
        }
    }
}
enum thread_status threads_begin(const struct threads_setup *setup, void *(*first)(void *), void *argument)
{
    uint32_t slots = setup->machine.slots;
    struct thread *t;

    if (setup->kernel == NULL && (setup->processors == 0 || setup->processors > THREADS_PROCESSORS ||
                                  slots < 2 * setup->machine.activations || slots > SLOTS_MOST)) {
        return THREAD_INVALID;
    }
    threads.setup = *setup;
    threads.machine = setup->machine;
    if (threads.machine.cpus == 0 || threads.machine.cpus > THREADS_PROCESSORS) {
        threads.machine.cpus = THREADS_PROCESSORS;
    }
    threads.on_kernel = setup->kernel != NULL;
    threads_yield = threads.on_kernel ? setup->kernel->yield : critical_yield;
    threads_pause = threads.on_kernel ? setup->kernel->pause : NULL;
    threads.lifo = setup->order == THREADS_LIFO;
    threads.first_until = threads.waited_until = threads.alarm = UINT64_MAX;
    threads.wanted = &never_wants;
    if (setup->stack == 0) {
        threads.setup.stack = THREAD_STACK;
    }
    t = thread_make(threads.setup.stack);
    if (t == NULL) {
        return THREAD_NO_MEMORY;
    }
    thread_prepare(t, THREAD_PRIORITIES / 2, first, argument);
    if (!threads.on_kernel) {
        return begin_activations(t) ? THREAD_OK : THREAD_NO_MEMORY;
    }
    t->over = 0;
    t->handle = setup->kernel->first;
    threads_become(t);
}
void threads_read_statistics(struct threads_statistics *out)
{
    *out = threads.count;
    for (uint32_t i = 0; i < THREADS_PROCESSORS; i++) {
        out->forks += threads.ready[i].forks;
    }
    out->slots_given = threads.on_kernel ? 0 : threads.machine.user->slots_given;
}
