// program.c - what runs in the spaces: workers that count, and upcalls that go on with one of them.
//
// It is compiled into one section without data, so that it can be copied; its words are in struct shared.  A context is
// a frame on the stack that it was stopped on, known by its RSP: an upcall puts the contexts of its slots on their
// stacks, gives the slots back, and goes on with one, with a new worker, or gives the processor back.  Its own slot,
// which has its stack, it gives when it has left that.  Stopped anywhere, it is a context like any other, and goes
// first.  No lock: who is stopped here may have to wait for slots that others give.
// A program that scribbles, or keeps its slots, goes on with no context: its upcalls run the loop of a worker.
#include "party.h"

#define PROGRAM_CODE __attribute__((section("program"), noinline))

static struct shared *const shared = (struct shared *)DATA;
static const struct space_kernel_page *const page = (const struct space_kernel_page *)AREA;
static struct space_user_page *const user = (struct space_user_page *)(AREA + ABI_PAGE);

enum { FRAME_SIZE = 18 * 8, BELOW = 128, SPINS = 200 };

_Noreturn void program_resume(va_t rsp, uint64_t slot);
_Noreturn void program_begin(uint64_t worker, uint64_t slot);
_Noreturn void program_rest(uint32_t bit, uint32_t *word);
void program_give(uint64_t slot);
_Noreturn void program_worker(uint64_t worker);
extern const char program_loading[], program_loaded[], program_resting[], program_rested[];

__asm__(".pushsection program, \"ax\", @progbits\n"
        ".globl program_entry, program_resume, program_begin, program_rest\n"
        ".globl program_loading, program_loaded, program_resting, program_rested\n"
        "program_entry:\n"
        "    cmpq $1, 0x20000000\n"          // SCRIBBLES
        "    jne program_upcall\n"
        "    movl (%rdx), %eax\n"
        "    incl %eax\n"
        "    shll $12, %eax\n"
        "    leaq 0x30020000 - 8(%rax), %rsp\n"
        "    jmp program_upcall\n"
        "program_resume:\n"                  // RDI: a frame. RSI: the slot to give when this stack is left
        "    movq %rdi, %rsp\n"
        "    movq %rsi, %rdi\n"
        "    call program_give\n"
        "program_loading:\n"                 // stopped from here on, it begins here again
        "    movq (%rsp), %rax\n"
        "    movq 8(%rsp), %rbx\n"
        "    movq 16(%rsp), %rcx\n"
        "    movq 24(%rsp), %rdx\n"
        "    movq 32(%rsp), %rsi\n"
        "    movq 40(%rsp), %rdi\n"
        "    movq 48(%rsp), %rbp\n"
        "    movq 64(%rsp), %r8\n"
        "    movq 72(%rsp), %r9\n"
        "    movq 80(%rsp), %r10\n"
        "    movq 88(%rsp), %r11\n"
        "    movq 96(%rsp), %r12\n"
        "    movq 104(%rsp), %r13\n"
        "    movq 112(%rsp), %r14\n"
        "    movq 120(%rsp), %r15\n"
        "    leaq 128(%rsp), %rsp\n"
        "program_loaded:\n"
        "    popfq\n"
        "    ret $128\n"
        "program_begin:\n"
        "    leaq 1(%rdi), %rsp\n"
        "    shlq $12, %rsp\n"
        "    addq $0x30020000, %rsp\n"
        "    pushq %rdi\n"
        "    movq %rsi, %rdi\n"
        "    call program_give\n"
        "    popq %rdi\n"
        "    call program_worker\n"
        "program_rest:\n"
        "    lock orl %edi, (%rsi)\n"        // whoever finds the bit has this stack
        "program_resting:\n"                 // stopped from here on, it is forgotten
        "    movl $27, %eax\n"
        "    syscall\n"
        "    jmp program_resting\n"
        "program_rested:\n"
        ".popsection\n");
_Static_assert(DATA == 0x20000000 && SCRIBBLES == 1 && SYS_processor_release == 27, "the code above");
_Static_assert((int)WORKER_STACKS == 0x30020000 && offsetof(struct frame, r15) == 120, "the code above");

PROGRAM_CODE static uint64_t call(uint64_t number, uint64_t a)
{
    uint64_t e = number;

    __asm__ volatile("syscall" : "+a"(e) : "D"(a), "S"(0), "d"(0) : "rcx", "r11", "memory");
    return e;
}

PROGRAM_CODE static uint64_t random(uint64_t *r)
{
    *r = *r * 6364136223846793005ull + 1442695040888963407ull;
    return *r >> 20;
}

// ---- slots ----------------------------------------------------------------------------------------------------

