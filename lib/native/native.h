// native.h - what a native program asks of its kernel (appkernels/native), and what it is told at its start.
//
// A native program is a static ELF file of the boot archive, linked with native.ld.  It runs in a space of its own with
// the trap rule `native`: calls of the supervisor that are marked ANY (abi/syscalls.def: signal, wait, yield,
// signal_at ...) run in the supervisor; every other SYSCALL comes to the kernel.  Its numbers begin with NATIVE_FIRST,
// so that they never name a call of the supervisor's.  A call is made as those of the supervisor are: number in RAX,
// arguments in RDI RSI RDX R10; RAX returns an error of abi/errors.def, RDX a value; RCX and R11 are lost.
// Addresses may be anything: a call with one that the program may not use answers ERR_INVAL (nothing is there) or
// ERR_DENIED, and does nothing.  An address whose page has to arrive first is waited for.
//
// Two kinds of program:
//   threads       its kernel threads are scheduled by the supervisor.  The first one begins at native_main().
//   activations   it has whole processors, and schedules threads of its own (abi/activation.h).  native_main() is
//                 never called: the first code that runs is the upcall entry that its note names, with ADDED, when
//                 space_user_page.wanted is 1 and all slots have been given, each with a stack.  It may not
//                 create kernel threads.  A call that waits, or an access to a page that has to arrive, blocks its
//                 activation.
// The policy file says which (docs/native.md).
//
// The kernel: Cache Kernel, 2.3 and 3.  Its programs: Scheduler Activations, 4 and 5.
#pragma once
#include <abi/errors.h>
#include <abi/types.h>

#include <sys.h>

// ---- what a program is told -------------------------------------------------------------------------------

enum native_schedule { NATIVE_THREADS = 0, NATIVE_ACTIVATIONS = 1 };
enum { NATIVE_ARGS = 1024 };

struct native_info {                     // I  read-only, at NATIVE_INFO; RDI when the program begins
    uint32_t version;                    // 1
    uint32_t cpus;                       // processors of the machine
    uint64_t tsc_hz, slice;              // as in struct system_info
    uint32_t schedule;                   // enum native_schedule
    // As in its note; 0 for `threads`.  Where few mappings are cached, slots are fewer: twice the activations at least.
    uint32_t activations, slots;
    uint16_t priority, highest;          // of its first thread; the highest that its threads may have.  0 is the lowest
    va_t     area;                       // of the activation area; 0 for `threads`
    char     args[NATIVE_ARGS];          // its words, one space between them, ends with NUL
};

#define NATIVE_INFO 0x3f000000ull
static inline const struct native_info *native_told(void)
{
    return (const struct native_info *)NATIVE_INFO;
}

