// programs.S - the programs that are measured from inside: each stores its samples at 0x800000 and ends.
//
// They are copied to a frame that is mapped at 0x400000.  R15 is how often.  The word at 0x801ff8 is the id of the
// other thread.  A sample is the number of ticks from one RDTSC to the next; `empty` tells what that costs alone.
// In the spaces that forward, RAX 0 does nothing and 1 ends.

#define SYSCALL(number, name, who, arguments, text) .set SYS_##name, number
#include <abi/syscalls.def>

#include "marks.h"

    .macro clock_read                    // to RAX
    rdtsc
    shlq    $32, %rdx
    orq     %rdx, %rax
    .endm

    .macro clock_start
    nopl    MARK_ON(%rax)
    clock_read
    movq    %rax, %r13
    .endm

    .macro clock_stop
    clock_read
    subq    %r13, %rax
    movq    %rax, (%rbx)
    addq    $8, %rbx
    nopl    MARK_OFF(%rax)
    .endm

    .macro program name
    .balign 64
    .globl  program_\name
program_\name:
    movl    $0x800000, %ebx
    movl    $0x10000000, %ebp
    movq    0x801ff8, %r14
    .endm

    .macro finish
    decq    %r15
    jnz     1b
    movl    $1, %eax
    syscall
    ud2
    .endm

    .section .rodata
    .globl  programs_begin, programs_end
    .balign 4096
programs_begin:

program empty
1:  clock_start
    clock_stop
    finish

// A call that its kernel answers at once.
program trap
1:  clock_start
    xorl    %eax, %eax
    syscall
    clock_stop
    finish

// The first touch of a page, to which its kernel maps a frame.
program fault
1:  clock_start
    movb    $1, (%rbp)
    clock_stop
    addq    $4096, %rbp
    finish

// Let the other one run, until it does the same.
program yield
1:  clock_start
    movl    $SYS_yield, %eax
    syscall
    clock_stop
    decq    %r15
    jnz     1b
    jmp     end_native

program yield_partner
1:  movl    $SYS_yield, %eax
    syscall
    jmp     1b

// Signal the other one and wait for its answer.
program signal
1:  clock_start
    movq    %r14, %rdi
    movl    $SYS_signal, %eax
    syscall
    xorl    %edi, %edi
    movl    $SYS_wait, %eax
    syscall
    clock_stop
    decq    %r15
    jnz     1b
    jmp     end_native

program signal_partner
1:  xorl    %edi, %edi
    movl    $SYS_wait, %eax
    syscall
    movq    %r14, %rdi
    movl    $SYS_signal, %eax
    syscall
    jmp     1b

// Signal the address of a message and wait for the answer's.
program message
1:  clock_start
    movl    $0x900040, %edi
    movl    $SYS_signal_at, %eax
    syscall
    xorl    %edi, %edi
    movl    $SYS_wait, %eax
    syscall
    clock_stop
    decq    %r15
    jnz     1b
    jmp     end_native

program message_partner
1:  xorl    %edi, %edi
    movl    $SYS_wait, %eax
    syscall
    movl    $0x900040, %edi
    movl    $SYS_signal_at, %eax
    syscall
    jmp     1b

// The same in one call each.
program exchange
1:  clock_start
    movl    $0x900040, %edi
    xorl    %esi, %esi
    movl    $SYS_signal_wait, %eax
    syscall
    clock_stop
    decq    %r15
    jnz     1b
    jmp     end_native

program exchange_partner
    xorl    %edi, %edi
    movl    $SYS_wait, %eax
    syscall
1:  movl    $0x900040, %edi
    xorl    %esi, %esi
    movl    $SYS_signal_wait, %eax
    syscall
    jmp     1b

// Signal the address of a message to a thread on another processor, which is running, and wait until it is back from
// its signal function.  Delivery: from before the call to the first instruction there.  Return: from before
// signal_return to what was interrupted.  The second sample of each is behind the first ones.
    .macro parts_store
    movq    0xa00008, %rcx
    subq    %r13, %rcx
    movq    %rcx, (%rbx)
    subq    0xa00010, %rax
    movq    %rax, 2048(%rbx)
    addq    $8, %rbx
    nopl    MARK_OFF(%rax)
    decq    %r15
    jnz     1b
    jmp     end_native
    .endm

program signal_far
    movq    0xa00000, %r12
1:  clock_start
    movl    $0x900040, %edi
    movl    $SYS_signal_at, %eax
    syscall
2:  pause
    movq    0xa00000, %rax
    cmpq    %r12, %rax
    je      2b
    movq    %rax, %r12
    parts_store

program signal_far_partner
    xorl    %edi, %edi                   // until the pages are there
    movl    $SYS_wait, %eax
    syscall
1:  pause
    cmpq    0x900010, %r12
    je      1b
    movq    0x900010, %r12
    clock_read
    movq    %rax, 0x900000
    jmp     1b

// The same to itself: the call returns to the signal function.
program signal_self
1:  clock_start
    movl    $0x900040, %edi
    movl    $SYS_signal_at, %eax
    syscall
    clock_read
    parts_store

// The signal function: when it began, and when it ends.
    .globl  program_function
program_function:
    clock_read
    movq    %rax, 0x900008
    clock_read
    movq    %rax, 0x900010
    movl    $SYS_signal_return, %eax
    syscall
    ud2

// Ends, and is loaded again: its sample is when it goes on.
program reload
1:  clock_read
    movq    %rax, (%rbx)
    addq    $8, %rbx
    nopl    MARK_OFF(%rax)
    movl    $1, %eax
    syscall
    jmp     1b

// A kernel that fills the caches: struct fill of reclaim.c at 0x801000.  For each space: its mappings, then threads.
program fill
    movl    $0x801000, %r15d
1:  leaq    64(%r15), %rdi
    movl    $6, %eax
    syscall
    testl   %eax, %eax
    jnz     9f
    movq    %rdx, %r12
    addq    $64, 80(%r15)                // the next one's place
    movl    $0x20000000, %ebp
    movq    8(%r15), %r13
2:  movq    %r12, %rdi
    movq    %rbp, %rsi
    movq    24(%r15), %rdx
    movl    $1, %r10d
    xorl    %r8d, %r8d
    xorl    %r9d, %r9d
    movl    $11, %eax
    syscall
    testl   %eax, %eax
    jnz     9f
    addq    $4096, %rbp
    addq    $4096, 24(%r15)
    decq    %r13
    jnz     2b
    movq    16(%r15), %r13
3:  movq    %r12, 128(%r15)
    leaq    128(%r15), %rdi
    movl    $8, %eax
    syscall
    testl   %eax, %eax
    jnz     9f
    addq    $4096, 144(%r15)             // the next one's state page
    decq    %r13
    jnz     3b
    decq    (%r15)
    jnz     1b
9:  movl    %eax, %eax
    incq    %rax
    movq    %rax, 32(%r15)
    jmp     .

// In a native space only calls that are not for everyone are forwarded: ask for one of those.
end_native:
    movl    $SYS_thread_unload, %eax
    syscall
    ud2

programs_end:

    .section .note.GNU-stack, "", @progbits
