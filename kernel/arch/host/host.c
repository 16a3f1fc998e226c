// host.c - the machine contract on a host, and the script's side of it.
#include "host.h"

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <abi/syscalls.h>

#include "tlb.h"

unsigned char *host_memory;
_Thread_local struct cpu *host_cpu;
struct host host;

enum { HOST_SYSCALL_RIP = 0x400800, ARCHIVE_SIZE = 64 << 10 };

// ---- the contract -----------------------------------------------------------------------------------------

uint64_t host_clock(void)
{
    return ++host.clock;
}

// The supervisor waits: let the others answer shoot-downs, as their interrupts would.
void host_relax(void)
{
    struct cpu *self = host_cpu;

    for (uint32_t i = 0; i < host.cpus; i++) {
        if (host.cpu[i].cpu != NULL && host.cpu[i].cpu != self) {
            host_cpu = host.cpu[i].cpu;
            tlb_answer(host_cpu);
        }
    }
    host_cpu = self;
}

void arch_cpu_init(struct cpu *cpu)
{
    host.cpu[cpu->number].cpu = cpu;
    host_cpu = cpu;
}

void arch_start_cpus(void)
{
    for (uint32_t i = 1; i < host.cpus; i++) {
        host.cpu[i].cpu = &host_cpu->instance->cpu[i];
    }
}

void arch_root_init(pa_t root)
{
    memset(arch_phys(root), 0, ABI_PAGE);
}

void arch_space_switch(struct cpu *cpu, pa_t root)
{
    __atomic_store_n(&cpu->root, root, __ATOMIC_SEQ_CST);
    arch_tlb_flush_all();
}

void arch_space_leave(struct cpu *cpu)
{
    arch_space_switch(cpu, 0);
}

void arch_tlb_flush_page(va_t va)
{
    struct host_cpu *h = &host.cpu[host_cpu->number];

    for (unsigned i = 0; i < HOST_TLB; i++) {
        va_t mask = h->tlb[i].large ? ABI_LARGE - 1 : ABI_PAGE - 1;
        if (h->tlb[i].valid && h->tlb[i].va == (va & ~mask)) {
            h->tlb[i].valid = false;
        }
    }
}

void arch_tlb_flush_all(void)
{
    memset(host.cpu[host_cpu->number].tlb, 0, sizeof(host.cpu[0].tlb));
}

void arch_state_save(struct thread_state *s)
{
    s->fs_base++; // visible to tests: saved once for each time off a processor
}

uint64_t arch_state_save_to(uint8_t xstate[XSTATE_SIZE])
{
    memset(xstate, 0, XSTATE_SIZE);
    return 1;
}

bool arch_state_load(const struct thread_state *s)
{
    return s->gs_base < ABI_USER_END;
}

void arch_state_begin(uint64_t gs)
{
    (void)gs;
}

void arch_timer_arm(uint64_t when)
{
    host.cpu[host_cpu->number].timer = when;
}

void arch_ipi(cpu_t target)
{
    host.cpu[target].ipi = true;
}

bool arch_console_put(uint32_t port, uint8_t byte)
{
    if (port == 1) {
        if (getenv("HOST_LOG") != NULL) {
            fputc(byte, stderr);
        }
        return true;
    }
    if (host.output_room == 1) {
        return false;
    }
    host.output_room -= host.output_room != 0;
    if (host.output_length < sizeof(host.output) - 1) {
        host.output[host.output_length++] = (char)byte;
    }
    return true;
}

int arch_console_get(uint32_t port)
{
    if (port != 0 || host.input_length == 0) {
        return -1;
    }
    host.input_length--;
    return *host.input++;
}

void arch_turns(void)
{
    host.turns = true;
}

void arch_power_off(uint32_t status)
{
    fprintf(stderr, "power off %u\n", status);
    abort();
}

void arch_halt(void)
{
    abort();
}

unsigned arch_backtrace(uint64_t *out, unsigned max)
{
    (void)out;
    (void)max;
    return 0;
}

// ---- the script -------------------------------------------------------------------------------------------

static uint8_t *kept;                // the memory of the machine before
static uint64_t kept_size;