// A program that can run on activations says so by an ELF note, name "Quoin", type NOTE_NATIVE.
enum { NOTE_NATIVE = 2 };
struct native_note {
    va_t     upcall;                     // its upcall entry
    uint64_t activations;                // 1 to ACTIVATIONS_MOST
    uint64_t slots;                      // 1 to SLOTS_MOST; each gets a stack of NATIVE_UPCALL_STACK bytes
};
#define NATIVE_NOTE(upcall, activations, slots)                                                             \
    __asm__(".pushsection .note.quoin,\"a\",@note\n.align 4\n.long 6, 24, 2\n.asciz \"Quoin\"\n.align 4\n"   \
            ".quad " #upcall ", " #activations ", " #slots "\n.popsection")

enum {
    NATIVE_STACK = 256 * 1024,           // of the first thread
    NATIVE_UPCALL_STACK = 16 * 1024,     // with its lowest page, a guard, and NATIVE_UPCALL_ROOM
    NATIVE_UPCALL_ROOM = 2048,           // zeros above upcall_slot.stack, for the program
    NATIVE_THREADS_MOST = 512,           // kernel threads of a program
};

// The program, for the kind `threads`: the first thread runs it; what it gives ends the program.
int native_main(const struct native_info *info);

// ---- calls ------------------------------------------------------------------------------------------------

enum {
    NATIVE_FIRST = 1000,
    NATIVE_EXIT = 1000,
    NATIVE_WRITE = 1001,
    NATIVE_MAP = 1002,
    NATIVE_UNMAP = 1003,
    NATIVE_PROTECT = 1004,
    NATIVE_MAP_FILE = 1005,
    NATIVE_BLOCK = 1006,
    NATIVE_CLOCK = 1007,
    NATIVE_THREAD_CREATE = 1008,
    NATIVE_THREAD_EXIT = 1009,
    NATIVE_WAIT = 1010,
    NATIVE_WAKE = 1011,
    NATIVE_THREAD_PRIORITY = 1012,
    NATIVE_UPCALLS = 1013,
    NATIVE_ALARM = 1014,
};
#define NATIVE_TICKS_MOST (1ull << 62)   // no delay or block is longer

// End the whole program, with all its threads.  Bits 0 to 7 of value are what is seen outside.
static inline _Noreturn void native_exit(uint64_t value)
{
    uint64_t none;

    for (;;) {
        (void)sys_enter(NATIVE_EXIT, value, 0, 0, &none);
    }
}

// Write to the terminal; a text of up to NATIVE_LINE bytes is not mixed with those of others.  *taken: how many bytes
// went; all of them, unless a part of the text is at a bad address or there is no terminal (ERR_DENIED).  Blocks while
// the port is busy.
enum { NATIVE_LINE = 256 };
static inline err_t native_write(const void *text, uint64_t length, uint64_t *taken)
{
    return sys_enter(NATIVE_WRITE, (uintptr_t)text, length, 0, taken);
}

// Memory that is zero when it is touched: whole pages, at an address that the kernel chooses.  access: MAP_READ,
// MAP_WRITE.  guard: 0, or a power of two, from two pages to 1 GiB, that divides length: the address is a multiple of
// it, and the lowest page of each `guard` bytes is never accessible, so that one call makes any number of stacks.
// ERR_INVAL; ERR_LIMIT: no room or no memory for one more region.
static inline err_t native_map(uint64_t length, uint32_t access, uint64_t guard, va_t *va)
{
    return sys_enter(NATIVE_MAP, length, access, guard, va);
}
// Whole pages that native_map or native_map_file gave, or a part of them; no matter if nothing is there.
static inline err_t native_unmap(va_t va, uint64_t length)
{
    uint64_t none;
    return sys_enter(NATIVE_UNMAP, va, length, 0, &none);
}
// access: 0, or of MAP_READ, MAP_WRITE.  ERR_INVAL: a hole; ERR_DENIED: more than the pages allow (a file's).
static inline err_t native_protect(va_t va, uint64_t length, uint32_t access)
{
    uint64_t none;
    return sys_enter(NATIVE_PROTECT, va, length, access, &none);
}
// The first `length` bytes of a file of the boot archive's tree, zeros behind its end, in whole pages, for reading.  A
// page arrives `delay` ticks after it is touched first, as from a disk that has any number of arms: whoever touches it
// before waits.  ERR_STALE: there is no such file; ERR_INVAL; ERR_LIMIT.
static inline err_t native_map_file(const char *name, uint64_t name_length, uint64_t length, uint64_t delay, va_t *va)
{
    register uint64_t r10 __asm__("r10") = delay;
    uint64_t e = NATIVE_MAP_FILE, c = length;

    __asm__ volatile("syscall" : "+a"(e), "+d"(c) : "D"(name), "S"(name_length), "r"(r10)
                     : "rcx", "r11", "memory");
    *va = c;
    return (err_t)e;
}

// Block the calling thread (or activation) in the kernel until the clock has moved by so many ticks: what a read of a
// disk does to it.  ERR_INVAL: too long.
static inline err_t native_block(uint64_t ticks)
{
    uint64_t none;
    return sys_enter(NATIVE_BLOCK, ticks, 0, 0, &none);
}

// The parallel clock (abi/boot.h): so many instructions each processor has executed, where they take turns.
static inline uint64_t native_parallel_clock(void)
{
    uint64_t value;

    (void)sys_enter(NATIVE_CLOCK, 0, 0, 0, &value);
    return value;
}

// A kernel thread (kind `threads` only): it begins at entry with RDI = argument, RSP = stack - 8 (stack: a multiple of
// 16) and this FS base.  priority: 0 to native_info.highest, or NATIVE_PRIORITY_SAME, that of the caller.  Each
// processor of the machine runs the highest of those that are ready there, equals by slices; a thread comes to the
// processor where it is highest when it becomes ready.  ERR_INVAL; ERR_DENIED: an activations program; ERR_LIMIT: no
// memory, or too many threads.
#define NATIVE_PRIORITY_SAME 0xffffffffu
static inline err_t native_thread_begin(va_t entry, va_t stack, uint64_t argument, va_t fs_base, uint32_t priority)
{
    register uint64_t r10 __asm__("r10") = fs_base;
    register uint64_t r8 __asm__("r8") = priority;
    uint64_t e = NATIVE_THREAD_CREATE;

    __asm__ volatile("syscall" : "+a"(e), "+d"(argument) : "D"(entry), "S"(stack), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return (err_t)e;
}
static inline err_t native_thread_create(va_t entry, va_t stack, uint64_t argument, va_t fs_base)
{
    return native_thread_begin(entry, stack, argument, fs_base, NATIVE_PRIORITY_SAME);
}
// Give another priority to the kernel thread that was created with this stack; 0 names the first one.  Kind `threads`
// only.  ERR_INVAL: above native_info.highest; ERR_STALE: there is no such thread (any more); ERR_DENIED.
static inline err_t native_thread_priority(va_t stack, uint32_t priority)
{
    uint64_t none;
    return sys_enter(NATIVE_THREAD_PRIORITY, stack, priority, 0, &none);
}
// End the calling thread.  word: becomes `value` when the thread does not use its memory any more, and its waiters are
// woken; NULL: none.  The last thread ends the program, with value 0.
static inline _Noreturn void native_thread_exit_with(uint32_t *word, uint32_t value)
{
    uint64_t none;

    for (;;) {
        (void)sys_enter(NATIVE_THREAD_EXIT, (uintptr_t)word, value, 0, &none);
    }
}
// The word becomes 0.
static inline _Noreturn void native_thread_exit(uint32_t *cleared)
{
    native_thread_exit_with(cleared, 0);
}
// Wait at a word until somebody wakes it or the clock reaches the deadline (0: none): if it has this value when all
// others are kept from waking.  ERR_AGAIN: it has not; ERR_TIMEOUT; ERR_INVAL: not aligned.
static inline err_t native_wait(const uint32_t *word, uint32_t value, uint64_t deadline)
{
    uint64_t none;
    return sys_enter(NATIVE_WAIT, (uintptr_t)word, value, deadline, &none);
}
// Wake so many of those who wait at a word, the first to come first.  *woken: how many there were.
static inline err_t native_wake(const uint32_t *word, uint64_t count, uint64_t *woken)
{
    return sys_enter(NATIVE_WAKE, (uintptr_t)word, count, 0, woken);
}

// Kind `threads` only: the calling kernel thread is a processor of the program's own thread package.  From now on it
// may be interrupted by the program's alarm, where it is in the program: its registers go to a slot of the area, and it
// goes on at `entry`, as an activation does with the one event UPCALL_ALARM (abi/activation.h tells all registers).
// The area is memory of the program's that native_map gave, in the form of that file: in use are
// space_kernel_page.slots_taken and `upcalls`, the ring of slots in space_user_page, activation_user.thread, and the
// slots.  The thread has the address of its struct activation_kernel in GS base; as long as that is no block of the
// area, it is not interrupted.  All processors of a program name the same area and entry.  ERR_INVAL; ERR_DENIED: an
// activations program.
static inline err_t native_upcalls(va_t area, uint32_t activations, uint32_t slots, va_t entry)
{
    uint64_t none;
    return sys_enter4(NATIVE_UPCALLS, area, activations, slots, entry, &none);
}
// The program's alarm: at that moment of the clock, or at an earlier one that somebody has asked for, one of its
// processors is interrupted, of those that are in the program now the next in turn.  If all are in calls it is the
// first to come back; if no slot is free, the alarm comes again a slice later.  It comes once; it may come late by the
// time that a processor of the machine takes to get to it.  ERR_DENIED: an activations program.
static inline err_t native_alarm(uint64_t until)
{
    uint64_t none;
    return sys_enter(NATIVE_ALARM, until, 0, 0, &none);
}

// ---- more than calls --------------------------------------------------------------------------------------

// A line to the terminal, cut to NATIVE_LINE bytes.
void native_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
// The value of the word KEY=NUMBER in the program's args (K, M, G allowed), or `otherwise`.
uint64_t native_number(const char *key, uint64_t otherwise);
// The first word that is not KEY=NUMBER with a key among `keys`, between which are spaces.  Gives its length; 0: there
// is none.
size_t native_wrong_word(const char *keys, const char **word);
