// thread.c - threads of an application kernel: what a handler can do to its own thread and to others.
//
// The service thread (service.c) is the only one that loads threads, so t->id has one writer.  Everyone else tells
// it by the reload list, a lock-free stack: `queued` says that t is on it, and whoever set `queued` pushes.
//
// `woken` is the truth about wakeups, the supervisor's signal is only a hint that may come early or be lost:
//   (a) t finds woken = 0, is written back before its wait, and the signal hit it in between: the signal is
//       gone, but t is loaded again with LOAD_SIGNALED, so its wait returns and it finds woken = 1.
//   (b) t is written back in its wait, and the signal finds it stale: the waker puts it on the reload list after
//       it set woken, so the service thread, whenever it looks, finds woken = 1 and loads it.
//   (c) t was loaded again, but t->id is still the old one for the waker: the signal finds it stale, t is put on the
//       list, and the service thread, who knows the new id, signals it.
//   (d) somebody else's wait (a spin lock's, a mutex's) takes the signal: woken is still 1 for ak_block.
#include "appkernel_impl.h"

#include <base.h>
#include <sys.h>

static struct ak_thread *dead;           // stack of those that the service thread has buried
static uint32_t stacks_lock;
static pa_t stack_pool[16];              // runs of AK_STACK + 1 frames: adjacent ones are hard to come by
static unsigned stacks;

static pa_t stack_alloc(void)
{
    pa_t run = 0;

    ak_spin_lock(&stacks_lock);
    if (stacks > 0) {
        run = stack_pool[--stacks];
    }
    ak_spin_unlock(&stacks_lock);
    return run != 0 ? run : ak_frame_alloc_run(AK_STACK + 1);
}

static void stack_free(pa_t run)
{
    ak_spin_lock(&stacks_lock);
    bool kept = stacks < sizeof(stack_pool) / sizeof(stack_pool[0]);
    if (kept) {
        stack_pool[stacks++] = run;
    }
    ak_spin_unlock(&stacks_lock);
    for (unsigned i = 0; !kept && i <= AK_STACK; i++) {
        ak_frame_put(run + i * ABI_PAGE);
    }
}

err_t ak_thread_create(struct ak_thread *t, uint32_t priority, uint32_t flags)
{
    pa_t run = stack_alloc();

    if (run == 0) {
        return ERR_LIMIT;
    }
    memset(t, 0, sizeof(*t));
    t->state = ak_window(run);
    // The other frames are written before they are read, and the queue of signals is empty.
    memset(t->state, 0, offsetof(struct thread_state, frame[2]));
    memset(t->state->xstate, 0, offsetof(struct thread_state, signal) - offsetof(struct thread_state, xstate));
    t->xstack = (va_t)ak_window(run) + (AK_STACK + 1) * ABI_PAGE;
    t->priority = priority;
    t->flags = flags;
    return ERR_OK;
}

void ak_thread_destroy(struct ak_thread *t)
{
    stack_free(ak_window_pa(t->state));
    t->state = NULL;
}

void ak_thread_run(struct ak_thread *t, void (*fn)(void *), void *arg)
{
    struct thread_state *s = t->state;

    s->frame[0].kind = FRAME_TRAP;       // not in its program: nobody may start it again in resume()
    s->frame[1].rip = (va_t)fn;
    s->frame[1].rdi = (uint64_t)arg;
    s->frame[1].rsp = t->xstack - 8;
    s->frame[1].rflags = 0x202;
    s->depth = 1;
    s->run = RUN_READY;
    ak_queue(t);
}

_Noreturn void ak_thread_exit(struct ak_thread *t)
{
    __atomic_store_n(&t->dying, 1, __ATOMIC_RELEASE);            // pairs with consider() in service.c
    for (;;) {
        (void)sys_thread_unload(0, 0);
    }
}

// The kernel's highest priority may be lower than it was when the thread was made.
uint32_t ak_thread_level(const struct ak_thread *t)
{
    uint32_t most = __atomic_load_n(&ak_info->limits.max_priority, __ATOMIC_RELAXED);
    uint32_t own = __atomic_load_n(&t->priority, __ATOMIC_SEQ_CST), lent = __atomic_load_n(&t->lent, __ATOMIC_SEQ_CST);
    uint32_t level = own > lent ? own : lent;

    return level < most ? level : most;
}

