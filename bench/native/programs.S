// programs.S - the programs that are measured from inside: each stores its samples at 0x800000 and ends.
//
// They are copied to a frame that is mapped at 0x400000.  R15 is how often.  The word at 0x801ff8 is the id of the
// other thread.  A sample is the number of ticks from one RDTSC to the next; `empty` tells what that costs alone.
// Numbers of calls are those of abi/syscalls.def; in the spaces that forward, RAX 0 does nothing and 1 ends.

    .macro clock_start
    rdtsc
    shlq    $32, %rdx
    orq     %rdx, %rax
    movq    %rax, %r13
    .endm

    .macro clock_stop
    rdtsc
    shlq    $32, %rdx
    orq     %rdx, %rax
    subq    %r13, %rax
    movq    %rax, (%rbx)
    addq    $8, %rbx
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
    movl    $19, %eax
    syscall
    clock_stop
    decq    %r15
    jnz     1b
    jmp     end_native

program yield_partner
1:  movl    $19, %eax
    syscall
    jmp     1b

// Signal the other one and wait for its answer.
program signal
1:  clock_start
    movq    %r14, %rdi
    movl    $17, %eax
    syscall
    xorl    %edi, %edi
    movl    $18, %eax
    syscall
    clock_stop
    decq    %r15
    jnz     1b
    jmp     end_native

program signal_partner
1:  xorl    %edi, %edi
    movl    $18, %eax
    syscall
    movq    %r14, %rdi
    movl    $17, %eax
    syscall
    jmp     1b

// Signal the address of a message and wait for the answer's.
program message
1:  clock_start
    movl    $0x900040, %edi
    movl    $22, %eax
    syscall
    xorl    %edi, %edi
    movl    $18, %eax
    syscall
    clock_stop
    decq    %r15
    jnz     1b
    jmp     end_native

program message_partner
1:  xorl    %edi, %edi
    movl    $18, %eax
    syscall
    movl    $0x900040, %edi
    movl    $22, %eax
    syscall
    jmp     1b

// The same in one call each.
program exchange
1:  clock_start
    movl    $0x900040, %edi
    xorl    %esi, %esi
    movl    $24, %eax
    syscall
    clock_stop
    decq    %r15
    jnz     1b
    jmp     end_native

program exchange_partner
    xorl    %edi, %edi
    movl    $18, %eax
    syscall
1:  movl    $0x900040, %edi
    xorl    %esi, %esi
    movl    $24, %eax
    syscall
    jmp     1b

// In a native space only calls that are not for everyone are forwarded: ask for one of those.
end_native:
    movl    $9, %eax
    syscall
    ud2

programs_end:

    .section .note.GNU-stack, "", @progbits
