// host.c - processors of the host as those of a space (host.h).
#define _GNU_SOURCE
#include "host.h"

#include <immintrin.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "../threads_impl.h"

extern const char host_release[], host_release_end[], host_wait[];
struct host host;

struct processor {
    pthread_t thread;
    uint32_t op;                         // a  asked for; HOST_NONE: answered
    bool done;                           // the answer
    uint32_t activation;
    gregset_t parked;
    uint64_t parked_fs;
} processor[HOST_PROCESSORS];

static struct area {
    struct space_kernel_page *kernel;
    struct space_user_page *user;
    struct activation_kernel *activation;
} area;

static uint32_t lock;                    // of all below; signals of processors are blocked inside
static uint32_t pending[HOST_SLOTS], pendings, pending_head;
static uint32_t blocked[HOST_SLOTS], blockeds, blocked_head;
static bool activation_used[HOST_ACTIVATIONS];
static uint64_t random_state = 1;

static void take_lock(void)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
        syscall(SYS_sched_yield);
    }
}
static void give_lock(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}
// The host has fewer processors than there are here, and others use them too: who waits for an answer sleeps.
static void set_op(unsigned p, enum host_op op)
{
    __atomic_store_n(&processor[p].op, op, __ATOMIC_RELEASE);
    syscall(SYS_futex, &processor[p].op, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
static void wait_op(unsigned p, enum host_op op)
{
    while (__atomic_load_n(&processor[p].op, __ATOMIC_ACQUIRE) == op) {
        syscall(SYS_futex, &processor[p].op, FUTEX_WAIT_PRIVATE, op, NULL, NULL, 0);
    }
}
void host_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15ull | 1;
}
unsigned host_random(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state * 0x2545f4914f6cdd1dull >> 33) % below);
}

// ---- slots and activations --------------------------------------------------------------------------------------

static uint32_t slots_free(void)
{
    return __atomic_load_n(&area.user->slots_given, __ATOMIC_ACQUIRE) - area.kernel->slots_taken;
}
static struct upcall_slot *take_slot(uint32_t kinds, unsigned p)
{
    uint32_t i = area.user->slot[area.kernel->slots_taken++ % SLOTS_MOST] & 0xffff;
    struct upcall_slot *slot = &host.machine.slot[i];

    if (i >= HOST_SLOTS) {
        abort();
    }
    slot->kinds = kinds;
    slot->activation = processor[p].activation;
    slot->processor = p;
    slot->next = SLOT_NONE;
    slot->fs_base = 0;
    return slot;
}
static uint32_t number(const struct upcall_slot *slot)
{
    return (uint32_t)(slot - host.machine.slot);
}
static void put_pending(const struct upcall_slot *slot)
{
    pending[(pending_head + pendings++) % HOST_SLOTS] = number(slot);
}
static void store_context(struct upcall_slot *slot, const ucontext_t *uc)
{
    const greg_t *g = uc->uc_mcontext.gregs;
    uint64_t has;

    slot->context = (struct frame){
        .rax = (uint64_t)g[REG_RAX], .rbx = (uint64_t)g[REG_RBX], .rcx = (uint64_t)g[REG_RCX],
        .rdx = (uint64_t)g[REG_RDX], .rsi = (uint64_t)g[REG_RSI], .rdi = (uint64_t)g[REG_RDI],
        .rbp = (uint64_t)g[REG_RBP], .rsp = (uint64_t)g[REG_RSP], .r8 = (uint64_t)g[REG_R8],
        .r9 = (uint64_t)g[REG_R9], .r10 = (uint64_t)g[REG_R10], .r11 = (uint64_t)g[REG_R11],
        .r12 = (uint64_t)g[REG_R12], .r13 = (uint64_t)g[REG_R13], .r14 = (uint64_t)g[REG_R14],
        .r15 = (uint64_t)g[REG_R15], .rip = (uint64_t)g[REG_RIP], .rflags = (uint64_t)g[REG_EFL]};
    slot->fs_base = _readfsbase_u64();
    slot->thread = host.machine.activation[slot->activation].thread;
    memcpy(slot->xstate, uc->uc_mcontext.fpregs, XSTATE_SIZE);
    memcpy(&has, slot->xstate + 512, 8);
    has &= 7;
    memset(slot->xstate + 512, 0, 64);
    memcpy(slot->xstate + 512, &has, 8);
}
static bool find_activation(uint32_t *found)
{
    unsigned start = host_random(HOST_ACTIVATIONS);

    for (unsigned n = 0; n < HOST_ACTIVATIONS; n++) {
        unsigned i = (start + n) % HOST_ACTIVATIONS;
        if (!activation_used[i]) {
            *found = i;
            return true;
        }
    }
    return false;
}