// What was touched is present (bit 63 of a page's entry) or in the swap (62); see proc_pid_pagemap(5).
static void clear_touched(void)
{
    uint64_t entry[512];
    int map = open("/proc/self/pagemap", O_RDONLY);

    for (uint64_t at = 0; at < kept_size; at += ABI_PAGE) {
        uint64_t i = at / ABI_PAGE % 512;
        if (i == 0) {
            uint64_t number = ((uintptr_t)kept + at) / ABI_PAGE;
            ssize_t got = pread(map, entry, sizeof(entry), (off_t)(number * sizeof(entry[0])));
            assert(got == (ssize_t)sizeof(entry));
        }
        if (entry[i] >> 62 != 0) {
            memset(kept + at, 0, ABI_PAGE);
        }
    }
    close(map);
}

// Zeros.  The memory of the machine before is taken again if it has the size, and cleared: that takes a small part of
// the time of a page fault for each page.
static void *take_memory(uint64_t size)
{
    if (kept != NULL && kept_size == size) {
        clear_touched();
        return kept;
    }
    if (kept != NULL) {
        munmap(kept, kept_size);
    }
    kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    kept_size = size;
    assert(kept != MAP_FAILED);
    return kept;
}

void host_boot(uint32_t cpus, uint64_t memory, const char *cmdline)
{
    struct boot_info *info = calloc(1, sizeof(*info));

    memset(&host, 0, sizeof(host));
    host.cpus = cpus;
    host.memory = memory;
    host_memory = take_memory(memory);
    info->cpus = cpus;
    info->clusters = 1;
    ranges_add(&info->usable, 0, memory);
    info->archive = 1 << 20;
    info->archive_length = host_image(host_memory + info->archive, ARCHIVE_SIZE);
    info->free = info->usable;
    ranges_subtract(&info->free, info->archive, info->archive + ARCHIVE_SIZE);
    info->cmdline = cmdline;
    info->tsc_hz = 1000000; // one tick a microsecond
    kernel_boot(info);
    free(info);
    host.cpu[0].started = true;
    for (uint32_t i = 1; i < cpus; i++) {
        host_cpu = host.cpu[i].cpu;
        host.cpu[i].started = true;
        kernel_cpu_start(host_cpu);
    }
    host_cpu = host.cpu[0].cpu;
}

void host_shutdown(void)
{
    host_memory = NULL;
}

struct cpu *host_enter(uint32_t n)
{
    host_cpu = host.cpu[n].cpu;
    return host_cpu;
}

struct instance *host_instance(void)
{
    return host.cpu[0].cpu->instance;
}

void *host_at(pa_t pa)
{
    return host_memory + pa;
}

// What the machine does on the way back to user mode.
static void leave(struct cpu *cpu)
{
    struct frame *f = cpu->frame;

    if (f == NULL) {
        return;
    }
    if (cpu->enter_fresh) {
        uint64_t rip = f->rip, rsp = f->rsp, rdi = f->rdi, rsi = f->rsi, rdx = f->rdx;
        memset(f, 0, offsetof(struct frame, rip));
        f->rip = rip;
        f->rsp = rsp;
        f->rdi = rdi;
        f->rsi = rsi;
        f->rdx = rdx;
        cpu->enter_fresh = 0;
    }
    if (f->rip >= ABI_USER_END || f->rsp >= ABI_USER_END) {
        kernel_bad_frame(cpu);
        leave(cpu);
    }
}

bool host_call_once(uint32_t n, uint64_t number, const uint64_t a[6])
{
    struct cpu *cpu = host_enter(n);
    struct thread *t = cpu->thread;
    struct frame *f = cpu->frame;

    assert(t != NULL && f != NULL);
    f->rax = number;
    f->rdi = a[0];
    f->rsi = a[1];
    f->rdx = a[2];
    f->r10 = a[3];
    f->r8 = a[4];
    f->r9 = a[5];
    f->rip = HOST_SYSCALL_RIP + 2;
    kernel_syscall(cpu);
    leave(cpu);
    return cpu->thread != t || cpu->frame != f || f->rip != HOST_SYSCALL_RIP;
}

int64_t host_call(uint32_t n, uint64_t number, const uint64_t a[6], uint64_t *value)
{
    struct cpu *cpu = host_enter(n);
    struct thread *t = cpu->thread;
    struct frame *f = cpu->frame;
    uint64_t args[6];
    oid_t id = t->o.id;

    memcpy(args, a, sizeof(args));
    while (!host_call_once(n, number, args)) {
        args[4] = f->r8;
        args[5] = f->r9;
        host_deliver_all();
        host_enter(n);
        if (cpu->thread != t || t->o.id != id) {
            return -1;
        }
    }
    if (cpu->thread != t || t->o.id != id || cpu->frame != f) {
        return -1;
    }
    if (value != NULL) {
        *value = f->rdx;
    }
    return (int64_t)f->rax;
}

