// resume.S - where flows begin, and where stopped ones go on.
// Their frames are the last ones for a debugger, which is told so (.cfi_undefined).
#include "offsets.h"
#include "registers.h"
    .text
    .cfi_sections .debug_frame

// An upcall: RSP is 8 below the handler's record, FS base is 0 until it has one (upcall.c knows).
    .globl threads_upcall
threads_upcall:
    .cfi_startproc
    .cfi_undefined rip
    leaq 8(%rsp), %rax
    wrfsbase %rax
    jmp threads_handler
    .cfi_endproc

// A round of the wait for a spin lock.  All registers are kept.  On kernel threads each SPINS-th one is a pause.
    .set SPINS, 64
    .globl threads_spin_round
threads_spin_round:
    pause
    cmpq $0, threads_pause(%rip)
    je 1f
    incl %fs:T_SPINS
    testl $SPINS - 1, %fs:T_SPINS
    jz 2f
1:  ret
2:  pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    call *threads_pause(%rip)
    movq %rbp, %rsp
    popq %rbp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    ret

// A new thread: its record is FS base, and everything is in there.
    .globl threads_start
threads_start:
    .cfi_startproc
    .cfi_undefined rip
    movq %fs:T_ARGUMENT, %rdi
    call *%fs:T_FN
    movq %rax, %rdi
    call thread_exit
    ud2
    .cfi_endproc

// threads_become(t): the caller is thread t from now on, and its stack is left.
    .globl threads_become
threads_become:
    wrfsbase %rdi
    leaq -16(%rdi), %rsp
    jmp threads_start

    .globl threads_become_idle
threads_become_idle:
    wrfsbase %rdi
    leaq -16(%rdi), %rsp
    .globl threads_idle_start
threads_idle_start:
    .cfi_startproc
    .cfi_undefined rip
    call scheduler_loop
    ud2
    .cfi_endproc

// The rest of a stopped flow, after its frame (struct stopped).  Not by IRET, which in some emulators reads the stack
// with the rights of the supervisor.  As long as RIP is between these two symbols nothing is
// lost: the flow is stopped as before.
    .globl threads_resume
threads_resume:
    .globl threads_resume_stopped
threads_resume_stopped:
    movq %fs:0, %rdi
    movl $7, %eax
    xorl %edx, %edx
    xrstor T_XSTATE(%rdi)
    movq T_BELOW(%rdi), %rcx
    movq T_RIP(%rdi), %rax
    movq %rax, (%rcx)
    POP_STOPPED
    ret $STOPPED_BELOW - 8

// One that was stopped in a critical function and recovered: it is at that function's return.
    .globl threads_resume_light
threads_resume_light:
    movq %fs:T_LIGHT, %rax
    movq %fs:T_LIGHT + 8, %rcx
    movq %fs:T_LIGHT + 16, %rdx
    movq %fs:T_LIGHT + 24, %rsi
    movq %fs:T_LIGHT + 32, %rdi
    movq %fs:T_LIGHT + 40, %r8
    movq %fs:T_LIGHT + 48, %r9
    movq %fs:T_LIGHT + 56, %r10
    movq %fs:T_LIGHT + 64, %r11
    movq %fs:T_LIGHT + 72, %rsp
    ret
    .globl threads_resume_end
threads_resume_end:

// Give the processor back.  From the store on the stack may be somebody else's, so there is none from here on.
    .globl threads_leave
threads_leave:
    movq threads_release_address(%rip), %rax
    movl $0, %fs:T_PHASE
    .globl threads_left
threads_left:
    jmp *%rax
    .globl threads_leave_end
threads_leave_end:

    .section .note.GNU-stack, "", @progbits
