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

    .set offset, 0
#define WORD(name) .set FRAME_##name, offset; .set offset, offset + 8;
FRAME_WORDS(WORD)

    .macro save frame, registers:vararg         // to the frame that a register names
    .irp r, \registers
    movq %\r, FRAME_\r(%\frame)
    .endr
    .endm
    .macro load frame, registers:vararg
    .irp r, \registers
    movq FRAME_\r(%\frame), %\r
    .endr
    .endm
    .macro zero registers:vararg
    .irp r, \registers
    xorl %\r, %\r
    .endr
    .endm
    .macro each operation, registers:vararg
    .irp r, \registers
    \operation %\r
    .endr
    .endm

// ---- SYSCALL ----------------------------------------------------------------------------------------------

// RCX = RIP, R11 = RFLAGS; the rest is the program's, RSP too.  The flags in SFMASK are clear.
    .globl entry_syscall
    .balign 64
entry_syscall:
    swapgs
    movq %rsp, %gs:CPU_SCRATCH
    movq %gs:CPU_FRAME, %rsp
    save rsp, rax, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15
    movq %gs:CPU_SCRATCH, %rax
    movq %rcx, FRAME_rip(%rsp)
    movq %rcx, FRAME_rcx(%rsp)
    movq %r11, FRAME_rflags(%rsp)
    movq %r11, FRAME_r11(%rsp)
    movq %rax, FRAME_rsp(%rsp)
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
    movq FRAME_rip(%rax), %rcx
    cmpq %rdx, %rcx
    jae bad_frame
    movq FRAME_rsp(%rax), %rsp                  // only IST stacks are used from here on
    cmpq %rdx, %rsp
    jae bad_frame
    movl FRAME_rflags(%rax), %r11d
    andl $RFLAGS_USER, %r11d
    orl $RFLAGS_ALWAYS, %r11d
    cmpl $0, %gs:CPU_ENTER_FRESH
    jne exit_fresh
    cmpb $KIND_TRAP, FRAME_kind(%rax)           // the bits above are the owner's
    jne exit_iret
    load rax, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15, rax
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
    load rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rax
    swapgs
    iretq

// A handler's first instruction: what is not an argument is 0.
exit_fresh:
    movl $0, %gs:CPU_ENTER_FRESH
    load rax, rdi, rsi, rdx
    zero eax, ebx, ebp, r8d, r9d, r10d, r12d, r13d, r14d, r15d
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
1:  hlt
    jmp 1b
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
    save rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    popq %rcx
    popq %rsi                                   // vector
    popq %rdx                                   // error
    movq %rcx, FRAME_rax(%rax)
    movq 0(%rsp), %rcx
    movq %rcx, FRAME_rip(%rax)
    movq 16(%rsp), %rcx
    movq %rcx, FRAME_rflags(%rax)
    movq 24(%rsp), %rcx
    movq %rcx, FRAME_rsp(%rax)
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
    each pushq, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    cld
    movq %rsp, %rdi
    movq %rsp, %rbx
    andq $-16, %rsp
    call machine_fault
    movq %rbx, %rsp
    each popq, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
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
