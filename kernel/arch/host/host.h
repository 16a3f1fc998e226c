// host.h - the machine of unit tests: processors are scripted, memory is an array.
//
// A test plays the user programs: it enters a processor, makes calls and memory accesses as the thread that runs
// there would, and delivers interrupts when it likes; so every interleaving at the supervisor's boundary can be
// scripted or drawn by seed.  Each processor has a TLB that is as lazy as hardware: it keeps a translation
// until it is told to forget it.  One host thread plays all processors; while the supervisor waits for another
// processor's answer, that processor's interrupt handler is run (host_relax).
#pragma once
#include <abi/types.h>

#include "arch.h"
#include "boot.h"
#include "instance.h"

enum { HOST_TLB = 64 };

struct host_cpu {
    struct cpu *cpu;
    bool        started;
    bool        ipi;                            // an interrupt is pending
    uint64_t    timer;                          // armed for, 0: not
    struct host_tlb {
        bool  valid;
        va_t  va;
        pte_t pte;
        bool  large;
    } tlb[HOST_TLB];
    uint32_t    tlb_next;
};

struct host {
    uint32_t cpus;
    uint64_t clock;
    uint64_t memory;
    bool     off;                               // arch_power_off was called
    bool     turns;                             // arch_turns was called
    bool     bad_state;                         // arch_state_load refuses
    const uint8_t *input;                       // what comes next on the terminal
    uint32_t input_length;
    char     output[256];                       // what has been put to ports other than the log's
    uint32_t output_length, output_room;        // room n: the ports take n - 1 bytes more; 0: all
    struct host_cpu cpu[ABI_MAX_CPUS];
};

extern struct host host;

// Boot with this much memory and a first kernel made by the test (see host_image.c).  The thread of the first
// kernel runs on processor 0 afterwards.
void host_boot(uint32_t cpus, uint64_t memory, const char *cmdline);
void host_shutdown(void);
// Play processor n from now on.
struct cpu *host_enter(uint32_t n);
struct instance *host_instance(void);
// The thread that runs on n executes a SYSCALL.  Restarts are followed, with interrupts delivered between.  Gives
// RAX, or -1 if the thread does not run there any more.  *value gets RDX.
int64_t host_call(uint32_t n, uint64_t number, const uint64_t a[6], uint64_t *value);
// One execution of the instruction, no restart.  True if it completed (or the thread left).
bool host_call_once(uint32_t n, uint64_t number, const uint64_t a[6]);
// The thread that runs on n touches memory: 0 and *pa, or the fault has been delivered.  access: MAP_READ...
bool host_touch(uint32_t n, va_t va, uint32_t access, pa_t *pa);
// Deliver what is pending on n: interrupts from other processors, the timer if its time has come.
void host_deliver(uint32_t n);
void host_deliver_all(void);
void host_advance(uint64_t ticks);
void host_interrupt(uint32_t n, enum arch_irq irq);
// A machine check on n: see kernel_memory_lost().
void host_memory_lost(uint32_t n, pa_t pa, bool here, bool broken);
// A pointer to physical memory.
void *host_at(pa_t pa);

// Every invariant of the instance, and TLBs against page tables.  Prints what is wrong and aborts.
void host_check(void);
void host_check_activations(struct instance *in);              // part of it

// The boot archive with the first kernel: an ELF file with a text page, a data page and the note.
enum {
    HOST_TEXT = 0x400000, HOST_DATA = 0x600000,
    HOST_TRAP = 0x400100, HOST_FAULT = 0x400200, HOST_EXCEPTION = 0x400300,
};
size_t host_image(unsigned char *to, size_t size);
