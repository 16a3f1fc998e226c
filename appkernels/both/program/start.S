// start.S - the program in a space of its own: where it begins and ends, and how it calls its kernel.
//
// RDI 0: the program; else both_forge, whose arguments are in RDI and RSI.
#include "../both.h"

    .section .text.start, "ax", @progbits
    .globl  program_start
program_start:
    xorl    %ebp, %ebp
    testq   %rdi, %rdi
    jnz     1f
    call    both_program
    jmp     2f
1:  call    both_forge
2:  movl    $CALL_END, %edi
    movq    %rax, %rsi
    call    both_call
    ud2

    .globl  both_call
both_call:
    movq    %rdi, %rax
    movq    %rsi, %rdi
    movq    %rdx, %rsi
    syscall
    ret

    .section .note.GNU-stack, "", @progbits
