// threads_impl.h - what the files of the threads library share.
//
// A flow is whatever has a record (struct thread) and FS base there: a thread, an upcall handler (its record is at the
// top of the stack of its slot), or an idle flow, which looks for work after a thread that left nothing to run.
//
// A flow that does not run has its control words in its record, and `saved`: the top of a frame from which six
// registers are popped, then `ret`.  One that stopped by itself has the frame on its stack; one that was stopped has it
// in its record, and `ret` leads to code that loads the rest (resume.S).  So who switches does not ask which of them it
// is.
//
// Locks: spin locks ("guards") of the ready lists and objects, one at a time, held in critical.c only.
// Letters: I since it was made, o its own, r under the lock of its ready list, g under on->guard, a atomic, h the
// handler that has it in hand, t under the timer lock.
#pragma once
#include "offsets.h"
#include "threads.h"

struct control_words {
    uint32_t mxcsr;
    uint16_t x87, none;
};
enum { MXCSR_BEGIN = 0x1f80, X87_BEGIN = 0x37f };        // of a new program

struct switch_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    const void *ret;
};

// Of a stopped flow; popped from top to bottom, down to `below`.
struct stopped {
    struct switch_frame frame;
    uint64_t general[15];                // r15 ... rax, the order of resume.S
    uint64_t rflags, below;              // below: its RSP less STOPPED_BELOW, where RIP is put for the last `ret`
    uint64_t rip;
};

// Where recovery ended: at the return of a critical function.
struct recovery_end {
    uint64_t light[10];                  // rax rcx rdx rsi rdi r8 ... r11 rsp
    uint64_t rbx, rbp, r12, r13, r14, r15;
    struct control_words control;
};

enum thread_kind { FLOW_THREAD, FLOW_HANDLER, FLOW_IDLE, FLOW_WORKER };

enum flow_phase {                        // of handlers and idle flows; package.h has those of workers
    PHASE_LEFT = 0,                      // nobody is on its stack
    PHASE_GIVEN = 1,                     // its slot is in the ring, or filled
    PHASE_EVENTS = 1,                    // it has contexts that may hold locks, or other handlers that have
    PHASE_SCHEDULING = 2,                // it has nothing, and looks for a thread
    PHASE_LOCKS = 3,                     // it has threads to make ready, and may wait for locks
};

enum { STOP_TIMEOUT = 1, STOP_CANCEL = 2 };              // why a wait ends too early
enum look {                              // of a thread in thread_cancel()
    LOOKS = 1,
    LOOKS_FIRST = 2,                     // it was stopped, and went on before higher ones
};
enum after_wait {
    AFTER_LATE = 1,                      // it was switched to although a higher one was ready
    AFTER_TIMED = 2,                     // it has a timer
    AFTER_KERNEL = 4,                    // always, of a kernel thread: the wait itself
    AFTER_MORE = 8,                      // a thread that was to run instead was given back
};