// Whoever changes something calls this afterwards, and looks again after its call of the supervisor: of two that
// do so at the same time, the one whose call comes last has seen both changes.
void ak_thread_apply(struct ak_thread *t)
{
    oid_t id;
    uint32_t level;

    do {
        id = __atomic_load_n(&t->id, __ATOMIC_SEQ_CST);
        level = ak_thread_level(t);
        if (id != 0) {
            (void)sys_thread_priority(id, level);    // stale: it is loaded again, with this priority
        }
    } while (level != ak_thread_level(t) || id != __atomic_load_n(&t->id, __ATOMIC_SEQ_CST));
}

void ak_thread_set_priority(struct ak_thread *t, uint32_t priority)
{
    __atomic_store_n(&t->priority, priority, __ATOMIC_SEQ_CST);
    ak_thread_apply(t);
}

void ak_thread_reload(struct ak_thread *t)
{
    (void)t;
    (void)sys_thread_unload(0, 0);       // the service thread finds it unloaded and not dying
}

// Called by the service thread: t is not loaded, on no list, and will never be again.
void ak_thread_bury(struct ak_thread *t)
{
    t->next_queued = __atomic_load_n(&dead, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&dead, &t->next_queued, t, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
}

struct ak_thread *ak_thread_collect(void)
{
    struct ak_thread *t = __atomic_load_n(&dead, __ATOMIC_ACQUIRE);

    // One collector at a time, so nobody takes t away and puts it back between the look and the exchange.
    while (t != NULL &&
           !__atomic_compare_exchange_n(&dead, &t, t->next_queued, true, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
    }
    if (t != NULL) {
        ak_thread_destroy(t);
    }
    return t;
}

// The store of frame[0].kind and the look for work that follows it in t's handler come before the writeback, or
// after the thread is loaded again; the writeback is in between, since the unload waits for the processor that
// runs t.  So t either has seen the work, or is started again in resume().
void ak_thread_interrupt(struct ak_thread *t)
{
    __atomic_store_n(&t->interrupt, 1, __ATOMIC_SEQ_CST);
    oid_t id = __atomic_load_n(&t->id, __ATOMIC_ACQUIRE);
    if (id == 0 || sys_thread_unload(id, 0) != ERR_OK) {
        ak_queue(t);                     // stale: the service thread knows better
    }
}

err_t ak_block(struct ak_thread *t, uint64_t deadline)
{
    while (exchange32(&t->woken, 0) == 0) {
        if (deadline != 0 && ak_now() >= deadline) {
            return ERR_TIMEOUT;
        }
        (void)sys_wait(deadline);
    }
    return ERR_OK;
}

void ak_wake(struct ak_thread *t)
{
    __atomic_store_n(&t->woken, 1, __ATOMIC_SEQ_CST);            // pairs with consider() in service.c
    oid_t id = __atomic_load_n(&t->id, __ATOMIC_ACQUIRE);
    if (id == 0 || sys_signal(id) != ERR_OK) {
        ak_queue(t);
    }
}

err_t ak_resume(struct ak_thread *t)
{
    return sys_resume(t->space);
}

err_t ak_map_and_resume(struct ak_thread *t, va_t va, pa_t pa, uint64_t flags)
{
    return sys_mapping_load_and_resume(t->space, va, pa, flags);
}

// The unload of an object that has begun is carried on by the call that began it, or by anyone who repeats that
// call with the id in R9, where the supervisor notes that.
void ak_space_finish(oid_t space)
{
    register uint64_t r8 __asm__("r8") = 0;
    register uint64_t r9 __asm__("r9") = space;
    uint64_t e = SYS_space_unload, rdx = 0;

    __asm__ volatile("syscall" : "+a"(e), "+d"(rdx), "+r"(r8), "+r"(r9) : "D"(space), "S"(0) : "rcx", "r11", "memory");
}
