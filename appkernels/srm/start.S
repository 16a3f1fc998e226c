// start.S - entry, stacks and handlers of the first kernel.
//
// It runs one thread.  A trap, fault or exception of its own is a mistake in it, and the end of the machine.

    .section .note.quoin, "a", @note
    .balign 4
    .long 6, 32, 1                      // name and data sizes, NOTE_APPKERNEL
    .asciz "Quoin"
    .balign 4
    .quad srm_trap, srm_fault, srm_exception, srm_xstack_top

    .text
    .globl _start
_start:
    xorl %ebp, %ebp
    leaq srm_stack_top(%rip), %rsp
    call srm_main
    ud2

    .bss
    .balign 64
    .skip 64 * 1024
srm_stack_top:
    .skip 16 * 1024
srm_xstack_top:

    .section .note.GNU-stack, "", @progbits