struct thread {
    struct waitable waitable;            // I
    struct switch_frame *saved;          // o, when it does not run: whoever has it
    struct thread *next, *prev;          // r g h
    struct wait_list *list;              // g  on which it waits; NULL as soon as it does not
    struct mutex *on;                    // a  whose guard that is; semaphores begin alike
    uint32_t priority;                   // a  of handlers and idle flows the highest
    uint32_t phase;                      // a  enum flow_phase
    struct control_words control;        // o, when it does not run
    uint32_t result;                     // g  of its wait: enum thread_status
    uint32_t keys;                       // o  bit: key[i] is set.  Looked at with the next (unusual_pair)
    uint32_t after;                      // g  bits: what it has to do after its wait (enum after_wait).  Likewise
    uint32_t stop;                       // a  bits: end its waits
    uint32_t hears;                      // o  what ends its waits at safe points: STOP_CANCEL or 0
    uint32_t detached;                   // under done.guard.  Looked at with the next
    uint32_t large;                      // I  its stack is not of the usual size
    uint32_t stoppable;                  // o  bits: what ends this wait early
    void *(*fn)(void *);                 // I
    void *argument;                      // I  of a worker: its package's local record
    union {
        void *value;                     // o  after its end
        uint64_t arrival;                // t  how many had timers before it
    };
    uint32_t stopping;                   // a  others that look at its wait now
    uint32_t kind;                       // I
    struct thread *woken;                // o  somebody whom it has to wake or let run
    uint32_t over;                       // a  kernel threads: its stack is free
    struct semaphore done;               // word: 0, or 2 after its end; one waiter at most
    struct semaphore token;              // of thread_block
    size_t stack;                        // I  bytes
    union {
        void *got;                       // h  of a joiner: what the other one gave
        struct thread *above;            // t  heap.h; NULL: it is the first
    };
    struct thread *waiter;               // h  a handler that goes on when this one is through, or in PHASE_LOCKS
    struct thread *recovered;            // o  of a handler: what threads_recover came back with
    uint64_t until;                      // t  under the timer lock; 0: not a timed wait
    union {
        struct { struct thread *left, *right; };         // t  heap.h
        struct { void *(*fn)(void *); void *argument; } forks;   // o  what critical_fork could not do
    };
    union {
        uint64_t handle;                 // I  kernel threads
        struct package *package;         // I  of a worker
    };
    uint32_t slot;                       // I  of a handler
    uint32_t timed;                      // t  heap.h; 0: it has no timer
    char *bottom;                        // I  the page below is a guard
    uint32_t blocked;                    // h  in the supervisor or the owner
    uint32_t key_serial[THREAD_KEYS];    // o
    uint32_t looks;                      // o h  at another's wait, who may have to wait for that (enum look)
    void *key[THREAD_KEYS];              // o
    uint64_t light[10];                  // of one that was recovered, as in struct recovery_end
    struct recovery_end end;
    struct control_words recover;        // for threads_recover
    uint64_t overwritten[2];             // below the frame, by a recovery that is about to pop it
    struct stopped stopped;
    struct thread *held;                 // h  handlers in PHASE_LOCKS that it is to continue
    uint32_t spins;                      // o  kernel threads: threads_spin_round
    uint8_t xstate[XSTATE_SIZE] __attribute__((aligned(64)));
};

struct ready {                           // of a processor
    uint32_t lock;                       // a
    uint32_t bits;                       // r  levels that have threads
    struct thread *free;                 // r  records with stacks of the usual size
    uint64_t forks;                      // r
    struct thread *first[THREAD_PRIORITIES];     // r  of each level
    struct thread *last[THREAD_PRIORITIES];      // r  see guard.h
} __attribute__((aligned(1024)));

struct threads {
    struct ready ready[THREADS_PROCESSORS];
    struct threads_setup setup;          // I
    struct threads_machine machine;      // I
    uint32_t on_kernel;                  // I
    uint32_t lifo;                       // I
    uint32_t idles;                      // I
    uint32_t timer_lock;                 // a
    uint32_t large_lock;                 // a
    struct thread **idle;                // I
    struct thread *timers;               // t  the first one, or NULL
    uint64_t timer_arrivals;             // t
    uint64_t first_until;                // t  read by all: ~0 if none
    uint64_t waited_until;               // a  a scheduler waits for that in the supervisor; ~0: none
    uint64_t alarm;                      // a  machine.alarm was asked for that; ~0: not since it came
    struct thread *large;                // with stacks of other sizes, free
    struct { void (*destroy)(void *); uint32_t serial; } key[THREAD_KEYS];
    uint32_t *wanted;                    // the word of the user page, or one that never asks
    struct threads_statistics count;     // a
};
extern struct threads threads;
extern void (*threads_pause)(void);      // kernel_backend.pause; NULL without kernel threads