// The upper half of an entry says in which round it was written. Who finds one that is not counted yet counts it.
PROGRAM_CODE void program_give(uint64_t slot)
{
    for (bool done = slot >= SLOTS; !done;) {
        uint32_t given = __atomic_load_n(&user->slots_given, __ATOMIC_ACQUIRE);
        uint32_t *entry = &user->slot[given % SLOTS_MOST], round = (given / SLOTS_MOST + 1) & 0xffff;
        uint32_t old = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
        if (old >> 16 != round) {
            done = __atomic_compare_exchange_n(entry, &old, round << 16 | (uint32_t)slot, false, __ATOMIC_ACQ_REL,
                                               __ATOMIC_RELAXED);
        }
        if (done || old >> 16 == round) {
            (void)__atomic_compare_exchange_n(&user->slots_given, &given, given + 1, false, __ATOMIC_RELEASE,
                                              __ATOMIC_RELAXED);
        }
    }
}

// ---- contexts -------------------------------------------------------------------------------------------------

PROGRAM_CODE static bool of_worker(va_t rsp)
{
    return rsp > WORKER_STACKS && rsp <= WORKER_STACKS + ACTIVATIONS * (va_t)ABI_PAGE;
}

PROGRAM_CODE static void put(va_t rsp)
{
    for (uint32_t i = __atomic_fetch_add(&shared->last, 1, __ATOMIC_RELAXED);; i++) {
        va_t none = 0;
        if (__atomic_compare_exchange_n(&shared->ready[i % READY_MOST], &none, rsp, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            return;
        }
    }
}

// One that is ready: a handler, or if there is none the next worker in turn; 0: none.
PROGRAM_CODE static va_t take(bool worker)
{
    uint32_t first = worker ? __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED) : 0;

    for (uint32_t i = first; i != first + READY_MOST; i++) {
        va_t rsp = __atomic_load_n(&shared->ready[i % READY_MOST], __ATOMIC_ACQUIRE);
        if (rsp != 0 && of_worker(rsp) == worker &&
            __atomic_compare_exchange_n(&shared->ready[i % READY_MOST], &rsp, 0, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            return rsp;
        }
    }
    return 0;
}

PROGRAM_CODE static void new_worker(uint64_t i)
{
    (void)__atomic_fetch_or(&shared->fresh, 1u << i, __ATOMIC_RELEASE);
}

// Addresses as the program sees them.
#define HERE(label) (TEXT + (va_t)((label) - __start_program))

PROGRAM_CODE static void keep(const struct upcall_slot *slot)
{
    const uint64_t *from = (const uint64_t *)&slot->context;
    va_t rip = slot->context.rip, rsp = slot->context.rsp;
    uint64_t *frame = (uint64_t *)(rsp - BELOW - FRAME_SIZE);

    if (slot->kinds & UPCALL_FAULT) {
        if (of_worker(rsp)) {
            new_worker((rsp - 1 - WORKER_STACKS) / ABI_PAGE);
        } else {
            (void)__atomic_fetch_add(&shared->wrong, 1, __ATOMIC_RELAXED);
        }
    } else if (rip >= HERE(program_loading) && rip < HERE(program_loaded)) {
        put(rsp);
    } else if (rip < HERE(program_resting) || rip >= HERE(program_rested)) {
        for (unsigned i = 0; i < 16; i++) {
            frame[i] = from[i];
        }
        frame[16] = slot->context.rflags;
        frame[17] = rip;
        put((va_t)frame);
    }
}

// Handlers first, then workers that have not begun.
PROGRAM_CODE static _Noreturn void go_on(uint64_t slot)
{
    for (unsigned spins = 0;; spins++) {
        va_t rsp = take(false);
        uint32_t fresh = rsp == 0 ? __atomic_load_n(&shared->fresh, __ATOMIC_ACQUIRE) : 0;
        if (fresh != 0 && __atomic_compare_exchange_n(&shared->fresh, &fresh, fresh & (fresh - 1), false,
                                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            program_begin((uint64_t)__builtin_ctz(fresh), slot);
        }
        rsp = rsp != 0 ? rsp : take(true);
        if (rsp != 0) {
            program_resume(rsp, slot);
        }
        if (spins == SPINS) {
            program_rest(1u << slot, &shared->left);
        }
        __builtin_ia32_pause();
    }
}

// ---- what it is told to do ------------------------------------------------------------------------------------

// Words of the program's, and every other word that it can write, with nonsense.
PROGRAM_CODE static void scribble(uint64_t *r)
{
    volatile uint32_t *words = (volatile uint32_t *)user;
    volatile uint32_t *blocks = (volatile uint32_t *)(AREA + 3 * ABI_PAGE);
    volatile uint64_t *slots = (volatile uint64_t *)(AREA + 4 * ABI_PAGE);
    uint64_t value = random(r), small = value % 5;

    words[random(r) % 4] = (uint32_t)(random(r) % 2 ? small : value);
    words[4 + random(r) % SLOTS_MOST] = (uint32_t)(random(r) % 4 ? value % SLOTS : value);
    blocks[random(r) % (ACTIVATIONS * 16)] = (uint32_t)(random(r) % 2 ? small : value);
    slots[random(r) % (SLOTS * 256)] = random(r) % 2 ? value << 20 : STACKS + value % (2 * ABI_PAGE);
    slots[random(r) % SLOTS * 256 + 5] = random(r) % 4 ? STACKS + ABI_PAGE : value << 20;      // upcall_slot.stack
}

PROGRAM_CODE static void obey(uint32_t command, uint64_t worker, uint64_t *r)
{
    struct shared *s = shared;

    if (!__atomic_compare_exchange_n(&s->command, &command, COMMAND_NONE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        return;
    }
    switch (command) {
    case COMMAND_RELEASE: program_rest(1u << worker, &shared->fresh); break;
    case COMMAND_ASK:     (void)call(SYS_processors, 0); break;
    case COMMAND_BLOCK:   (void)call(OWN_CALL, random(r) % 4); break;
    case COMMAND_FAULT:   *(volatile int *)NOWHERE = 1; break;
    default:              break;
    }
}

PROGRAM_CODE static void misbehave(uint64_t *r)
{
    struct shared *s = shared;

    if (s->behaviour == SCRIBBLES) {
        scribble(r);
        if (random(r) % 16 == 0) {
            (void)call(random(r) % 2 ? SYS_processors : SYS_upcall, random(r) % 8 << 40 | random(r));
        }
        if (random(r) % 64 == 0) {
            s->command = (uint32_t)(1 + random(r) % 4);
        }
    } else if (s->behaviour == FAULTS && random(r) % 256 == 0) {
        s->command = COMMAND_FAULT;
    }
}

// Nobody else counts on its line.
PROGRAM_CODE void program_worker(uint64_t worker)
{
    struct shared *s = shared;
    uint64_t r = s->random + worker * 77, line = s->line[worker % ACTIVATIONS];

    for (;;) {
        for (unsigned i = 0; i < 64; i++) {
            if (__atomic_load_n(&s->line[worker], __ATOMIC_RELAXED) != line && s->behaviour != SCRIBBLES) {
                (void)__atomic_fetch_add(&s->wrong, 1, __ATOMIC_RELAXED);
            }
            line = line_step(line);
            __atomic_store_n(&s->line[worker], line, __ATOMIC_RELAXED);
            __builtin_ia32_pause();
        }
        s->random = r += line;
        if (s->warned != 0) {
            s->seen = __builtin_ia32_rdtsc();
        }
        uint32_t helps = *(volatile const uint32_t *)&page->helps;
        s->helps = helps > s->helps ? helps : s->helps;
        if (s->behaviour != WELL_BEHAVED) {
            misbehave(&r);
        }
        uint32_t command = __atomic_load_n(&s->command, __ATOMIC_RELAXED);
        if (command != COMMAND_NONE) {
            obey(command, worker, &r);
        }
    }
}

// How long it had the processor after a warning.
PROGRAM_CODE static void count_grace(uint32_t kinds)
{
    struct shared *s = shared;

    if (kinds & UPCALL_QUANTUM) {
        s->seen = s->warned = __builtin_ia32_rdtsc();
    } else if (kinds & UPCALL_TAKEN && s->warned != 0) {
        uint64_t took = s->seen - s->warned;
        s->shortest = s->graces == 0 || took < s->shortest ? took : s->shortest;
        s->longest = took > s->longest ? took : s->longest;
        s->graces++;
        s->warned = 0;
    }
}

PROGRAM_CODE void program_upcall(uint64_t first, uint64_t count, const struct activation_kernel *k)
{
    uint64_t next = first;

    if (shared->behaviour == SCRIBBLES || shared->behaviour == FORGETS_SLOTS) {
        if (shared->behaviour == SCRIBBLES) {
            user->slots_given = *(volatile const uint32_t *)&page->slots_taken + SLOTS;
        }
        program_worker(k->index % ACTIVATIONS);
    }
    for (uint32_t left = __atomic_exchange_n(&shared->left, 0, __ATOMIC_ACQ_REL); left != 0; left &= left - 1) {
        program_give((uint64_t)__builtin_ctz(left));
    }
    for (uint64_t i = 0; i < count; i++) {
        const struct upcall_slot *slot = (const struct upcall_slot *)(AREA + 4 * ABI_PAGE) + next;
        uint64_t this = next;
        next = slot->next;
        for (unsigned kind = 0; kind < UPCALL_KINDS; kind++) {
            (void)__atomic_fetch_add(&shared->heard[kind], slot->kinds >> kind & 1, __ATOMIC_RELAXED);
        }
        count_grace(slot->kinds);
        if (slot->kinds & UPCALL_CONTEXT) {
            keep(slot);
        }
        if (this != first) {
            program_give(this);
        }
    }
    go_on(first);
}
