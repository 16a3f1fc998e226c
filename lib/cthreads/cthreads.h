// cthreads.h - C Threads, Mach's interface to threads, on the threads library.
//
// A program written for C Threads includes this, has a main() and is linked with `cthreads`; like every program of the
// threads library it runs on activations, on kernel threads as processors, or one to one (threads_native.h), which its
// policy line says.  Mutexes and conditions are the library's, whose functions have the names of C Threads; this adds
// objects that are allocated, names, and threads that are counted.
//
// Who may call: the program's threads.  "Blocks": other threads run meanwhile.  Nothing fails but for want of memory,
// where C Threads would end the program and this gives NULL.
// Not here: cthread_set_limit (the word processors=N says how many it may have), cthread_wire, spin_lock (a thread that
// is stopped would keep it; a mutex that nobody holds costs the same).
//
// Cooper and Draves, C Threads, 1990; Scheduler Activations, 5.3.
#pragma once
#include <threads.h>

typedef void *any_t;
typedef const char *string_t;
typedef any_t (*cthread_fn_t)(any_t);
typedef struct cthread *cthread_t;
typedef struct mutex *mutex_t;
typedef struct condition *condition_t;

#define NO_CTHREAD ((cthread_t)0)
#define CTHREAD_NULL ((cthread_t)0)
#define MUTEX_NULL ((mutex_t)0)
#define CONDITION_NULL ((condition_t)0)

// The program.  Words begins with its name and ends with NULL.  The first thread runs it, and exits with what it gives
// as if by cthread_exit.
int main(int count, char **words);

// ---- threads ----------------------------------------------------------------------------------------------

// Begin a thread that runs fn(argument) and exits with what it gives.  Either join or detach it, once.  May wait for
// memory.  NO_CTHREAD: there is none.
cthread_t cthread_fork(cthread_fn_t fn, any_t argument);
// Nobody will join it: it is gone when it ends.
void cthread_detach(cthread_t t);
// Wait until it ends, and give what it exited with.  It is gone then.  Blocks.
any_t cthread_join(cthread_t t);
// End the caller.  The first thread blocks until all others have ended; then the program ends, with the low byte of
// `result`.
_Noreturn void cthread_exit(any_t result);
// Let others run.  Blocks.
static inline void cthread_yield(void)
{
    thread_yield();
}
// The caller.
cthread_t cthread_self(void);
// Threads that have not ended, the caller and the first one among them.
int cthread_count(void);

// A word of the program's in each thread that is not gone; NULL at first.  Not locked.
void cthread_set_data(cthread_t t, any_t data);
any_t cthread_data(cthread_t t);

// ---- names, for who looks at a program.  They are not copied; NULL takes the name away; "?" if there is none.  Those
// of mutexes and conditions may wait for memory, and without any are not kept.

void cthread_set_name(cthread_t t, string_t name);
string_t cthread_name(cthread_t t);
void mutex_set_name(mutex_t m, string_t name);
string_t mutex_name(mutex_t m);
void condition_set_name(condition_t c, string_t name);
string_t condition_name(condition_t c);

// ---- mutexes and conditions: threads.h has the others.  A condition's waiters all use one mutex.

// Initialised; MUTEX_NULL, CONDITION_NULL: no memory.  May wait for it.
mutex_t mutex_alloc(void);
condition_t condition_alloc(void);
// Nobody uses it any more; `clear` is for one that was not allocated.
void mutex_free(mutex_t m);
void condition_free(condition_t c);
void mutex_clear(mutex_t m);
void condition_clear(condition_t c);
// Own it if nobody does; false: somebody does.
static inline bool mutex_try_lock(mutex_t m)
{
    return mutex_try(m) == THREAD_OK;
}
