// alarm.c - priorities of kernel threads, and the alarm that interrupts one that is a processor.
#include <abi/activation.h>

#include "test.h"

enum { BLOCKS = 4, SLOTS = 2, ROOM = 512 };
#define NOBODY 0x7fff0000ull
#define KNOWN 0x1234567890abcdefull

void test_priorities(void)
{
    uint32_t own = native_told()->priority, highest = native_told()->highest;
    unsigned wrong = 0;

    wrong += native_thread_priority(NOBODY, 0) != ERR_STALE;
    wrong += native_thread_priority(0, highest + 1) != ERR_INVAL || native_thread_priority(0, UINT32_MAX) != ERR_INVAL;
    wrong += native_thread_begin(0x40000000, NOBODY, 0, 0, highest + 1) != ERR_INVAL;
    wrong += native_thread_priority(0, highest) != ERR_OK || native_thread_priority(0, own) != ERR_OK;
    check(wrong == 0 && own <= highest, "priorities up to a limit", wrong);
    check(native_number("limit", 0) == highest, "which its line says", highest);
}

// ---- the alarm --------------------------------------------------------------------------------------------

// Computes until the moment, with a known value in R15, and gives 0; or 1 as soon as an upcall has come, which notes
// what it was given, and throws the stopped context away.  Only here GS base is a block, so only here it can come.
uint64_t alarm_compute(uint64_t until, uint64_t known, const void *block);
void alarm_upcall(void);
struct given { va_t rsp; uint64_t rdi, rsi, rdx, fs; } alarm_given;
va_t alarm_sp;
__asm__(".text\n\t"
        ".globl alarm_compute, alarm_upcall\n"
        "alarm_compute:\n\t"
        "pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
        "movq %rsp, alarm_sp(%rip)\n\t"
        "movq %rsi, %r15\n\t"
        "wrgsbase %rdx\n"
        "1: rdtsc\n\tshlq $32, %rdx\n\torq %rdx, %rax\n\tcmpq %rdi, %rax\n\tjb 1b\n\t"
        "xorl %eax, %eax\n"
        "2: xorl %edx, %edx\n\twrgsbase %rdx\n\t"
        "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx\n\t"
        "ret\n"
        "alarm_upcall:\n\t"
        "movq %rsp, alarm_given(%rip)\n\tmovq %rdi, alarm_given + 8(%rip)\n\tmovq %rsi, alarm_given + 16(%rip)\n\t"
        "movq %rdx, alarm_given + 24(%rip)\n\trdfsbase %rax\n\tmovq %rax, alarm_given + 32(%rip)\n\t"
        "movq alarm_sp(%rip), %rsp\n\tmovl $1, %eax\n\tjmp 2b");

static va_t area;

static uint64_t compute(uint64_t most, const void *block)
{
    return alarm_compute(now() + milliseconds(most), KNOWN, block);
}
static void give(uint32_t slot)
{
    struct space_user_page *user = (struct space_user_page *)(area + ABI_PAGE);

    user->slot[user->slots_given % SLOTS_MOST] = slot;
    __atomic_fetch_add(&user->slots_given, 1, __ATOMIC_RELEASE);
}

static unsigned refused(void)
{
    const va_t entry = (va_t)alarm_upcall;

    return (native_upcalls(area + 8, BLOCKS, SLOTS, entry) != ERR_INVAL) +
           (native_upcalls(0x40000000, BLOCKS, SLOTS, entry) != ERR_INVAL) +
           (native_upcalls(area, 0, SLOTS, entry) != ERR_INVAL) +
           (native_upcalls(area, ACTIVATIONS_MOST + 1, SLOTS, entry) != ERR_INVAL) +
           (native_upcalls(area, BLOCKS, 0, entry) != ERR_INVAL) +
           (native_upcalls(area, BLOCKS, SLOTS_MOST + 1, entry) != ERR_INVAL) +
           (native_upcalls(area, BLOCKS, SLOTS, ABI_USER_END) != ERR_INVAL);
}

static void check_told(const struct activation_kernel *block, const void *stack)
{
    const struct space_kernel_page *kernel = (const struct space_kernel_page *)area;
    const struct upcall_slot *s = (const struct upcall_slot *)(area + area_slots(BLOCKS)) + 1;
    const struct given *g = &alarm_given;

    check(g->rsp == (va_t)stack - 8 && g->rdi == 1 && g->rsi == 1 && g->rdx == (va_t)block && g->fs == 0,
          "the registers are those of an upcall", g->rdi);
    check(s->kinds == UPCALL_ALARM && s->next == SLOT_NONE && s->thread == 77 && s->activation == 1 &&
          kernel->slots_taken == 2, "the slot says what it is", s->kinds);
    check(s->context.r15 == KNOWN && s->context.rsp == alarm_sp, "and has the context", s->context.rip);
}

void test_alarm(void)
{
    static uint64_t stack[ROOM] __attribute__((aligned(16)));

    (void)native_map(area_size(BLOCKS, SLOTS), MAP_READ | MAP_WRITE, 0, &area);
    const struct activation_kernel *block = (const struct activation_kernel *)(area + area_kernel_blocks()) + 1;
    unsigned wrong = refused();
    check(wrong == 0, "areas that cannot be", wrong);
    wrong = (native_upcalls(area, BLOCKS, SLOTS, (va_t)alarm_upcall) != ERR_OK) +
            (native_upcalls(area, BLOCKS, SLOTS + 1, (va_t)alarm_upcall) != ERR_INVAL);
    check(wrong == 0, "a processor of its own", wrong);
    (void)native_alarm(now());
    check(compute(20, NULL) == 0, "it is not interrupted before it has a block", 0);
    check(compute(20, block) == 0, "nor without a slot", 0);
    give(SLOTS);
    check(compute(20, block) == 0, "nor with one that is none", 0);
    ((struct upcall_slot *)(area + area_slots(BLOCKS)))[1].stack = (va_t)&stack[ROOM];
    ((struct activation_user *)(area + area_user_blocks(BLOCKS)))[1].thread = 77;
    give(1);
    if (check(compute(60000, block) == 1, "the alarm that was still due", 0)) {
        check_told(block, &stack[ROOM]);
    }
    give(1);
    check(compute(20, block) == 0, "it comes once", 0);
    uint64_t begin = now();
    (void)native_alarm(begin + milliseconds(10));
    bool came = compute(60000, block) == 1;
    check(came && now() >= begin + milliseconds(10), "and again, when it was asked for", now() - begin);
    (void)native_unmap(area, area_size(BLOCKS, SLOTS));
    (void)native_alarm(0);
    check(compute(20, block) == 0, "an area that is gone", 0);
}
