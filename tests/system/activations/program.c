// program.c - what runs in the spaces: each upcall begins a loop that counts, and never ends but for the next upcall.
//
// It is compiled into one section without data, so that it can be copied.  It never goes on with a context: the
// checksum of each activation is in memory, and a step of it is one store.
#include "party.h"

#define PROGRAM_CODE __attribute__((section("program"), noinline))

static struct shared *const shared = (struct shared *)DATA;

// Each activation has a stack, as none of its contexts is used again; so slots need none.
__asm__(".pushsection program, \"ax\", @progbits\n"
        ".globl program_entry\n"
        "program_entry:\n"
        "    movl (%rdx), %eax\n"
        "    incl %eax\n"
        "    shll $12, %eax\n"
        "    leaq 0x30000000 - 8(%rax), %rsp\n"
        "    jmp program_upcall\n"
        ".popsection\n");

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

// All slots are given again: what they say is read by now.
PROGRAM_CODE static void give_slots(void)
{
    const struct space_kernel_page *k = (const struct space_kernel_page *)AREA;
    struct space_user_page *u = (struct space_user_page *)(AREA + ABI_PAGE);

    u->slots_given = *(volatile const uint32_t *)&k->slots_taken + SLOTS;
}

// Words of the program's, and every other word that it can write, with nonsense.
PROGRAM_CODE static void scribble(uint64_t *r)
{
    volatile uint32_t *user = (volatile uint32_t *)(AREA + ABI_PAGE);
    volatile uint32_t *blocks = (volatile uint32_t *)(AREA + 3 * ABI_PAGE);
    volatile uint64_t *slots = (volatile uint64_t *)(AREA + 4 * ABI_PAGE);
    uint64_t value = random(r), small = value % 5;

    user[random(r) % 4] = (uint32_t)(random(r) % 2 ? small : value);
    user[4 + random(r) % SLOTS_MOST] = (uint32_t)(random(r) % 4 ? value % SLOTS : value);
    blocks[random(r) % (ACTIVATIONS * 16)] = (uint32_t)(random(r) % 2 ? small : value);
    slots[random(r) % (SLOTS * 256)] = random(r) % 2 ? value << 20 : STACKS + value % (2 * ABI_PAGE);
    slots[random(r) % SLOTS * 256 + 5] = random(r) % 4 ? STACKS + ABI_PAGE : value << 20;      // upcall_slot.stack
}

PROGRAM_CODE static void obey(uint32_t command, uint64_t *r)
{
    struct shared *s = shared;

    if (!__atomic_compare_exchange_n(&s->command, &command, COMMAND_NONE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        return;
    }
    switch (command) {
    case COMMAND_RELEASE: (void)call(SYS_processor_release, 0); break;
    case COMMAND_ASK:     (void)call(SYS_processors, 0); break;
    case COMMAND_BLOCK:   (void)call(OWN_CALL, random(r) % 4); break;
    case COMMAND_FAULT:   *(volatile int *)0x123000 = 1; break;
    default:              break;
    }
}

PROGRAM_CODE static void misbehave(uint64_t *r)
{
    struct shared *s = shared;

    if (s->behaviour == SCRIBBLES) {
        scribble(r);
        if (random(r) % 64 == 0) {
            s->command = (uint32_t)(1 + random(r) % 4);
        }
    } else if (s->behaviour == FAULTS && random(r) % 256 == 0) {
        s->command = COMMAND_FAULT;
    }
}

PROGRAM_CODE void program_upcall(uint64_t first, uint64_t count, const struct activation_kernel *k)
{
    struct shared *s = shared;
    uint32_t index = k->index % ACTIVATIONS;
    uint64_t r = s->random + index * 77 + k->processor;

    (void)first;
    (void)count;
    if (s->behaviour != FORGETS_SLOTS) {
        give_slots();
    }
    for (;;) {
        for (unsigned i = 0; i < 64; i++) {
            __atomic_store_n(&s->line[index], line_step(s->line[index]), __ATOMIC_RELAXED);
            __builtin_ia32_pause();
        }
        s->random = r += s->line[index];
        uint32_t helps = ((volatile const struct space_kernel_page *)AREA)->helps;
        s->helps = helps > s->helps ? helps : s->helps;
        if (s->behaviour != WELL_BEHAVED) {
            misbehave(&r);
        }
        uint32_t command = __atomic_load_n(&s->command, __ATOMIC_RELAXED);
        if (command != COMMAND_NONE) {
            obey(command, &r);
        }
    }
}
