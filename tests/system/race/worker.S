// worker.S - a program that checks its registers and its memory in every round.
//
// RBX, seven more registers and XMM3 hold the same number, R15 counts rounds, as does the first word of three pages:
// at RDI, behind it, and at R13.  Call 77 every 64 rounds; call 78 if anything is not as it was.

    .section .rodata
    .balign 16
    .globl program_worker, program_worker_end
program_worker:
    movq %rbx, %xmm3
1:  .irp r, rbp, rsi, r8, r9, r10, r12, r14
    cmpq %rbx, %\r
    jne 2f
    .endr
    movq %xmm3, %rax
    cmpq %rbx, %rax
    jne 2f
    cmpq %r15, (%rdi)
    jne 2f
    cmpq %r15, 4096(%rdi)
    jne 2f
    cmpq %r15, (%r13)
    jne 2f
    incq %r15
    movq %r15, (%rdi)
    movq %r15, 4096(%rdi)
    movq %r15, (%r13)
    testb $63, %r15b
    jnz 1b
    movl $77, %eax
    syscall
    jmp 1b
2:  movl $78, %eax
    syscall
    ud2
program_worker_end:

    .section .note.GNU-stack, "", @progbits