static struct host_tlb *tlb_find(struct host_cpu *h, va_t va)
{
    for (unsigned i = 0; i < HOST_TLB; i++) {
        va_t mask = h->tlb[i].large ? ABI_LARGE - 1 : ABI_PAGE - 1;
        if (h->tlb[i].valid && h->tlb[i].va == (va & ~mask)) {
            return &h->tlb[i];
        }
    }
    return NULL;
}

// The entry that maps va in the tables of `root`, or NULL.
static pte_t *walk(pa_t root, va_t va, bool *large)
{
    pa_t table = root;

    for (int level = PT_ROOT;; level--) {
        pte_t *e = (pte_t *)arch_phys(table) + (va >> (12 + 9 * level) & 511);
        if (!arch_pte_present(*e)) {
            return NULL;
        }
        *large = level == 1 && arch_pte_large(*e);
        if (level == 0 || *large) {
            return e;
        }
        table = arch_pte_pa(*e);
    }
}

static bool fault(struct cpu *cpu, va_t va, uint32_t access, bool present)
{
    uint64_t error = (present ? FAULT_PRESENT : 0u) | (access & MAP_WRITE ? FAULT_WRITE : 0u) |
                     (access & MAP_EXEC ? FAULT_EXEC : 0u);

    kernel_exception(cpu, 14, error, va);
    leave(cpu);
    return false;
}

bool host_touch(uint32_t n, va_t va, uint32_t access, pa_t *pa)
{
    struct cpu *cpu = host_enter(n);
    struct host_cpu *h = &host.cpu[n];
    struct host_tlb *t = tlb_find(h, va);

    // A write through a translation that was not yet modified walks the tables again, as hardware does.
    if (t != NULL && (access & MAP_WRITE) && !arch_pte_modified(t->pte)) {
        t->valid = false;
        t = NULL;
    }
    if (t == NULL) {
        bool large;
        pte_t *e = walk(cpu->root, va, &large);
        if (e == NULL || (arch_pte_access(*e) & access) != access) {
            return fault(cpu, va, access, e != NULL);
        }
        __atomic_fetch_or(e, HOST_PTE_REFERENCED | (access & MAP_WRITE ? HOST_PTE_MODIFIED : 0),
                          __ATOMIC_SEQ_CST);
        t = &h->tlb[h->tlb_next++ % HOST_TLB];
        *t = (struct host_tlb){true, va & ~(va_t)((large ? ABI_LARGE : ABI_PAGE) - 1), *e, large};
    }
    if ((arch_pte_access(t->pte) & access) != access) {
        va_t at = t->va;
        t->valid = false;
        (void)at;
        return fault(cpu, va, access, true);
    }
    *pa = arch_pte_pa(t->pte) + (va & ((t->large ? ABI_LARGE : ABI_PAGE) - 1));
    return true;
}

void host_deliver(uint32_t n)
{
    struct cpu *cpu = host_enter(n);
    struct host_cpu *h = &host.cpu[n];

    if (h->ipi) {
        h->ipi = false;
        kernel_interrupt(cpu, ARCH_IRQ_IPI);
        leave(cpu);
    }
    if (h->timer != 0 && h->timer <= host.clock) {
        h->timer = 0;
        kernel_interrupt(cpu, ARCH_IRQ_TIMER);
        leave(cpu);
    }
}

void host_interrupt(uint32_t n, enum arch_irq irq)
{
    struct cpu *cpu = host_enter(n);

    kernel_interrupt(cpu, irq);
    leave(cpu);
}

void host_memory_lost(uint32_t n, pa_t pa, bool here, bool broken)
{
    struct cpu *cpu = host_enter(n);

    kernel_memory_lost(cpu, pa, here, broken);
    leave(cpu);
}

void host_deliver_all(void)
{
    for (uint32_t i = 0; i < host.cpus; i++) {
        host_deliver(i);
    }
}

void host_advance(uint64_t ticks)
{
    host.clock += ticks;
    host_deliver_all();
}

// The array that is memory holds the only pointers to nothing of the host's heap: there is nothing to find.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
