// program.h - native programs and their kernel threads, as this kernel keeps them.
//
// A program begins with the kernel and ends once: by its call, by an access or exception that nobody handles, or with
// its last thread.  It is asked to end then, and every thread of it finds that before it goes back to the program, or
// after it has waited; the last one to leave gives everything back.
//
//   main.c    words, start, end         task.c    threads, the way back to the program
//   load.c    the ELF file, the stack   memory.c  faults, copying, the space
//   file.c    segments of bytes         call.c    calls      wait.c  waiting at words
//   activation.c  programs that schedule their own threads: their area, loading activations, the end
//   virtual.c     kernel threads as processors of a program: its alarm interrupts them
//   turn.c    whose space is loaded when there is no room for all
//
// Locking: a mutex for each program covers its memory, its threads and their waiting.  Fields:
// I immutable after the start  l program.lock  a atomic  k the keeper only  s the service thread only
#pragma once
#include <abi/activation.h>
#include <abi/types.h>

#include <appkernel.h>
#include <native.h>
#include <segment.h>

enum { PROGRAMS_MOST = 8, WAIT_BUCKETS = 64 };
enum { PROGRAM_FAILED = 139, PROGRAM_NO_MEMORY = 137 };   // values of programs that were ended
enum { DEFAULT_PRIORITY = 8 };

enum {
    ASKED_END = 1,                       // the program ends
    ASKED_ALARM = 2,                     // the alarm has come, and nobody has taken it yet
};

struct task;

struct upcalls {                         // as native_upcalls was told
    va_t     area, entry;                // area 0: not yet
    uint32_t activations, slots;
    uint32_t taken;                      // slots that have been filled, modulo 2^32
};

struct program {
    char           name[32];             // I
    unsigned       number;               // I
    uint32_t       priority, highest;    // I  of its first thread; of all of them at most
    struct native_info *info;            // I  the program reads it
    struct ak_mutex lock;
    struct manager manager;              // l
    struct aspace  as;                   // l
    uint64_t       arrival;              // l  when what the last look at memory has found missing will be there
    pa_t           place;                // I
    struct task   *tasks;                // l
    unsigned       count;                // l  of tasks
    struct task   *waiting[WAIT_BUCKETS];        // l  by hash of the word, the first to come last
    uint32_t       asked;                // a  of its threads, on their way back: ASKED_*
    uint64_t       value;                // l  when it is ending
    enum schedule  schedule;             // I
    struct native_note note;             // I  SCHEDULE_ACTIVATIONS: what the program asked for
    pa_t           area;                 // I  likewise
    struct task   *activation[ACTIVATIONS_MOST];         // I  by index; stay until the keeper buries them
    struct task   *keeper;               // a  NULL: not yet, or not any more
    struct upcalls upcalls;              // l  of kernel threads that are processors of its own
    uint64_t       alarm;                // a  moment; UINT64_MAX: none
    uint64_t       ring_again;           // s  moment at which the next one is interrupted, if nobody has
    unsigned       turn;                 // s
    uint64_t       next;                 // k  the next activation in turn to be loaded, modulo their number
    uint64_t       rests;                // a  moment until which its keeper does nothing: nobody wakes it
};

struct task {                            // a kernel thread of a program
    struct ak_thread thread;             // first: the cookie
    struct program  *program;            // I
    struct task     *next, **link;       // l  the program's tasks
    va_t             name;               // I  the stack that it was created with; 0: the first one
    uint32_t         processor;          // a  native_upcalls was called
    va_t             word;               // l  where it waits
    struct task     *next_waiting;       // l
    bool             waits;              // l  on its bucket's list
    uint32_t         index;              // I  of an activation
    uint32_t         left;               // a  an activation that has left its handler for good
};

static inline bool program_ending(const struct program *p)
{
    return (__atomic_load_n(&p->asked, __ATOMIC_ACQUIRE) & ASKED_END) != 0;      // pairs with program_end()
}
static inline void program_lock(struct task *t)
{
    ak_mutex_lock(&t->program->lock, &t->thread);
}
static inline void program_unlock(struct task *t)
{
    ak_mutex_unlock(&t->program->lock);
}

// ---- main.c -----------------------------------------------------------------------------------------------

// A program is over; the lock is held by nobody.  When all are, the kernel ends.
void program_over(struct program *p);

// ---- task.c -----------------------------------------------------------------------------------------------

