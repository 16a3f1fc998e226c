// entry.S - every way into the supervisor, and the one way out.
//
// From user mode (SYSCALL, exceptions, interrupts): the registers go straight to *cpu->frame, the stack is
// the processor's own from its top, a kernel_... function runs, and exit_to_user loads whatever cpu->frame
// names by then. The frame is memory that a hostile owner writes at any time: each word is read once, RIP,
// RSP and RFLAGS are checked in registers.
//
// From the supervisor itself: only the idle halt is ever interrupted; its registers mean nothing and are
// dropped. NMI, #MC, #DF and #DB can also come between any two instructions of this file, when neither the
// stack nor GS base is what it seems.  They have stacks of their own (IST), with a pointer to the
// processor's tables at the top. #DB decides by the interrupted RIP: programs live below USER_END, the
// supervisor above.
//
// RDI RSI RDX RCX carry the arguments of C.  RBP is 0 at each call, where backtraces end.
#include "layout.h"

    .section .note.GNU-stack, "", @progbits
    .section .entry.text, "ax"

// ---- SYSCALL ----------------------------------------------------------------------------------------------

// RCX = RIP, R11 = RFLAGS; the rest is the program's, RSP too.  The flags in SFMASK are clear.
    .globl entry_syscall
    .balign 64
entry_syscall:
    swapgs
    movq %rsp, %gs:CPU_SCRATCH
    movq %gs:CPU_FRAME, %rsp
    movq %rax, FRAME_RAX(%rsp)
    movq %rbx, FRAME_RBX(%rsp)
    movq %rdx, FRAME_RDX(%rsp)
    movq %rsi, FRAME_RSI(%rsp)
    movq %rdi, FRAME_RDI(%rsp)
    movq %rbp, FRAME_RBP(%rsp)
    movq %r8,  FRAME_R8(%rsp)
    movq %r9,  FRAME_R9(%rsp)
    movq %r10, FRAME_R10(%rsp)
    movq %r12, FRAME_R12(%rsp)
    movq %r13, FRAME_R13(%rsp)
    movq %r14, FRAME_R14(%rsp)
    movq %r15, FRAME_R15(%rsp)
    movq %gs:CPU_SCRATCH, %rax
    movq %rcx, FRAME_RIP(%rsp)
    movq %rcx, FRAME_RCX(%rsp)
    movq %r11, FRAME_RFLAGS(%rsp)
    movq %r11, FRAME_R11(%rsp)
    movq %rax, FRAME_RSP(%rsp)
    movq %gs:CPU_STACK_TOP, %rsp
    movq %gs:CPU_SELF, %rdi
    xorl %ebp, %ebp
    call kernel_syscall

// ---- the way out ------------------------------------------------------------------------------------------

    .globl exit_to_user
exit_to_user:
    movq %gs:CPU_FRAME, %rax
    testq %rax, %rax
    jz idle
    movabsq $USER_END, %rdx
    movq FRAME_RIP(%rax), %rcx
    cmpq %rdx, %rcx
    jae bad_frame
    movq FRAME_RSP(%rax), %rsp                  // only IST stacks are used from here on
    cmpq %rdx, %rsp
    jae bad_frame
    movl FRAME_RFLAGS(%rax), %r11d
    andl $RFLAGS_USER, %r11d
    orl $RFLAGS_ALWAYS, %r11d
    cmpl $0, %gs:CPU_ENTER_FRESH
    jne exit_fresh
    cmpb $KIND_TRAP, FRAME_KIND(%rax)           // the bits above are the owner's
    jne exit_iret
    movq FRAME_RBX(%rax), %rbx
    movq FRAME_RDX(%rax), %rdx
    movq FRAME_RSI(%rax), %rsi
    movq FRAME_RDI(%rax), %rdi
    movq FRAME_RBP(%rax), %rbp
    movq FRAME_R8(%rax),  %r8
    movq FRAME_R9(%rax),  %r9
    movq FRAME_R10(%rax), %r10
    movq FRAME_R12(%rax), %r12
    movq FRAME_R13(%rax), %r13
    movq FRAME_R14(%rax), %r14
    movq FRAME_R15(%rax), %r15
    movq FRAME_RAX(%rax), %rax
    swapgs
    sysretq

