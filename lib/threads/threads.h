// threads.h - user-level threads: FastThreads on scheduler activations.
//
// Threads are switched by the program itself, on the processors that its space holds; a thread that blocks in the
// supervisor or in its owner gives its processor to another.  Every processor has a ready list by priority; one
// whose list is empty takes from the others', spins for a moment, and gives its processor back.
// The same interface runs on kernel threads: as processors (threads_processor), and one to one (threads_setup.kernel).
// On processors that are kernel threads, one whose thread blocks is lost until that goes on; timed waits and rotation
// are as with activations.  One to one there is no rotation of the library's, and a priority is that of the kernel
// thread, at once when it changes, as far as the supervisor has so many.
//
// Who may call: threads of the library only, but for threads_begin; what does not block, also other flows (waitable.h).
// FS base is the library's: the current thread.
// "Blocks": other threads run meanwhile.  A function that does not say so never blocks.  Functions with `until` take a
// moment of the clock (threads_machine.now), 0 for never.  Objects are the caller's memory, are initialised by
// x_init(), need not be destroyed, and must not move.
// The arguments of a function are valid unless it has an error for them; pointers are not NULL unless it says so.
// Priorities: 0 (lowest) to THREAD_PRIORITIES - 1.  A processor runs the highest of its list, in order among equals;
// waiting lists likewise.  A thread that makes a higher one ready lets it run at once.  One whose moment has come
// interrupts the processor on which its alarm is, and runs there unless a higher one is ready.
// Cancellation: at safe points only: thread_test_cancel, join, the waits of conditions and semaphores, thread_sleep.
//
// Scheduler Activations, 3 and 4; URPC, table I.
#pragma once
#include <abi/types.h>

#include "kernel_backend.h"
#include "threads_machine.h"
#include "waitable.h"

struct thread;

enum thread_status {
    THREAD_OK = 0,
    THREAD_INVALID = 1,                  // an argument is out of range, or the object is not the caller's
    THREAD_NO_MEMORY = 2,
    THREAD_BUSY = 3,                     // a try found it taken
    THREAD_TIMEOUT = 4,
    THREAD_CANCELLED = 5,                // by thread_cancel: the caller should clean up and thread_exit
};

enum {
    THREAD_PRIORITIES = 32,
    THREAD_KEYS = 16,
    THREAD_STACK = 16384,                // bytes, unless the setup says something else
    THREADS_PROCESSORS = ABI_MAX_CPUS,
};

// ---- begin ------------------------------------------------------------------------------------------------

enum threads_order {
    THREADS_FIFO = 0,                    // among equals
    THREADS_LIFO = 1,                    // a new or woken thread comes first
};

struct threads_setup {
    struct threads_memory memory;
    struct threads_machine machine;      // of a space with activations; with `kernel` only `now`
    const struct kernel_backend *kernel; // not NULL: on kernel threads, one to one
    uint32_t processors;                 // that it may ask for at most
    enum threads_order order;
    uint64_t interval;                   // ticks after which equals are rotated; 0: never.  Not with `kernel`
    uint32_t spins;                      // looks for work before a processor is given back
    size_t   stack;                      // of threads; 0: THREAD_STACK
};

// Initialise the library and make the thread that runs first(argument), with the middle priority.  Once in a program,
// before its first upcall, from any context (nothing of the library's state is in FS base yet).  With activations
// this returns, and the first thread runs at the first upcall with UPCALL_ADDED.  With kernel threads it does not
// return: the caller becomes the first thread.
// THREAD_NO_MEMORY; THREAD_INVALID: no processors or more than THREADS_PROCESSORS, or slots less than twice the
// activations or more than SLOTS_MOST.  These are not looked at with `kernel`.
enum thread_status threads_begin(const struct threads_setup *setup, void *(*first)(void *), void *argument);

// ---- threads ----------------------------------------------------------------------------------------------

struct thread_attributes {
    size_t   stack;                      // bytes, 0: the setup's
    bool     detached;
    bool     has_priority;               // else that of the forker
    uint32_t priority;
};

// Begin a thread that runs fn(argument) and exits with what it returns.  attributes may be NULL.  *thread is for
// thread_join, or gone as soon as the thread ends if it is detached; it is written before the thread begins.
// THREAD_NO_MEMORY; THREAD_INVALID: fn is NULL, no such priority, or no such stack.
enum thread_status thread_fork(struct thread **thread, const struct thread_attributes *attributes,
                               void *(*fn)(void *), void *argument);
