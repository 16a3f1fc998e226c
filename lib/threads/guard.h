// guard.h - the pieces of critical functions: spin locks, lists, and the end that switches.
//
// Everything here is inlined into critical functions.  A spin lock is waited for outside of the critical section, since
// who waits holds nothing: stopped there he is an ordinary thread.  In the recovery copy of the code
// (tools/recoverable) the wait is the end of the recovery.  On kernel threads the holder may be a lower one, which runs
// only if the waiter does not: threads_spin_round.
#pragma once
#include "threads_impl.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void guard_take(uint32_t *lock)
{
    __asm__ volatile("1: lock btsl $0, %0\n\t"
                     "jc .Lspin%=\n\t"
                     ".pushsection threads_spin, \"ax\", @progbits\n\t"
                     ".Lspin%=: call threads_spin_round\n\t"
                     "testl $1, %0\n\t"
                     "jnz .Lspin%=\n\t"
                     "jmp 1b\n\t"
                     ".popsection" : "+m"(*lock) : : "cc", "memory");
}
// The list of this processor, with its lock: who has moved as he waited takes that of the new one.
INLINE struct ready *ready_take(void)
{
    uint64_t at;

    __asm__ volatile("1: imull %[size], %%gs:4, %k[at]\n\t"
                     "lock btsl $0, %c[ready](%[at])\n\t"
                     "jc .Lspin%=\n\t"
                     ".pushsection threads_spin, \"ax\", @progbits\n\t"
                     ".Lspin%=: call threads_spin_round\n\t"
                     "testl $1, %c[ready](%[at])\n\t"
                     "jnz .Lspin%=\n\t"
                     "jmp 1b\n\t"
                     ".popsection" : [at] "=&r"(at) : [size] "i"(sizeof(struct ready)), [ready] "i"(threads.ready)
                     : "cc", "memory");
    return (struct ready *)((char *)threads.ready + at);
}
INLINE void guard_give(uint32_t *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);     // pairs with guard_take(): what it guards
}

// ---- ready lists --------------------------------------------------------------------------------------------

// An empty level's last thread is the place before its first[], which looks like one as far as `next` goes: so nobody
// who adds one asks whether it is empty.
typedef struct thread *__attribute__((may_alias)) ready_link;

INLINE struct thread *ready_none(struct ready *r, uint32_t p)
{
    return (struct thread *)((char *)&r->first[p] - offsetof(struct thread, next));
}
INLINE void ready_append(struct ready *r, uint32_t p, struct thread *t)
{
    *(ready_link *)((char *)r->last[p] + offsetof(struct thread, next)) = t;
    r->last[p] = t;
}
INLINE void ready_put_at(struct ready *r, struct thread *t, uint32_t p, bool first)
{
    if (first && r->bits >> p & 1) {
        t->next = r->first[p];
        r->first[p] = t;
    } else {
        r->bits |= 1u << p;
        ready_append(r, p, t);
    }
}
INLINE void ready_put(struct ready *r, struct thread *t, bool first)
{
    ready_put_at(r, t, t->priority, first);
}
// The first of the highest level, of which there is one.
INLINE struct thread *ready_get(struct ready *r)
{
    uint32_t p = 31 - (uint32_t)__builtin_clz(r->bits);
    struct thread *t = *(ready_link *)&r->first[p];

    if (__builtin_expect(t == r->last[p], 1)) {
        r->last[p] = ready_none(r, p);
        r->bits &= ~(1u << p);
    } else {
        r->first[p] = t->next;
    }
    return t;
}

// ---- free records -------------------------------------------------------------------------------------------

struct free_list {
    struct thread **first;
    uint32_t *lock;
};

INLINE struct free_list free_list_of(const struct thread *t)
{
    if (t->large) {
        return (struct free_list){&threads.large, &threads.large_lock};
    }
    struct ready *r = threads.on_kernel ? &threads.ready[0] : ready_here();
    return (struct free_list){&r->free, &r->lock};
}