// ---- upcalls ----------------------------------------------------------------------------------------------------

static void begin_upcall(unsigned p, ucontext_t *uc, bool stepping)
{
    greg_t *g = uc->uc_mcontext.gregs;
    uint64_t none = 0;
    uint32_t first = SLOT_NONE, *link = &first, events = 0, a = 0;

    if (!find_activation(&a)) {
        abort();
    }
    while (pendings != 0 && events < UPCALL_BATCH) {
        *link = pending[pending_head++ % HOST_SLOTS];
        link = &host.machine.slot[*link].next;
        pendings--;
        events++;
    }
    *link = SLOT_NONE;
    activation_used[a] = true;
    processor[p].activation = a;
    area.activation[a].processor = p;
    memset(g, 0, sizeof(greg_t) * (REG_RIP + 1));
    g[REG_RDI] = first;
    g[REG_RSI] = events;
    g[REG_RDX] = (greg_t)&area.activation[a];
    g[REG_RSP] = (greg_t)host.machine.slot[first].stack - 8;
    g[REG_RIP] = (greg_t)threads_upcall;
    g[REG_EFL] = stepping ? 0x302 : 0x202;
    memcpy((char *)uc->uc_mcontext.fpregs + 512, &none, 8);      // everything as in a new program
    uc->uc_mcontext.fpregs->mxcsr = 0x1f80;
    area.kernel->upcalls++;
    _writegsbase_u64((uint64_t)&area.activation[a]);
    _writefsbase_u64(0);
}
static void hold(unsigned p, bool held)
{
    host.held = held ? host.held | 1ull << p : host.held & ~(1ull << p);
    area.kernel->holds = host.held;
    area.kernel->held = (uint32_t)__builtin_popcountll(host.held);
    area.kernel->helps = HOST_PROCESSORS - area.kernel->held;
    area.kernel->changes++;
}
static void park(unsigned p, ucontext_t *uc)
{
    hold(p, false);
    memcpy(uc->uc_mcontext.gregs, processor[p].parked, sizeof(gregset_t));
    _writefsbase_u64(processor[p].parked_fs);
}
static void added(unsigned p, ucontext_t *uc)
{
    processor[p].parked_fs = _readfsbase_u64();
    memcpy(processor[p].parked, uc->uc_mcontext.gregs, sizeof(gregset_t));
    put_pending(take_slot(UPCALL_ADDED, p));
    host.told_added++;
    hold(p, true);
    begin_upcall(p, uc, host.step != NULL);
}
static void released(unsigned p, ucontext_t *uc)
{
    activation_used[processor[p].activation] = false;
    if (pendings != 0) {
        begin_upcall(p, uc, host.step != NULL);
        return;
    }
    host.released++;
    park(p, uc);
}
static void stopped(unsigned p, ucontext_t *uc, enum host_op op)
{
    static const uint32_t kinds[] = {[HOST_TELL] = UPCALL_PREEMPTED, [HOST_INTERVAL] = UPCALL_INTERVAL,
                                     [HOST_TAKE] = UPCALL_PREEMPTED | UPCALL_TAKEN, [HOST_BLOCK] = UPCALL_BLOCKED,
                                     [HOST_FAULT] = UPCALL_FAULT};
    struct upcall_slot *slot = take_slot(kinds[op], p);
    bool stepping = host.step != NULL;

    store_context(slot, uc);
    activation_used[processor[p].activation] = false;
    if (op == HOST_BLOCK) {
        struct upcall_slot *later = take_slot(UPCALL_UNBLOCKED, p);
        store_context(later, uc);
        blocked[(blocked_head + blockeds++) % HOST_SLOTS] = number(later);
    }
    put_pending(slot);
    if (op == HOST_TAKE) {
        host.told_taken++;
        park(p, uc);
    } else {
        begin_upcall(p, uc, stepping);
    }
}
static bool unblock(void)
{
    if (blockeds == 0) {
        return false;
    }
    put_pending(&host.machine.slot[blocked[blocked_head++ % HOST_SLOTS]]);
    blockeds--;
    return true;
}
static bool is_at(const ucontext_t *uc, const char *stub)
{
    return (uint64_t)uc->uc_mcontext.gregs[REG_RIP] == (uint64_t)stub;
}
static bool act(unsigned p, ucontext_t *uc, enum host_op op)
{
    bool held = host.held >> p & 1;

    if (op == HOST_ADD) {
        if (held || slots_free() < 2) {
            return false;
        }
        added(p, uc);
        return true;
    }
    uint32_t need = op == HOST_TELL && pendings != 0 ? 2 : 8;
    if (!held || slots_free() < need || (op == HOST_BLOCK && blockeds >= HOST_ACTIVATIONS / 2)) {
        return false;
    }
    stopped(p, uc, op);
    return true;
}
static unsigned this_processor(void)
{
    uint64_t gs = _readgsbase_u64();
    return (unsigned)(gs < HOST_PROCESSORS ? gs : ((struct activation_kernel *)gs)->processor);
}
// The end: what the processor did when it made a mistake.
static void report(unsigned p, const ucontext_t *uc, const siginfo_t *info)
{
    const struct thread *flow = (const struct thread *)_readfsbase_u64();
    const greg_t *g = uc->uc_mcontext.gregs;

    _writefsbase_u64(processor[p].parked_fs);
    fprintf(stderr, "processor %u: rip %llx rsp %llx address %p flow %p", p, g[REG_RIP], g[REG_RSP], info->si_addr,
            (const void *)flow);
    fprintf(stderr, " kind %u phase %u", flow != NULL ? flow->kind : 0, flow != NULL ? flow->phase : 0);
    for (int r = 0; r < REG_RIP; r++) {
        fprintf(stderr, "%c%llx%s", r % 8 == 0 ? '\n' : ' ', g[r], r == REG_RIP - 1 ? "\n" : "");
    }
    _exit(9);
}
static void on_signal(int number_, siginfo_t *info, void *context)
{
    unsigned p = this_processor();
    ucontext_t *uc = context;
    enum host_op op;

    take_lock();
    if (number_ == SIGUSR1) {
        op = (enum host_op)processor[p].op;
        processor[p].done = op == HOST_NONE ? processor[p].done : act(p, uc, op);    // asked twice: it has answered
        set_op(p, HOST_NONE);
    } else if (is_at(uc, host_release)) {
        released(p, uc);
    } else if (is_at(uc, host_wait)) {
        uc->uc_mcontext.gregs[REG_RIP] += 2;
        stopped(p, uc, HOST_BLOCK);
    } else if (number_ == SIGILL || number_ == SIGSEGV) {
        report(p, uc, info);
    } else if (host.held >> p & 1) {
        uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
        host.steps++;
        op = host.step != NULL ? host.step(rip) : host.trap(&rip);
        uc->uc_mcontext.gregs[REG_RIP] = (greg_t)rip;
        host.declined += op != HOST_NONE && op != HOST_UNBLOCK && !act(p, uc, op);
        if (op == HOST_UNBLOCK) {
            unblock();
        }
    }
    give_lock();
}