// Wait for its end; *value (`value` may be NULL) is what it gave.  One thread may join another, once; then it is gone.
// Blocks.  THREAD_INVALID: itself, detached, or another one waits for it.  THREAD_CANCELLED: the caller was; the thread
// can still be joined.
enum thread_status thread_join(struct thread *thread, void **value);
// Nobody will join it: it is gone when it ends, or now if it has.  THREAD_INVALID: already detached.
enum thread_status thread_detach(struct thread *thread);
// Let others of the same or a higher priority run first.  Blocks.
extern void (*threads_yield)(void);              // of the library
static inline void thread_yield(void)
{
    threads_yield();
}
// End the caller: destructors of its keys, then its joiner.
_Noreturn void thread_exit(void *value);

// The caller.
static inline struct thread *thread_self(void)
{
    return (struct thread *)waitable_self();
}
// The record by which others unblock the caller's or another thread, and back.
static inline struct waitable *thread_waitable(struct thread *thread)
{
    return (struct waitable *)thread;
}

// Block until an unblock, of which one is kept (waitable.h).  THREAD_TIMEOUT, THREAD_CANCELLED.
enum thread_status thread_block(uint64_t until);
// It goes on, or does not block the next time.
void thread_unblock(struct thread *thread);
// Block until the moment; 0: until it is cancelled.  THREAD_CANCELLED.
enum thread_status thread_sleep(uint64_t until);

uint32_t thread_priority(const struct thread *thread);
// Counts from the next time that the thread is put on a list; one to one at once, but on lists of waiters.  For the
// caller itself it counts at once: others may run first.  THREAD_INVALID: not below THREAD_PRIORITIES.
enum thread_status thread_set_priority(struct thread *thread, uint32_t priority);

// Ask a thread that is not gone to end: it finds out at its next safe point, or at once if it waits at one.
void thread_cancel(struct thread *thread);
// Safe point: does not return if the caller has been cancelled and has not disabled it (it exits with NULL).
void thread_test_cancel(void);
// Whether cancellation is heard by the caller; gives what it was.  A cancel meanwhile is kept.
bool thread_set_cancel(bool enabled);

// ---- thread-local storage ---------------------------------------------------------------------------------

// A new key, NULL in all threads.  destroy (may be NULL) is called by a thread that ends, with a value that is not
// NULL; also with values that destructors set, four rounds in all.  THREAD_NO_MEMORY: THREAD_KEYS are in use.
enum thread_status thread_key_create(unsigned *key, void (*destroy)(void *));
// No destructors are called.  THREAD_INVALID.
enum thread_status thread_key_delete(unsigned key);
// Of the caller.  THREAD_INVALID: no such key.
enum thread_status thread_set(unsigned key, void *value);
void *thread_get(unsigned key);          // NULL if not set, or no such key

// ---- locks and conditions ---------------------------------------------------------------------------------

// Shared fields: a atomic; g under `guard`, a spin lock of the library's (THREADS_GUARDED: in recoverable code only).
struct wait_list {
    struct thread *first, *last;         // g  by priority, then arrival
};

struct mutex {
    uintptr_t word;                      // a  owner, bit 0: somebody waits.  0: free
    uint32_t guard;                      // a
    uint32_t reserved;
    struct wait_list waiters;            // g
};

void mutex_init(struct mutex *m);
// The two unusual cases, for the functions below.
void mutex_lock_slow(struct mutex *m);
enum thread_status mutex_unlock_slow(struct mutex *m);