static inline void count(uint64_t *counter, uint64_t by)
{
    __atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

// As thread_self, and not kept over calls: reading it again takes less than that.
static inline struct thread *thread_self_now(void)
{
    struct thread *self;

    __asm__ volatile("movq %%fs:0, %0" : "=r"(self));
    return self;
}
// Looks at memory by one instruction: something is unusual if one, or one of two neighbours, is not 0.
static inline bool unusual(const uint32_t *word)
{
    bool is;

    __asm__ volatile("cmpl $0, %1" : "=@ccne"(is) : "m"(*word) : "memory");
    return __builtin_expect(is, 0);
}
static inline bool unusual_pair(const uint32_t *words)
{
    bool is;

    __asm__ volatile("cmpq $0, %1" : "=@ccne"(is) : "m"(*(const uint32_t (*)[2])words) : "memory");
    return __builtin_expect(is, 0);
}

// ---- critical.c: recoverable.  Those that switch come back when the caller runs again ---------------------

void critical_yield(void);
void critical_lock(struct thread *self, struct mutex *m);
void critical_condition_wait(struct thread *self, struct mutex *m, struct condition *c);
void critical_semaphore_wait(struct thread *self, struct semaphore *s);
// Wait for the end of t, which frees its own record: self->got is what it gave.  THREAD_BUSY: t has ended, is the
// caller's to free, and self->got.  THREAD_INVALID: somebody else waits for it.
void critical_join(struct thread *self, struct thread *t);
_Noreturn void critical_exit(void *value, struct thread *self);
void critical_exit_kernel(struct thread *self);          // of a kernel thread, which goes on
// Continue `to`, another handler; the caller is continued by it.
void critical_continue(struct thread *self, struct thread *to);
// Go on with self->waiter, if there is one, which continues the caller later.
void critical_come_back(struct thread *self);
// As critical_continue, but the caller ends.
void critical_end_for(struct thread *self, struct thread *to);
// Run the first thread of a ready list; comes back if there is none.
void critical_schedule(struct thread *self, struct ready *from);

enum thread_status critical_unlock(struct thread *self, struct mutex *m);
// True: somebody was made ready.
bool critical_signal(struct thread *self, struct condition *c, bool all);
// most: a word that is not exceeded.
void critical_post(struct thread *self, struct semaphore *s, uint64_t most);
// End a wait of t for a reason, if it hears it.
void critical_stop(struct thread *self, struct thread *t, uint32_t reason);
// False: it is detached already.  *exited: it has ended, and is the caller's to free.
bool critical_detach(struct thread *t, bool *exited);
void critical_ready(struct thread *self, struct thread *t);
struct thread *critical_take(struct ready *from);    // the first ready thread, or NULL
uint32_t critical_listed(struct ready *r);       // under its lock: how many threads there are, 2 for more
// Begin a thread with a record of this processor's, like the caller's: *thread is written first, and NULL comes back.
// Else there is none: `thread` comes back, and self->forks is the rest.
struct thread **critical_fork(struct thread *self, struct thread **thread, void *(*fn)(void *), void *argument);
struct thread *critical_new(struct ready *from); // a free record with a stack of the usual size, or NULL
struct thread *critical_large(size_t stack);     // with one that is large enough, or NULL
void critical_free(struct thread *t);
void critical_timer_add(struct thread *t);
void critical_timer_remove(struct thread *t);
struct thread *critical_timer_due(uint64_t now); // taken off, its `stopping` counted up; or NULL

// critical_package.c; package.h says who workers are.
// Go on as the worker, if it is in that phase and its package may have one more processor; then the caller ends.
void critical_run(struct thread *self, struct thread *worker, uint32_t phase, struct package *p);
_Noreturn void critical_retire(struct thread *self, struct package *p);      // the worker ends; its stack is left
void critical_park(struct thread *self, struct package *p);      // comes back when it has been unparked
bool critical_unpark(struct thread *worker);     // true: it was parked, and is ready now

// ---- resume.S, recover.S ------------------------------------------------------------------------------------

// Run a context that is inside a critical function, or its copy, to that function's end.  `fs`: its FS base.
// self->recovered is the flow that is there then, or NULL if another handler has it.
void threads_recover(struct thread *self, const struct frame *context, uint64_t fs);
_Noreturn void threads_leave(void);              // give the processor back, and the caller's stack
extern const char threads_left[], threads_leave_end[], threads_resume[], threads_resume_end[], threads_resume_stopped[];
extern const char threads_resume_light[], threads_recover_mark[], threads_recover_marked[], threads_recover_end[];
extern const char threads_recovery_end[], threads_recovery_mark[], threads_recovery_marked[];
extern const char threads_start[], threads_idle_start[];
extern const char __start_threads_critical[], __stop_threads_critical[], __start_threads_recovery[],
    __stop_threads_recovery[], __start_threads_spin_recovery[], __stop_threads_spin_recovery[];

// ---- the rest -----------------------------------------------------------------------------------------------

_Noreturn void scheduler_loop(void);             // of a handler that is through, or an idle flow
void scheduler_free(struct thread *self);        // a flow becomes a scheduler
void scheduler_adopt(void);                      // take what is on lists of processors that are not held
void scheduler_waited(struct thread *self);      // it is not in `wait` any more
void scheduler_want(void);                       // there may be more to run than processors
void scheduler_look(void);                       // wants processors for what is ready, if the caller runs one of that
void timers_run(struct thread *self);            // what is due
void timers_look(struct thread *self);           // the same, and what is next, if there is something
void timers_arm(void);
void timers_tick(void);                          // timers are used, from now on
void timers_again(void);                         // at an upcall for machine.alarm
void woken(struct thread *self);                 // act on self->woken
void keys_destroy(struct thread *self);
struct thread *thread_make(size_t stack);        // a record with a stack, from the program's memory; or NULL
void thread_record(struct thread *t, enum thread_kind kind);
void packages_run(struct thread *self);          // a scheduler: run a worker of some package, or come back
uint32_t packages_ready(void);                   // for how many more processors packages have something, 2 for more
void package_stopped(struct thread *worker);     // it was stopped, and has been saved
void package_blocked(const struct thread *worker, int32_t more);     // so many more of its package run or are stopped
_Noreturn void package_end(void *none);          // where a worker goes on after a fault that nobody has heard
extern uint32_t packages;                        // a  how many
void slot_give(uint32_t slot);                   // back to the supervisor; anybody, at any time

static inline struct ready *ready_here(void)
{
    uint64_t at;                         // the supervisor's word is below ABI_MAX_CPUS

    __asm__ volatile("imull %1, %%gs:4, %k0" : "=r"(at) : "i"(sizeof(struct ready)));
    return (struct ready *)((char *)threads.ready + at);
}
static inline bool more_to_get(void)
{
    return __builtin_expect(*(volatile uint32_t *)threads.wanted < threads.setup.processors, 0);
}
// Somebody is ready and processors are to be had.
static inline void more_to_run(void)
{
    if (more_to_get()) {
        scheduler_want();
    }
}
// A scheduler is about to run something: whether it leaves more behind.
static inline void look_behind(void)
{
    if (more_to_get()) {
        scheduler_look();
    }
}
// A flow that has not run is at `ret`, at the top of its stack.
static inline void flow_begin(struct thread *t, const void *ret)
{
    struct switch_frame *frame = (struct switch_frame *)((char *)t - 16) - 1;

    frame->ret = ret;
    t->saved = frame;
    t->control = (struct control_words){MXCSR_BEGIN, X87_BEGIN, 0};
}
// A free record becomes a thread.
static inline void thread_prepare(struct thread *t, uint32_t priority, void *(*fn)(void *), void *argument)
{
    flow_begin(t, threads_start);
    t->priority = priority;
    t->detached = 0;
    t->hears = STOP_CANCEL;
    t->stop = 0;
    t->done.word = 0;
    t->token.word = 0;
    t->fn = fn;
    t->argument = argument;
}
// After a call that may have woken somebody.  The caller may be the one who waits for a processor from then on.
static inline void after_wake(struct thread *self)
{
    more_to_run();
    if (__builtin_expect(self->woken != NULL, 0)) {
        woken(self);
    }
}