// All registers, RCX and R11 too.
exit_iret:
    movq %rsp, %rdx
    movq %gs:CPU_STACK_TOP, %rsp
    pushq $SELECTOR_UDATA
    pushq %rdx
    pushq %r11
    pushq $SELECTOR_UCODE
    pushq %rcx
    movq FRAME_RBX(%rax), %rbx
    movq FRAME_RCX(%rax), %rcx
    movq FRAME_RDX(%rax), %rdx
    movq FRAME_RSI(%rax), %rsi
    movq FRAME_RDI(%rax), %rdi
    movq FRAME_RBP(%rax), %rbp
    movq FRAME_R8(%rax),  %r8
    movq FRAME_R9(%rax),  %r9
    movq FRAME_R10(%rax), %r10
    movq FRAME_R11(%rax), %r11
    movq FRAME_R12(%rax), %r12
    movq FRAME_R13(%rax), %r13
    movq FRAME_R14(%rax), %r14
    movq FRAME_R15(%rax), %r15
    movq FRAME_RAX(%rax), %rax
    swapgs
    iretq

// A handler's first instruction: what is not an argument is 0.
exit_fresh:
    movl $0, %gs:CPU_ENTER_FRESH
    movq FRAME_RDI(%rax), %rdi
    movq FRAME_RSI(%rax), %rsi
    movq FRAME_RDX(%rax), %rdx
    xorl %eax, %eax
    xorl %ebx, %ebx
    xorl %ebp, %ebp
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
    swapgs
    sysretq

bad_frame:
    movq %gs:CPU_STACK_TOP, %rsp
    movq %gs:CPU_SELF, %rdi
    movl $0, %gs:CPU_ENTER_FRESH
    xorl %ebp, %ebp
    call kernel_bad_frame
    jmp exit_to_user

// Halt until an interrupt; it is recognised by this range of RIP.  (An NMI ends the halt too: halt again.)
idle:
    movq %gs:CPU_STACK_TOP, %rsp
idle_begin:
    sti
    hlt
    jmp idle_begin
idle_end:

// ---- exceptions and interrupts ----------------------------------------------------------------------------

// Here with the processor's frame on the stack, and below it the error code (or 0) and the vector:
// 0 vector, 8 error, 16 RIP, 24 CS, 32 RFLAGS, 40 RSP, 48 SS.
entry_common:
    testb $3, 24(%rsp)
    jz entry_supervisor
entry_user:
    swapgs
    cld
    clac
    pushq %rax
    movq %gs:CPU_FRAME, %rax
    movq %rbx, FRAME_RBX(%rax)
    movq %rcx, FRAME_RCX(%rax)
    movq %rdx, FRAME_RDX(%rax)
    movq %rsi, FRAME_RSI(%rax)
    movq %rdi, FRAME_RDI(%rax)
    movq %rbp, FRAME_RBP(%rax)
    movq %r8,  FRAME_R8(%rax)
    movq %r9,  FRAME_R9(%rax)
    movq %r10, FRAME_R10(%rax)
    movq %r11, FRAME_R11(%rax)
    movq %r12, FRAME_R12(%rax)
    movq %r13, FRAME_R13(%rax)
    movq %r14, FRAME_R14(%rax)
    movq %r15, FRAME_R15(%rax)
    popq %rcx
    popq %rsi                                   // vector
    popq %rdx                                   // error
    movq %rcx, FRAME_RAX(%rax)
    movq 0(%rsp), %rcx
    movq %rcx, FRAME_RIP(%rax)
    movq 16(%rsp), %rcx
    movq %rcx, FRAME_RFLAGS(%rax)
    movq 24(%rsp), %rcx
    movq %rcx, FRAME_RSP(%rax)
    movq %gs:CPU_STACK_TOP, %rsp
    movq %gs:CPU_SELF, %rdi
    xorl %ebp, %ebp
    cmpl $VECTOR_EXCEPTIONS, %esi
    jae 1f
    movq %cr2, %rcx
    call kernel_exception                       // (cpu, vector, error, address)
    jmp exit_to_user
