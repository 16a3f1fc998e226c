// frame.h - the state page: where a thread's registers live, loaded or not.
//
// One page of the owner's memory for each thread, named by physical address when the thread is loaded.
// The supervisor saves registers there on every entry and reads them from there on every return, so an
// unloaded thread needs no copying, and a thread at rest costs the supervisor nothing.  The owner may
// write any word at any time; every value is checked when it is used, and read once.
//
// frame[0] holds the program's registers.  A trap, fault or exception that happens at depth d leaves the
// interrupted registers in frame[d] and runs a handler at depth d+1, in the space of the application
// kernel, with these registers and all others zero (RCX and R11 are what SYSRET makes of them: RIP and RFLAGS):
//     RDI  the state page's address, as thread_desc.state_va gave it
//     RSI  thread_desc.cookie
//     RDX  d, the index of the frame that was interrupted
//     RSP  thread_desc.xstack if d is 0, else the interrupted RSP less 128, aligned so that RSP+8 is
//          a multiple of 16, as after a call
// FS base, GS base and the extended state (x87, SSE, AVX) are not touched by forwarding: a handler is
// general-registers-only code, and may edit the bases with WRFSBASE and WRGSBASE.
//
// Cache Kernel, 2.1 and 2.3.
#pragma once
#include <abi/types.h>

enum frame_kind {
    FRAME_NONE      = 0,   // interrupted between instructions; nothing happened to the program
    FRAME_TRAP      = 1,   // a SYSCALL instruction; rip is the instruction after it
    FRAME_FAULT     = 2,   // a page fault: no mapping, or one that does not allow the access
    FRAME_EXCEPTION = 3,   // any other processor exception
    FRAME_OWNER     = 256, // this bit and those above are the owner's; gone when something happens again
};

// Bits of frame.error for FRAME_FAULT.
enum {
    FAULT_PRESENT = 1,     // a mapping was there and forbade the access (protection fault)
    FAULT_WRITE   = 2,
    FAULT_EXEC    = 16,
    // Consistency faults (Cache Kernel, 2.1, footnote 1), always with FAULT_PRESENT.  The owner fetches the page, loads
    // the mapping again as it shall be, and resumes; or decides what becomes of a program whose memory is lost.
    FAULT_CONSISTENCY = 256,   // the mapping is there, its frame's contents are not: it was loaded with MAP_REMOTE
    FAULT_LOST        = 512,   // beside it: nobody holds them, the memory has failed (FRAME_LOST)
};

struct frame {                                      // all fields: k, u
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags;
    uint32_t kind;                                  // enum frame_kind
    uint32_t vector;                                // processor exception number
    uint64_t error;                                 // processor error code
    uint64_t addr;                                  // faulting address
    uint64_t reserved[3];
};

enum thread_reason {                                // why a thread was written back
    REASON_NONE = 0,
    REASON_EVICTED      = 1,                        // replaced by another load, or went with what it depends on
    REASON_UNLOADED     = 2,                        // somebody asked
    REASON_EXITED       = 3,                        // it asked itself; value is what it gave
    REASON_DOUBLE_FAULT = 4,                        // a fault with no frame left
    REASON_BAD_STATE    = 5,                        // its extended state or registers cannot be loaded
};

enum thread_run {                                   // what it was doing when written back
    RUN_READY = 0,
    RUN_WAITING = 1,                                // in `wait`
    RUN_FRESH = 2,                                  // an activation without a context (activation.h): its owner says so
};

// Address-valued signals that the thread has not seen yet (Cache Kernel, 2.2).  A thread without a signal function
// takes them by `wait`, which gives the address, or 0 if it was woken by something else.  One with a signal function is
// interrupted for each, as soon as its program runs: the registers go to `interrupted`, and the function begins with
//     RDI  the address of the message, in the space of the mapping that named the thread
//     RSI  the cookie of that space
//     RSP  the interrupted RSP less 128, aligned as after a call
// More signals queue while it runs; `signal_return` ends it.  With the queue full a signal is dropped and counted in
// `lost`: then look at all message pages.  The queue stays here while the thread is not loaded.
enum { SIGNAL_ENTRIES = 64 };
struct signal_entry {
    va_t     va;
    uint64_t cookie;
};

enum { XSTATE_SIZE = 832 };                         // XSAVE area for x87, SSE and AVX

struct thread_state {
    uint32_t loaded;                                // k  1 while a descriptor is loaded
    uint32_t depth;                                 // k  written on writeback, read at load
    uint32_t reason;                                // k  enum thread_reason
    uint32_t run;                                   // k  enum thread_run
    uint64_t value;                                 // k  REASON_EXITED: the value given; of UPCALL_OWNER in `events`
    uint64_t deadline;                              // k  RUN_WAITING: the deadline given to wait, 0 if none
    uint64_t fs_base;                               // k  written when another thread is switched to; read at load
    uint64_t gs_base;                               // k
    uint64_t ran;                                   // k  ticks for which it has run; not the present stretch
    uint64_t reserved[1];
    struct frame frame[ABI_MAX_DEPTH + 1];
    uint8_t xstate[XSTATE_SIZE] __attribute__((aligned(64)));
    uint32_t signal_head, signal_tail;              // k  put, taken; modulo 2^32
    uint32_t signal_lost;                           // k
    uint32_t signal_active;                         // k  its signal function runs
    struct signal_entry signal[SIGNAL_ENTRIES];     // k  entry i is at i % SIGNAL_ENTRIES
    struct frame interrupted;                       // k, u
    uint64_t events;                                // k  of an activation: enum upcall_kind, not told yet; in a handler
                                                    //    UNBLOCKED: is told as blocked, or is to be.  Read at load
};

_Static_assert(sizeof(struct frame) == 192, "frame");
_Static_assert(offsetof(struct thread_state, frame) == 64, "frames");
_Static_assert(offsetof(struct thread_state, xstate) == 1024, "xstate");
_Static_assert(sizeof(struct thread_state) <= ABI_PAGE, "state page");
