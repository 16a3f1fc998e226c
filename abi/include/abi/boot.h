// boot.h - what the supervisor tells the first kernel, and what it shows to everyone it may be shown to.
//
// One 2-MiB unit of memory holds the system pages: struct system_info in its first page,
// struct system_stats in its second, a struct cpu_stats for each processor in the two after it, and from its fifth
// on a struct kernel_usage for each kernel slot and processor, at slot * cpus + processor.  The first kernel
// finds them read-only in its window (info.system), and may grant read access on them to others.
// The boot archive is a sequence of newc cpio archives, at info.archive, readable through the window.
#pragma once
#include <abi/types.h>

struct memory_range {                    // memory of the machine that may be granted; both 2-MiB aligned
    pa_t     base;
    uint64_t length;
    uint32_t cluster;
    uint32_t reserved;
};
enum { SYSTEM_RANGES = 32, SYSTEM_CMDLINE = 1024 };

struct system_info {                     // I
    uint32_t version;                    // 1
    uint32_t cpus;
    uint32_t clusters;
    uint32_t ranges;
    uint32_t kernels, spaces, threads, mappings, tables;   // sizes of the caches
    uint32_t locked_mappings;            // mapping records that can be locked, on top of mappings
    uint64_t tsc_hz;                     // the clock: RDTSC, readable by everyone; deadlines are in its ticks
    uint64_t wall_ns;                    // nanoseconds since 1970 when the clock read 0
    uint64_t slice;                      // time slice, in ticks
    uint64_t turns;                      // ticks of the clock for one of the parallel clock; 0: the same
    pa_t     system;                     // physical address of the system pages
    pa_t     devices;                    // the device unit, see device.h
    pa_t     archive;
    uint64_t archive_length;
    oid_t    kernel, space, thread;      // of the first kernel
    struct memory_range range[SYSTEM_RANGES];
    uint8_t  cluster_of[ABI_MAX_CPUS];
    uint8_t  distance[16][16];           // between clusters, 10 is local
    char     cmdline[SYSTEM_CMDLINE];
};
_Static_assert(sizeof(struct system_info) <= ABI_PAGE, "system info");

struct system_stats {                    // k  all counters since boot, except the free_ ones
    uint32_t free_kernels, free_spaces, free_threads, free_mappings, free_tables, free_locked_mappings;
    uint64_t loads[5], unloads[5], writebacks[5];          // by enum object_type
    uint64_t shootdowns;                                   // TLB shoot-downs that had to ask another processor
    uint64_t again;                                        // loads that found no victim
    uint64_t copies;                                       // deferred copies made
    uint64_t signals;                                      // address-valued signals put into queues
};

// The parallel clock: how many instructions each processor has executed.  In an emulator whose processors take turns on
// one clock (docs/native.md) all of them, busy or not, have the same part of it.  Elsewhere it is the clock.
static inline uint64_t system_parallel_clock(const struct system_info *s)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return ((uint64_t)high << 32 | low) / (s->turns != 0 ? s->turns : 1);
}

struct cpu_stats {                       // k  two cache lines for each processor
    uint64_t traps, faults, exceptions;                    // forwarded
    uint64_t resumes;                                      // returns from handlers
    uint64_t switches;                                     // to another thread
    uint64_t interrupts, ipis;                             // taken, sent
    uint64_t reverse_hits, reverse_misses;                 // of its reverse TLB, when it sends a signal
    uint64_t signals_entered;                              // signal functions entered
    uint64_t reserved[6];
};
_Static_assert(sizeof(struct cpu_stats) * ABI_MAX_CPUS <= 2 * ABI_PAGE, "cpu stats");

// What a kernel has used of a processor, in ticks of the clock, since it was loaded.  `ran` is all of it.
// `spare` was run while the kernel was over its share, on time that nobody within his share wanted.  For the
// rest a kernel with a share below 100 was charged `charged`: a tick at priority p counts (16 + p) / 32, so
// that a high priority has a premium and a low one a discount.
// The growth of `charged` in a second, as a part of the clock's, is what stays below `share`.
enum { SYSTEM_USAGE_PAGE = 4 };          // the first page of these lines

struct kernel_usage {                    // k
    uint64_t ran, spare, charged;
    uint32_t share;                                        // percent
    uint32_t over;                                         // 1: over its share at present
};

// How a program says that it is an application kernel: an ELF note, name "Quoin", type NOTE_APPKERNEL.
// xstack is the top of the exception stack of its first thread; the entry point sets its own stack.
enum { NOTE_APPKERNEL = 1 };
struct appkernel_note {
    va_t trap, fault, exception;         // handlers: functions (struct thread_state *, uint64_t cookie, unsigned depth)
    va_t xstack;
};

// What an application kernel is told at its start; RDI at its entry points to it.  The first kernel gets it
// from the supervisor, the others from the first kernel.  Its memory is already mapped in its window.
struct kernel_info {
    oid_t    kernel, space, thread;      // its own ids
    uint32_t ranges;                     // memory granted to it, writable
    uint32_t args_length;
    struct memory_range range[8];
    pa_t     system;                     // the system pages, readable through the window
    pa_t     archive;                    // the boot archive, readable through the window; 0 if not granted
    uint64_t archive_length;
    pa_t     free;                       // first byte of range[0] that its starter has not used, page-aligned
    pa_t     channel;                    // its writeback channel
    pa_t     frame_states;               // its frame-state table: a byte for each frame from first_frame on
    uint64_t first_frame, frame_count;
    // Two message pages that it shares with its starter, for calls of what that offers (lib/interface) and for the
    // answers, whose signals its first thread gets.  They are seen through the window, and signalled at service_va,
    // where the kernel maps the first one itself, to send from.  0: nothing is offered.
    pa_t     service;
    va_t     service_va;
    uint64_t most;                       // bytes that it may have in all, when it asks for more; 0: what it has
    struct kernel_limits_info { uint32_t max_priority, locked_spaces, locked_threads, locked_mappings; } limits;
    uint32_t devices;                    // a bit for each enum device that is mapped for it, see device.h
    uint32_t device_signals;             // 1 once the mappings for signals of devices have been there
    char     args[512];                  // its line of the policy file, after the name
    // Memory that it has for a time only: nothing is kept for it when the clock reaches loan_ends, its mappings and
    // what else lies there are unloaded then.  length 0: none.  The first thread is signalled when this changes.
    struct memory_range loan;            // length is stored last
    uint64_t loan_ends;
};
