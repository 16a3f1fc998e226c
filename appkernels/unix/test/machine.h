// machine.h - the machine below the whole emulator, in the unit tests of its process half.
//
// All of appkernels/unix is real but for the console; what is simulated is lib/appkernel and the supervisor:
// frames with users, objects with sizes, spaces that may go stale at any moment, mappings that may be written
// back.  The machine watches the rules: a frame is not freed while it is mapped, nothing is writable and
// executable, nobody sleeps or goes on with the giant.
//
// A program is what a test does with a task: CALL() is a system call with all that comes before and after it,
// machine_read() and machine_write() are accesses with faults.  A task that sleeps runs machine_on_sleep,
// which acts for the others; with nothing there, the sleep is broken off, and the result of the call is
// MACHINE_ASLEEP.
//
// The kernel's headers come first, and the C library's leave out what they have said already.
#pragma once
#define __timeval_defined 1
#define __sigset_t_defined 1
#include "../file.h"
#include "../path.h"
#include "../tty.h"
// Defines the signals that the terminal knows as macros: after tty.h, where they are an enum.
#include "../signal.h"
#include "../vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MACHINE_ASLEEP = -100001, MACHINE_ENDED = -100002 };
#define MACHINE_CODE  0x400000ull        // where the program's calls seem to come from
#define MACHINE_DATA  0x20000000ull      // plain memory of the first process, MACHINE_PAGES pages
#define MACHINE_STACK 0x30000000ull      // the top of as much
enum { MACHINE_PAGES = 64 };

extern struct task *machine_first;       // the first process's task
extern bool (*machine_on_sleep)(struct task *t);     // false: nothing more will happen
extern long machine_allow;               // how many more frames and objects there are; negative: enough
extern unsigned machine_chaos;           // one in so many times something is written back; 0: never
extern unsigned machine_interrupts;      // calls of ak_thread_interrupt
extern struct task *machine_woken;       // the last one that was woken or interrupted
extern int machine_stopped;              // what the emulator ended with, or -1

void     machine_begin(void);
unsigned machine_frames(void);           // in use
size_t   machine_objects(void);
unsigned machine_random(unsigned below);
void     machine_seed(const char *name); // from QUOIN_SEED, and says it

// System calls.  The result is what RAX holds then, or that the task ended, or that it would sleep for ever.
long machine_call(struct task *t, uint64_t number, const uint64_t a[6]);
va_t machine_at(const struct task *t);   // where the program goes on; MACHINE_CODE + 2 after a call
bool machine_again(const struct task *t, uint64_t number);   // is the call about to be made once more?
// Accesses of the program, of bytes in one page.  0, or the error of the fault, which is not delivered then.
int  machine_read(struct task *t, va_t va, void *to, size_t n);
int  machine_write(struct task *t, va_t va, const void *from, size_t n);
int  machine_fetch(struct task *t, va_t va);
// Let a task find out what was asked of it.  0 or MACHINE_ENDED or MACHINE_ASLEEP.
long machine_look(struct task *t);
struct task *machine_fork(struct task *t);               // the child, which shall run by CALLs
struct task *machine_thread(struct task *t);             // another thread of t's process
void     machine_end(struct task *t, int status);        // exit_group
// A file with these bytes.
void     machine_file(const char *path, const void *bytes, size_t length, unsigned mode);
va_t     machine_text(struct task *t, unsigned slot, const char *text);  // a string in its data; its address
void     machine_settle(void);           // free what has ended

// Between the files of the machine.
enum { MACHINE_LEFT_RESUMED = 1, MACHINE_LEFT_ENDED };
extern jmp_buf *machine_leave;           // out of the handler that runs now
extern bool machine_asleep;
void     machine_memory_begin(void);
void     machine_mapped(pa_t frame, int change);          // by how many mappings more it can be reached
uint8_t *machine_translate(oid_t space, va_t va, uint64_t need, uint64_t *error);

enum machine_numbers {
#define UX(number, name, flags) NR_##name = number,
#include "../calls_file.def"
#include "../calls_process.def"
#undef UX
};

// A call by name: CALL(t, mmap, 0, 4096, ...)
#define CALL(t, name, ...) machine_call(t, NR_##name, (const uint64_t[6]){MACHINE_ARGS(__VA_ARGS__)})
#define MACHINE_PICK(_1, _2, _3, _4, _5, _6, n, ...) n
#define MACHINE_ARGS(...) MACHINE_PICK(__VA_ARGS__, A6, A5, A4, A3, A2, A1)(__VA_ARGS__)
#define A1(a) (uint64_t)(a)
#define A2(a, ...) (uint64_t)(a), A1(__VA_ARGS__)
#define A3(a, ...) (uint64_t)(a), A2(__VA_ARGS__)
#define A4(a, ...) (uint64_t)(a), A3(__VA_ARGS__)
#define A5(a, ...) (uint64_t)(a), A4(__VA_ARGS__)
#define A6(a, ...) (uint64_t)(a), A5(__VA_ARGS__)