// ---- the controller ---------------------------------------------------------------------------------------------

static void *processor_main(void *argument)
{
    unsigned p = (unsigned)(uintptr_t)argument;
    stack_t stack = {.ss_size = 1 << 16};
    stack.ss_sp = malloc(stack.ss_size);

    sigaltstack(&stack, NULL);
    _writegsbase_u64(p);
    for (;;) {
        wait_op(p, HOST_NONE);
        raise(SIGUSR1);                  // comes back when the processor is parked
        _writegsbase_u64(p);
    }
    return NULL;
}
bool host_do(unsigned p, enum host_op op)
{
    take_lock();
    bool held = host.held >> p & 1;
    give_lock();
    if (held == (op == HOST_ADD)) {
        return false;
    }
    set_op(p, op);
    if (held) {
        pthread_kill(processor[p].thread, SIGUSR1);
    }
    wait_op(p, op);
    host.ops++;
    return processor[p].done;
}
bool host_unblock(void)
{
    take_lock();
    bool some = unblock();
    give_lock();
    return some;
}
bool host_pending(void)
{
    return *(volatile uint32_t *)&pendings != 0;
}
// The host has a limit for the pieces of an address space, so memory comes from one, and not all stacks are guarded.
static char *memory;
static uint64_t memory_used, guards;
enum { MEMORY = 1 << 30, GUARDS = 10000 };
static void guard(void *at, size_t bytes)
{
    uint64_t result;

    if (__atomic_fetch_add(&guards, 1, __ATOMIC_RELAXED) < GUARDS) {
        __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_mprotect), "D"(at), "S"(bytes), "d"(PROT_NONE)
                         : "rcx", "r11", "memory");
    }
}
static void *allocate(size_t bytes)
{
    uint64_t at = __atomic_fetch_add(&memory_used, ABI_PAGE + bytes, __ATOMIC_RELAXED);

    if (at + ABI_PAGE + bytes > 2ull * MEMORY) {
        return NULL;
    }
    guard(memory + at, ABI_PAGE);
    return memory + at + ABI_PAGE;
}
static void ask(void)
{
    __atomic_fetch_add(&host.asked, 1, __ATOMIC_RELAXED);
}
static uint64_t now(void)
{
    return __atomic_load_n(&host.now, __ATOMIC_RELAXED);
}
static void make_area(void)
{
    size_t size = area_size(HOST_ACTIVATIONS, HOST_SLOTS);
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct threads_machine *m = &host.machine;

    memory = mmap(NULL, 2ull * MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    area.kernel = (void *)at;
    area.user = (void *)(at + ABI_PAGE);
    area.activation = (void *)(at + area_kernel_blocks());
    area.kernel->activations = HOST_ACTIVATIONS;
    area.kernel->slots = HOST_SLOTS;
    area.kernel->helps = HOST_PROCESSORS;
    *m = (struct threads_machine){area.kernel, area.user, (void *)(at + area_user_blocks(HOST_ACTIVATIONS)),
                                  (void *)(at + area_slots(HOST_ACTIVATIONS)), HOST_ACTIVATIONS, HOST_SLOTS, ask,
                                  host_release, host_release_end, (void (*)(uint64_t))(uintptr_t)host_wait, now, NULL,
                                  HOST_PROCESSORS, NULL, NULL};
    for (unsigned i = 0; i < HOST_ACTIVATIONS; i++) {
        area.activation[i] = (struct activation_kernel){.index = i, .user = (va_t)&m->activation[i], .area = (va_t)at};
    }
}
void host_begin(struct threads_setup *setup, unsigned processors)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigfillset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    make_area();
    setup->machine = host.machine;
    setup->memory = (struct threads_memory){allocate};
    setup->processors = processors;
    for (unsigned p = 0; p < processors; p++) {
        pthread_create(&processor[p].thread, NULL, processor_main, (void *)(uintptr_t)p);
    }
}
static void something(unsigned processors)
{
    static const enum host_op op[] = {HOST_TELL, HOST_INTERVAL, HOST_TAKE, HOST_BLOCK};
    unsigned p = host_random(processors);

    if (host_random(4) == 0) {
        host_unblock();
    }
    host_do(p, host.held >> p & 1 ? op[host_random(4)] : HOST_ADD);
}
void host_run(unsigned processors, unsigned chaos)
{
    for (unsigned n = 0;; n++) {
        bool over = __atomic_load_n(&host.finished, __ATOMIC_ACQUIRE);
        uint64_t held = *(volatile uint64_t *)&host.held;
        if (over && held == 0 && !host_pending() && blockeds == 0) {
            return;
        }
        // At some time in any case: what is blocked may be what ends the wait of who runs.
        if (over || blockeds > HOST_ACTIVATIONS || host_random(256) == 0) {
            host_unblock();
        }
        if (!over && host_random(100) < chaos) {
            something(processors);
        } else if (held == 0) {
            if (!host_pending() && !over && area.user->wanted == 0) {
                host.now += 100000;      // all wait: time passes
                host_unblock();
            }
            if (host_pending() || area.user->wanted != 0) {
                host_do(host_random(processors), HOST_ADD);
            }
        } else if (host_pending()) {
            host_do((unsigned)__builtin_ctzll(held), HOST_TELL);
            usleep(host.step != NULL ? 1000 : 0);    // single steps are slow: the handler shall get somewhere
        } else {
            usleep(host.step != NULL ? 1000 : 10);
        }
    }
}
static bool equal(const char *what, uint64_t a, uint64_t b)
{
    if (a != b) {
        fprintf(stderr, "%s: %lu and %lu\n", what, a, b);
    }
    return a == b;
}
bool host_balanced(void)
{
    struct threads_statistics s;

    threads_read_statistics(&s);
    bool all = equal("contexts", s.contexts, s.ready + s.dropped + s.continued + s.nested);
    all &= equal("added", s.told[0], host.told_added);
    all &= equal("taken", s.told[9], host.told_taken);
    all &= equal("blocked", s.told[2], s.told[3]);
    all &= equal("held", s.told[0] - s.told[9] - host.released, 0);
    all &= equal("upcalls", s.upcalls, area.kernel->upcalls);
    return all;
}
void host_child(void (*fn)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        alarm(500);                      // only to end a test that hangs
        fn();
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "the child ended with status %x\n", status);
        abort();
    }
}