// ---- lists of waiters -----------------------------------------------------------------------------------------

// On a list that is empty.
INLINE void wait_put_only(struct wait_list *list, struct thread *t)
{
    t->list = list;
    t->prev = t->next = NULL;
    list->first = list->last = t;
}
INLINE void wait_put(struct wait_list *list, struct thread *t)
{
    struct thread *before = list->last;

    if (__builtin_expect(before == NULL, 1)) {
        wait_put_only(list, t);
        return;
    }
    while (before != NULL && before->priority < t->priority) {
        before = before->prev;
    }
    t->list = list;
    t->prev = before;
    t->next = before != NULL ? before->next : list->first;
    *(before != NULL ? &before->next : &list->first) = t;
    *(t->next != NULL ? &t->next->prev : &list->last) = t;
}
INLINE void wait_remove(struct thread *t)
{
    struct wait_list *list = t->list;

    *(t->prev != NULL ? &t->prev->next : &list->first) = t->next;
    *(t->next != NULL ? &t->next->prev : &list->last) = t->prev;
}
// t is the first one.
INLINE void wait_remove_first(struct wait_list *list, struct thread *t)
{
    struct thread *next = t->next;

    list->first = next;
    *(next != NULL ? &next->prev : &list->last) = NULL;
}
// t waits no more; then it may run as soon as it is on a ready list, or at once with kernel threads.
INLINE void wait_over(struct thread *t)
{
    __atomic_store_n(&t->list, NULL, __ATOMIC_RELEASE);          // pairs with kernel_wait()
}

// ---- words of objects ---------------------------------------------------------------------------------------

