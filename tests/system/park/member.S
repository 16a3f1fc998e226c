// member.S - the program of a parked thread.
//
// Its registers are its own and never change, but for R15, which counts its answers.  A message is answered with a sum
// over the message and all registers, so that one wrong bit in any of them shows; then it waits for the next.
//     RDX  address of the message, where the thread receives it     R13  from there to where it is written

    .text
    .globl member_begin
member_begin:
    movq %rbx, %xmm3
    vinsertf128 $1, %xmm3, %ymm3, %ymm3
answer:
    leaq (%rdx,%r13), %rax
    movq (%rax), %rcx
    .irp r, rbx, rbp, rsi, rsp, r8, r9, r10, r12, r13, r14, r15
    imulq $0x01000193, %rcx
    addq %\r, %rcx
    .endr
    imulq $0x01000193, %rcx
    rdfsbase %rdi
    addq %rdi, %rcx
    imulq $0x01000193, %rcx
    movq %xmm3, %rdi
    addq %rdi, %rcx
    imulq $0x01000193, %rcx
    vextractf128 $1, %ymm3, %xmm4
    movq %xmm4, %rdi
    addq %rdi, %rcx
    btrq $63, %rcx                      // a message has this bit, an answer has not
    incq %r15
    movq %rcx, (%rax)
1:  movl $18, %eax                      // wait
    xorl %edi, %edi
    syscall
    testq %rdx, %rdx
    jz 1b
    jmp answer

    .section .note.GNU-stack, "", @progbits
