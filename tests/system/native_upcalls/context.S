// context.S - going on with a context, giving a processor back, and an access that may be refused.  See upcalls.c.
    .text

// RDI: a frame of upcalls.c, below what its stack holds.  RSI: the slot to give when this stack is left.
    .globl context_resume, context_loading, context_loaded
context_resume:
    movq %rdi, %rsp
    movq %rsi, %rdi
    call slot_give
context_loading:                         // stopped from here on, it begins here again
    movq (%rsp), %rax
    movq 8(%rsp), %rbx
    movq 16(%rsp), %rcx
    movq 24(%rsp), %rdx
    movq 32(%rsp), %rsi
    movq 40(%rsp), %rdi
    movq 48(%rsp), %rbp
    movq 64(%rsp), %r8
    movq 72(%rsp), %r9
    movq 80(%rsp), %r10
    movq 88(%rsp), %r11
    movq 96(%rsp), %r12
    movq 104(%rsp), %r13
    movq 112(%rsp), %r14
    movq 120(%rsp), %r15
    leaq 128(%rsp), %rsp
context_loaded:
    popfq
    ret $128

// EDI: the bit of the slot that has this stack.  RSI: the word of slots that are left.
    .globl context_rest, context_resting, context_rested
context_rest:
    lock orl %edi, (%rsi)
context_resting:                         // stopped from here on, it is forgotten: somebody else may have its stack
    movl $27, %eax                       // SYS_processor_release
    syscall
    jmp context_resting
context_rested:

// RDI: where to write.  EAX: not 0, if that went well.
    .globl context_touch, context_refused
context_touch:
    movl $1, (%rdi)
    movl $1, %eax
    ret
context_refused:                         // where a refused one goes on
    xorl %eax, %eax
    ret

    .section .note.GNU-stack, "", @progbits