struct task_start {
    va_t     entry, stack;
    uint64_t argument;
    va_t     fs_base;
    va_t     name;
    uint32_t priority;
};
// A thread more.  ERR_LIMIT: no memory or too many; ERR_DENIED: the program is ending.  The lock is held, but by
// nobody for the first one.
err_t task_create(struct program *p, const struct task_start *start);
// The memory of a task that is in the program's list but has not begun to run; NULL: none.
struct task *task_make(struct program *p, uint32_t priority);
// It is not in the program's list any more.  The lock is held.
void  task_unlink(struct task *t);
// Where an activation goes on in this kernel, if it was written back on its way to the program.
void  task_resume(struct ak_thread *thread);
// The program ends; its threads will notice.  The lock is held.  Only the first call decides about the value.
void  program_end(struct program *p, struct task *self, uint64_t value);
// The calling thread ends.  The lock is not held.
_Noreturn void task_exit(struct task *t);
// The last step of every handler.
_Noreturn void task_return(struct task *t);
// Wait in a handler, until the clock has come so far, or the program ends.
void  task_sleep(struct task *t, uint64_t until);

// ---- load.c -----------------------------------------------------------------------------------------------

// Find the file, make the program's memory, and say how its first thread begins.  False, and a complaint:
// there is no such program, or no memory.
bool program_load(struct program *p, const char *args, struct task_start *start);

// ---- memory.c ---------------------------------------------------------------------------------------------

enum {
    NATIVE_MAPS = 0x1000000000, NATIVE_MAPS_END = 0x700000000000,        // where native_map puts things
    REGIONS_MOST = 8192,
};
void  memory_init(struct program *p);
// The byte at va, ready for an access (E_READ or E_WRITE), as far as its page goes; the lock is held, and was let go in
// between if the page had to arrive.  ERR_INVAL, ERR_DENIED: not the program's; ERR_LIMIT: no memory.
err_t memory_reach(struct task *t, va_t va, uint32_t access, uint8_t **at);
// From the program; the lock is not held.  Errors as above.
err_t memory_copy_in(struct task *t, void *to, va_t from, size_t length);
// The space is gone, or was never there: load it.
void  memory_space(struct task *t);
// The same, once; the lock is held.  ERR_AGAIN: there was no room.
err_t memory_load_space(struct task *t);

// What space_load is given.
struct space_desc memory_space_desc(const struct program *p);

// ---- turn.c -----------------------------------------------------------------------------------------------

// The moment at which the program may load its space, if that is to come; 0: now.  From then on it is in line.
uint64_t turn_begins(const struct program *p);
// It has loaded its space.
void  turn_take(const struct program *p);
// It is not in line any more.
void  turn_leave(const struct program *p);

// ---- activation.c -----------------------------------------------------------------------------------------

// Can there be such an area, and such an upcall?
bool  activation_note_ok(const struct native_note *n);
// Make the area, show it in the program, and give it stacks.  False: no memory.
bool  activation_area(struct program *p);
// Make the activations and begin.  ERR_LIMIT: no memory.
err_t activation_begin(struct program *p);
// For ak_service: have what was written back loaded again.
void  activation_poll(struct program *programs, unsigned count);
// The end of an activation, which has left the program's list.
_Noreturn void activation_leave(struct task *t);
// The access of the calling activation is refused: the program is told.  The lock is not held.
_Noreturn void activation_fault(struct task *t);

// ---- file.c -----------------------------------------------------------------------------------------------

// A segment that shows `size` bytes, which stay where they are, from its byte `skip` on, among zeros.  Each page comes
// `delay` ticks after it was asked for first: until then asking answers ERR_AGAIN, and program.arrival says when.
// One user; NULL: no memory.
struct segment *file_segment(struct program *p, const uint8_t *bytes, uint64_t size, uint64_t skip, uint64_t delay);
// A file of the boot archive's tree.
bool  file_find(const char *name, const uint8_t **bytes, uint64_t *size);

// ---- virtual.c --------------------------------------------------------------------------------------------

// The calls native_upcalls and native_alarm.
err_t virtual_begin(struct task *t, const struct upcalls *u);
void  virtual_alarm(struct program *p, uint64_t until);
// Somebody is to take the alarm, and t could.  Pairs with look().
static inline bool virtual_rung(const struct task *t)
{
    return t->processor != 0 && (__atomic_load_n(&t->program->asked, __ATOMIC_SEQ_CST) & ASKED_ALARM) != 0;
}
// t, in its handler, takes the alarm if nobody has: its program goes on at its entry.  The lock is not held.
void  virtual_tell(struct task *t);
// For ak_service: alarms whose moment has come.
void  virtual_poll(struct program *programs, unsigned count);

// ---- call.c, wait.c ---------------------------------------------------------------------------------------

struct call {                            // what a call was given (a fifth is in the frame), and what it answers
    uint64_t a, b, c, d;
    uint64_t value;
};
err_t call_make(struct task *t, uint64_t number, struct call *c);
err_t wait_at(struct task *t, va_t word, uint32_t value, uint64_t deadline);
err_t wake_at(struct task *t, va_t word, uint64_t count, uint64_t *woken);
// The lock is held.
uint64_t wake_locked(struct program *p, va_t word, uint64_t count);
