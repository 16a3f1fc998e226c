// script.S - what runs in the kernel that is ended: calls from a table, and handlers.
//
// An entry of 128 bytes: number, six arguments, a place for the value, the error, a second place for the value.  An
// argument with bit 63 set is the address of the argument.  R15 and RBX point to the first entry, R13 to the count of
// steps; at step R12 it stops, and waits for its end.

    .section .rodata
    .macro argument at, to
    movq \at(%rbx), %\to
    btrq $63, %\to
    jnc 2f
    movq (%\to), %\to
2:
    .endm

    .balign 16
    .globl script, script_handler, script_end
script:
    cmpq (%r13), %r12
    je 5f
    movq (%rbx), %rax
    testq %rax, %rax
    jnz 1f
    movq %r15, %rbx                     // from the beginning
    jmp script
1:  argument 8, rdi
    argument 16, rsi
    argument 24, rdx
    argument 32, r10
    argument 40, r8
    argument 48, r9
    syscall
    movq %rax, 64(%rbx)
    testq %rax, %rax
    jnz 4f                              // an id of 0 would name the caller
    movq 56(%rbx), %rcx
    testq %rcx, %rcx
    jz 3f
    movq %rdx, (%rcx)
3:  movq 72(%rbx), %rcx
    testq %rcx, %rcx
    jz 4f
    movq %rdx, (%rcx)
4:  incq (%r13)
    addq $128, %rbx
    jmp script
5:  pause
    jmp 5b

script_handler:                         // of traps, faults and exceptions: a trap goes on, all else ends the thread
    movl 208(%rdi), %eax                // the kind of the frame that was interrupted
    cmpl $1, %eax
    jne 1f
    movq (%rsi), %rdi                   // the cookie: where the id of the program's space is
    movl $16, %eax
    syscall
1:  movl $9, %eax
    xorl %edi, %edi
    movl $5, %esi
    xorl %r9d, %r9d
    syscall
    jmp 1b
script_end:

    .section .note.GNU-stack, "", @progbits