static inline bool mutex_swing(struct mutex *m, uintptr_t from, uintptr_t to)
{
    return __atomic_compare_exchange_n(&m->word, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}
// Blocks while another thread owns it; not a safe point.  Not recursive: a second lock by the owner never returns.
static inline void mutex_lock(struct mutex *m)
{
    if (__builtin_expect(!mutex_swing(m, 0, (uintptr_t)thread_self()), 0)) {
        mutex_lock_slow(m);
    }
}
// THREAD_BUSY: somebody owns it, perhaps the caller.
static inline enum thread_status mutex_try(struct mutex *m)
{
    return mutex_swing(m, 0, (uintptr_t)thread_self()) ? THREAD_OK : THREAD_BUSY;
}
// THREAD_TIMEOUT.  Blocks.
enum thread_status mutex_lock_until(struct mutex *m, uint64_t until);
// THREAD_INVALID: the caller does not own it.  The first waiter owns it then.
static inline enum thread_status mutex_unlock(struct mutex *m)
{
    if (__builtin_expect(mutex_swing(m, (uintptr_t)thread_self(), 0), 1)) {
        return THREAD_OK;
    }
    return mutex_unlock_slow(m);
}

struct condition {
    struct mutex *mutex;                 // that its waiters use; its guard is the condition's as well
    struct wait_list waiters;            // g
};

void condition_init(struct condition *c);
// Release m, which the caller owns, and wait for a signal; owns it again afterwards, whatever the result.  All
// waiters of a condition use the same mutex.  Blocks.  THREAD_INVALID: not the owner, or another mutex; THREAD_TIMEOUT,
// THREAD_CANCELLED.
enum thread_status condition_wait(struct condition *c, struct mutex *m);
enum thread_status condition_wait_until(struct condition *c, struct mutex *m, uint64_t until);
// Let the first waiter, or all of them, go on as soon as they can own the mutex.  The caller need not own it.  Without
// waiters nothing happens.
void condition_signal_slow(struct condition *c);
// The usual case: the caller owns the mutex, and one waits.  Else nothing has been done, and c comes back.
struct condition *critical_signal_one(struct condition *c);
static inline void condition_signal(struct condition *c)
{
    c = critical_signal_one(c);
    if (__builtin_expect(c != NULL, 0)) {
        condition_signal_slow(c);
    }
}
void condition_broadcast(struct condition *c);

struct semaphore {
    uint64_t word;                       // a  2 * units, bit 0: somebody waits
    uint32_t guard;                      // a
    uint32_t reserved;
    struct wait_list waiters;            // g
};

void semaphore_init(struct semaphore *s, uint32_t units);
// Take a unit.  Blocks while there is none.  THREAD_TIMEOUT; THREAD_CANCELLED: none was taken.
enum thread_status semaphore_wait(struct semaphore *s);
enum thread_status semaphore_wait_until(struct semaphore *s, uint64_t until);
enum thread_status semaphore_try(struct semaphore *s);       // THREAD_BUSY
// Give a unit, to the first waiter if there is one.  At most 2^63 - 1 can be there.
void semaphore_post(struct semaphore *s);

struct barrier {
    struct mutex mutex;
    struct condition all;
    uint32_t count, arrived;
    uint64_t round;
};

// count: threads that meet.  THREAD_INVALID: 0.
enum thread_status barrier_init(struct barrier *b, uint32_t count);
// Blocks until all have come; not a safe point.  True for one of them.  Then it is ready for the next round.
bool barrier_wait(struct barrier *b);

struct rwlock {
    struct mutex mutex;
    struct condition readers, writers;
    uint32_t reading, writing;           // now; writing: 0 or 1
    uint32_t want_write;                 // waiting; readers let them go first
};

// Writers come first: while one waits, no reader begins.  None of these is a safe point.  All but init may wait for the
// lock's mutex, which is held for a few instructions.
void rwlock_init(struct rwlock *l);
void rwlock_read(struct rwlock *l);                          // Blocks
void rwlock_write(struct rwlock *l);                         // Blocks
enum thread_status rwlock_try_read(struct rwlock *l);        // THREAD_BUSY
enum thread_status rwlock_try_write(struct rwlock *l);
// By a reader or the writer.  THREAD_INVALID: nobody has it.
enum thread_status rwlock_release(struct rwlock *l);

// ---- what happened ----------------------------------------------------------------------------------------

// Counters since threads_begin, each read for itself.  Events balance: each context was
// made ready, dropped (a scheduler's own, which owned nothing), continued (a handler's), or was a recovery that was
// stopped itself and of which there is one more context: contexts = ready + dropped + continued + nested.
// told[BLOCKED] - told[UNBLOCKED] flows are in the supervisor or the owner now.
struct threads_statistics {
    uint64_t upcalls, told[UPCALL_KINDS];
    uint64_t contexts;                   // that came with events
    uint64_t ready, dropped, continued;
    uint64_t recovered;                  // of them, those that were in a critical section first
    uint64_t nested;                     // recoveries that were stopped themselves
    uint64_t forks, stacks;              // stacks: allocated
    uint64_t stolen;                     // threads taken from another processor's list
    uint64_t released, asked;            // processors given back; calls for more
    uint64_t slots_given;
    uint64_t deepest;                    // upcalls inside upcalls, most at once
};

void threads_read_statistics(struct threads_statistics *out);