1:  call machine_interrupt                      // (cpu, vector)
    jmp exit_to_user

// From ring 0: an interrupt of the halt, or something is wrong.
entry_supervisor:
    cmpl $VECTOR_EXCEPTIONS, (%rsp)
    jb entry_fault
    cmpq $idle_begin, 16(%rsp)
    jb entry_fault
    cmpq $idle_end, 16(%rsp)
    jae entry_fault
    movl (%rsp), %esi
    movq %gs:CPU_STACK_TOP, %rsp
    movq %gs:CPU_SELF, %rdi
    xorl %ebp, %ebp
    call machine_interrupt
    jmp exit_to_user

// A fault of the supervisor: struct fault of fault.c.  If that returns, the fault was expected.
entry_fault:
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    movq %rsp, %rbx
    andq $-16, %rsp
    call machine_fault
    movq %rbx, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    iretq

// NMI: count it, touch nothing else.  The pointer to the tables is above the five words of the processor.
entry_nmi:
    pushq %rax
    movq 48(%rsp), %rax
    incq TABLES_NMIS(%rax)
    popq %rax
    iretq

// Single step and breakpoints.  In the supervisor there can only be the one that MOV SS puts off until after
// SYSCALL: the program that did it gets nothing.
entry_db:
    pushq $0
    pushq $VECTOR_DB
    testb $0x80, 23(%rsp)                       // the highest bit of RIP
    jz entry_user
    addq $16, %rsp
    iretq

// Machine checks.  From user mode nothing is half done: it is an event of the thread that runs, and leaves this
// stack at once.  In the supervisor, machine_fault reads what it is, notes it for later or panics, and all goes on.
entry_mc:
    pushq $0
    testb $3, 16(%rsp)
    jnz 1f
    pushq $VECTOR_MC
    jmp entry_fault
1:  pushq $VECTOR_MC_USER
    jmp entry_user

// ---- 256 ways in ------------------------------------------------------------------------------------------

// One stub for each vector, 16 bytes apart; the interrupt table is made from this (cpu_init.c).
    .globl entry_stubs
    .balign 16
entry_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if vector == VECTOR_NMI
    jmp entry_nmi
    .elseif vector == VECTOR_DB
    jmp entry_db
    .elseif vector == VECTOR_MC
    jmp entry_mc
    .elseif vector == VECTOR_DF
    pushq $vector
    jmp entry_fault
    .else
    .if vector >= VECTOR_EXCEPTIONS || !(EXCEPTIONS_WITH_ERROR >> (vector & 31) & 1)
    pushq $0
    .endif
    pushq $vector
    jmp entry_common
    .endif
    .set vector, vector + 1
    .endr

// ---- extended state ---------------------------------------------------------------------------------------

// bool state_restore(const void *area, uint64_t fs, uint32_t mxcsr, uint64_t gs): XRSTOR, then what it does not load,
// or not surely.  False if the processor refused the area (see machine_fault): then nothing has been loaded.
    .globl state_restore, state_restore_load, state_restore_refused
state_restore:
    pushq %rdx
    movl $7, %eax
    xorl %edx, %edx
state_restore_load:
    xrstor64 (%rdi)
    ldmxcsr (%rsp)
    wrfsbase %rsi
    swapgs
    wrgsbase %rcx
    swapgs
    popq %rdx
    movl $1, %eax
    ret
state_restore_refused:
    popq %rdx
    xorl %eax, %eax
    ret
