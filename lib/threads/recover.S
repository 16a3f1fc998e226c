// recover.S - there and back: run a flow that was stopped in a critical function to the end of that.
//
// The handler is found again by activation_user.thread, which is that handler while it recovers: FS base is not its own
// then, and may become another thread's if the function switches.  The supervisor copies the word to the slot if the
// recovery is stopped itself.  Two short sequences read %gs:8, the block of the activation, and use it: stopped between
// their marks they begin again, since they may go on in another activation.
#include "offsets.h"
#include "registers.h"
    .text

// threads_recover(self, context, fs): the frame of the handler is that of a flow that waits.
    .globl threads_recover
threads_recover:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq F_RSP(%rsi), %rcx               // critical code has no red zone
    subq $8, %rcx
    movq F_RIP(%rsi), %rax
    movq %rax, (%rcx)                    // for the last `ret`
    pushq %rcx
    pushq F_RFLAGS(%rsi)
    pushq 0(%rsi)                        // rax rbx rcx rdx rsi rdi rbp, r8 ... r15, as in struct frame
    pushq 8(%rsi)
    pushq 16(%rsi)
    pushq 24(%rsi)
    pushq 32(%rsi)
    pushq 40(%rsi)
    pushq 48(%rsi)
    pushq 64(%rsi)
    pushq 72(%rsi)
    pushq 80(%rsi)
    pushq 88(%rsi)
    pushq 96(%rsi)
    pushq 104(%rsi)
    pushq 112(%rsi)
    pushq 120(%rsi)
    ldmxcsr T_RECOVER(%rdi)
    fldcw T_RECOVER + 4(%rdi)
    .globl threads_recover_mark
threads_recover_mark:
    leaq 144(%rsp), %rax                 // only here: stopped before, it would be another frame
    movq %rax, T_SAVED(%rdi)
    movq 136(%rsp), %rax
    movq %rax, T_CONTROL(%rdi)
    movq %gs:8, %rax
    movq %rdi, (%rax)
    wrfsbase %rdx
    .globl threads_recover_marked
threads_recover_marked:
    POP_STOPPED
    ret
    .globl threads_recover_end
threads_recover_end:

// The returns of the recovery copy, and its waits: the flow goes on at the address on the stack, later.
    .globl threads_recovery_end
threads_recovery_end:
    movq %rax, %fs:T_END
    movq %rcx, %fs:T_END + 8
    movq %rdx, %fs:T_END + 16
    movq %rsi, %fs:T_END + 24
    movq %rdi, %fs:T_END + 32
    movq %r8, %fs:T_END + 40
    movq %r9, %fs:T_END + 48
    movq %r10, %fs:T_END + 56
    movq %r11, %fs:T_END + 64
    movq %rsp, %fs:T_END + 72
    movq %rbx, %fs:T_END + 80
    movq %rbp, %fs:T_END + 88
    movq %r12, %fs:T_END + 96
    movq %r13, %fs:T_END + 104
    movq %r14, %fs:T_END + 112
    movq %r15, %fs:T_END + 120
    stmxcsr %fs:T_END + 128
    fnstcw %fs:T_END + 132
    .globl threads_recovery_mark
threads_recovery_mark:
    movq %gs:8, %rax
    movq (%rax), %rdi
    movq %fs:0, %rcx
    movq T_SAVED(%rdi), %rsp             // before FS base, from which on it may be another frame
    wrfsbase %rdi
    .globl threads_recovery_marked
threads_recovery_marked:
    movq %rcx, T_RECOVERED(%rdi)
    ldmxcsr T_CONTROL(%rdi)
    fldcw T_CONTROL + 4(%rdi)
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .globl threads_recovery_finish
threads_recovery_finish:

    .section .note.GNU-stack, "", @progbits
