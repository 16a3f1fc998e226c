// operations.h - a small program of operations, each of which goes one way through the library, for tests that stop it
// at every instruction.
//
// An operation prepares, says operation_begin(), does what it is about, says operation_end(), and leaves everything as
// it was.  It is run by a thread with the middle priority; its results are checked wherever it was stopped.  Nothing of
// the C library is used: FS base is the threads library's.
#pragma once
#include "../threads_impl.h"

struct operation {
    const char *name;
    void (*run)(void);
};
// NULL: the end.
extern const struct operation operations_threads[], operations_waits[], operations_others[];

// ---- for operations

enum { LOW = 3, MIDDLE = THREAD_PRIORITIES / 2, HIGH = 20 };

#define CHECK(x) operation_check((x), __FILE__, __LINE__)
void operation_check(bool good, const char *file, int line);
struct thread *operation_fork(void *(*fn)(void *), void *argument, uint32_t priority);
void *operation_join(struct thread *t);          // what it gave
void operation_yields(unsigned n);
void *operation_nothing(void *argument);         // gives it

// ---- of the test

extern const char *volatile operation_failed;    // file of the first check that failed, and its line; or NULL
extern volatile int operation_failed_line;

void operation_begin(void);                      // what comes now is disturbed
void operation_end(void);                        // until here
// A lock of the library's that another processor may hold for a while, whenever it is free.
void operation_may_hold(uint32_t *lock);
// It holds it now, and gives it free when somebody has waited for it.
void operation_hold(uint32_t *lock);
// What the library gets if it asks for memory; SAME: one piece again and again, if the test likes.
enum operation_memory { MEMORY_USUAL, MEMORY_NONE, MEMORY_SAME };
void operation_memory(enum operation_memory how);
uint64_t operation_clock(void);                  // the library's
