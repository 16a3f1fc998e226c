// fake_switch.c - see fake_switch.h.
#include "fake_switch.h"

_Static_assert(offsetof(struct frame, rbx) == 8 && offsetof(struct frame, rdx) == 24, "frame");
_Static_assert(offsetof(struct frame, rsi) == 32 && offsetof(struct frame, rdi) == 40, "frame");
_Static_assert(offsetof(struct frame, rbp) == 48 && offsetof(struct frame, rsp) == 56, "frame");
_Static_assert(offsetof(struct frame, r12) == 96 && offsetof(struct frame, rip) == 128, "frame");

__asm__(".text\n"
        ".globl fake_switch\n"
        ".type fake_switch, @function\n"
        "fake_switch:\n"
        "    movq %rbx, 8(%rdi)\n"
        "    movq %rbp, 48(%rdi)\n"
        "    movq %rsp, 56(%rdi)\n"
        "    movq %r12, 96(%rdi)\n"
        "    movq %r13, 104(%rdi)\n"
        "    movq %r14, 112(%rdi)\n"
        "    movq %r15, 120(%rdi)\n"
        "    leaq 1f(%rip), %rax\n"
        "    movq %rax, 128(%rdi)\n"
        "    movq 8(%rsi), %rbx\n"
        "    movq 48(%rsi), %rbp\n"
        "    movq 56(%rsi), %rsp\n"
        "    movq 96(%rsi), %r12\n"
        "    movq 104(%rsi), %r13\n"
        "    movq 112(%rsi), %r14\n"
        "    movq 120(%rsi), %r15\n"
        "    movq 24(%rsi), %rdx\n"
        "    movq 40(%rsi), %rdi\n"
        "    movq 128(%rsi), %rax\n"
        "    movq 32(%rsi), %rsi\n"
        "    jmp *%rax\n"
        "1:  ret\n"
        ".size fake_switch, . - fake_switch\n"
        ".bss\n"
        ".balign 64\n"
        ".globl ak_stack_bottom\n"
        "ak_stack_bottom:\n"
        "    .skip 262144\n"
        ".globl ak_xstack_top\n"
        "ak_xstack_top:\n"
        "    .skip 64\n"
        ".text\n");