INLINE enum thread_status stop_status(uint32_t reasons)
{
    return reasons & STOP_TIMEOUT ? THREAD_TIMEOUT : THREAD_CANCELLED;
}
INLINE bool word_swing(uint64_t *word, uint64_t *from, uint64_t to)
{
    return __atomic_compare_exchange_n(word, from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}
// Nobody waits any more: the fast ways are open again.
INLINE void word_quiet(uint64_t *word, struct wait_list *waiters)
{
    if (waiters->first == NULL) {
        __atomic_fetch_and(word, ~1ull, __ATOMIC_RELAXED);
    }
}
// Give m, or a place among its waiters, to t.  Under the guard.
INLINE bool mutex_grant(struct mutex *m, struct thread *t)
{
    uint64_t word = m->word;

    for (;;) {
        if (word == 0) {
            if (word_swing(&m->word, &word, (uint64_t)t)) {
                return true;
            }
        } else if (word & 1 || word_swing(&m->word, &word, word | 1)) {
            return false;
        }
    }
}

// ---- waking -------------------------------------------------------------------------------------------------

// No lock is held.  The wrapper does the rest if t is higher than the caller, or a kernel thread.
INLINE void make_ready(struct thread *self, struct thread *t)
{
    if (threads.on_kernel) {
        self->woken = t;
        return;
    }
    struct ready *r = ready_take();
    bool higher = t->priority > self->priority;
    ready_put(r, t, threads.lifo && self->kind == FLOW_THREAD);
    guard_give(&r->lock);
    if (higher) {
        self->woken = t;
    }
}

// ---- switching ------------------------------------------------------------------------------------------------

// Without recovery (the comparison of tools/recoverable) a return is just one.
#ifndef RETURN
#define RETURN "jmp __x86_return_thunk"
#endif
#define LOAD_CONTROL "ldmxcsr %c[control](%[next])\n\tfldcw %c[control] + 4(%[next])\n\t"
#define POP_FRAME \
    "popq %%r15\n\tpopq %%r14\n\tpopq %%r13\n\tpopq %%r12\n\tpopq %%rbp\n\tpopq %%rbx\n\t" \
    RETURN

// The caller goes on at `frame`.  Not before it has the lock with which it is found: who is stopped as he waits for one
// (threads_spin) is saved as a whole.
INLINE void save_to(struct thread *self, struct switch_frame *frame)
{
    self->saved = frame;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(self->control.mxcsr), "=m"(self->control.x87));
}
// The same in a body of SWITCHING_STRAIGHT: its stack is at the frame.
INLINE void save_straight(struct thread *self)
{
    __asm__ volatile("movq %%rsp, %0\n\tstmxcsr %1\n\tfnstcw %2"
                     : "=m"(self->saved), "=m"(self->control.mxcsr), "=m"(self->control.x87));
}
// Run `next`, and give the lock free as soon as nobody is on the caller's stack.
INLINE _Noreturn void switch_to(struct thread *next, uint32_t *lock)
{
    __asm__ volatile("movq %c[saved](%[next]), %%rsp\n\t" LOAD_CONTROL
                     "wrfsbase %[next]\n\t"
                     "movl $0, %[lock]\n\t" POP_FRAME
                     : [lock] "=m"(*lock) : [next] "r"(next), [saved] "i"(T_SAVED), [control] "i"(T_CONTROL)
                     : "memory");
    __builtin_unreachable();
}
// For handlers and idle flows, which end.
INLINE _Noreturn void switch_and_end(struct thread *self, struct thread *next, uint32_t *lock)
{
    __asm__ volatile("movq %c[saved](%[next]), %%rsp\n\t" LOAD_CONTROL
                     "wrfsbase %[next]\n\t"
                     "movl $0, (%[lock])\n\t"
                     "movl $0, (%[phase])\n\t" POP_FRAME
                     : : [next] "r"(next), [lock] "r"(lock), [phase] "r"(&self->phase), [saved] "i"(T_SAVED),
                       [control] "i"(T_CONTROL)
                     : "memory");
    __builtin_unreachable();
}
// Back to the caller, whose frame that is.
INLINE _Noreturn void switch_back(struct switch_frame *frame)
{
    __asm__ volatile("movq %[frame], %%rsp\n\t" POP_FRAME : : [frame] "r"(frame) : "memory");
    __builtin_unreachable();
}
INLINE _Noreturn void switch_back_straight(void)
{
    __asm__ volatile(POP_FRAME : : : "memory");
    __builtin_unreachable();
}

// Go on with another function of the section, which does all cases.  Without a frame: those that never come back.
#define GO_ON(body, ...) \
    do { \
        __asm__ volatile("jmp " #body : : __VA_ARGS__ : "memory"); \
        __builtin_unreachable(); \
    } while (0)

// The same from a body of SWITCHING_STRAIGHT to one of SWITCHING.  `register_`: that of the frame.
#define GO_ON_WAITING(body, register_, ...) \
    do { \
        __asm__ volatile("movq %%rsp, %%" #register_ "\n\tjmp " #body : : __VA_ARGS__ : "memory"); \
        __builtin_unreachable(); \
    } while (0)

#define CRITICAL __attribute__((section("threads_critical"), noipa, used))

// A critical function that may switch: save the caller, and go on with body(arguments..., frame), which has to be the
// next function of the file (critical functions are neither moved nor aligned).  `register_`: that of the argument
// after the last.
#define SWITCHING(name, body, register_) \
    SWITCHING_FRAME(name, "movq %rsp, %" #register_ "\n\t", #body "_follows")
// One whose body does not use the stack itself (tools/recoverable looks): then its frame is where that points.
#define SWITCHING_STRAIGHT(name, body) SWITCHING_FRAME(name, "", #body "_straight")
#define SWITCHING_FRAME(name, frame, label) \
    __asm__(".pushsection threads_critical, \"ax\", @progbits\n\t" \
            ".globl " #name "\n\t.type " #name ", @function\n" #name ":\n\t" \
            "pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t" \
            frame ".size " #name ", . - " #name "\n" label ":\n\t.popsection")
