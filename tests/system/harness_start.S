// harness_start.S - entry, stacks, the kernel's note, and pieces of code that run as programs.

    .section .note.quoin, "a", @note
    .balign 4
    .long 6, 32, 1                      // name and data sizes, NOTE_APPKERNEL
    .asciz "Quoin"
    .balign 4
    .quad harness_trap, harness_fault, harness_exception, harness_xstack_top

    .text
    .globl _start
_start:
    xorl %ebp, %ebp
    leaq stack_top(%rip), %rsp
    call harness_main
    ud2

// A call with every register given, for arguments that no C function would pass: rdi points to the nine words
// number, a..f, and places for the error and the value.
    .globl raw_call
raw_call:
    pushq %rbx
    movq %rdi, %rbx
    movq (%rbx), %rax
    movq 8(%rbx), %rdi
    movq 16(%rbx), %rsi
    movq 24(%rbx), %rdx
    movq 32(%rbx), %r10
    movq 40(%rbx), %r8
    movq 48(%rbx), %r9
    syscall
    movq %rax, 56(%rbx)
    movq %rdx, 64(%rbx)
    popq %rbx
    ret

    .bss
    .balign 64
    .skip 64 * 1024
stack_top:
    .skip 16 * 1024
    .globl harness_xstack_top
harness_xstack_top:

// Programs.  Each is position-independent, and copied to a page of its own.
    .section .rodata
    .macro program name
    .balign 16
    .globl program_\name, program_\name\()_end
program_\name:
    .endm
    .macro program_end name
program_\name\()_end:
    .endm

    program spin                        // for ever
1:  pause
    jmp 1b
    program_end spin

    program trap                        // one system call after another, RAX counts them
    xorl %ebx, %ebx
1:  incq %rbx
    movq %rbx, %rax
    syscall
    jmp 1b
    program_end trap

    program wait                        // waits for ever again, with no deadline; counts its waits at R12
1:  incq (%r12)
    movl $18, %eax
    xorl %edi, %edi
    syscall
    jmp 1b
    program_end wait

    program store                       // stores RBX at RDI, then makes call 77
    movq %rbx, (%rdi)
    movl $77, %eax
    syscall
    ud2
    program_end store

    program load                        // loads from RDI, then makes call 77
    movq (%rdi), %rbx
    movl $77, %eax
    syscall
    ud2
    program_end load

    program ud                          // an invalid instruction
    ud2
    program_end ud

    program count                       // counts at RDI
1:  incq (%rdi)
    pause
    jmp 1b
    program_end count

    program add                         // adds 1 to the word at RDI, RSI times, and yields each time; call 77; again
1:  xorl %ebx, %ebx
2:  incq (%rdi)
    incq %rbx
    movl $19, %eax
    syscall
    cmpq %rsi, %rbx
    jne 2b
    movl $77, %eax
    syscall
    jmp 1b
    program_end add

    program sse                         // keeps RBX in XMM3 and checks it for ever; call 78 if it changes
    movq %rbx, %xmm3
1:  movq %xmm3, %rcx
    incq (%rdi)
    cmpq %rbx, %rcx
    je 1b
    movl $78, %eax
    syscall
    ud2
    program_end sse

    program registers                   // checks registers against RBX for ever; call 78 if one differs
1:  incq (%rdi)
    cmpq %rbx, %r8
    jne 2f
    cmpq %rbx, %r9
    jne 2f
    cmpq %rbx, %r10
    jne 2f
    cmpq %rbx, %r11
    jne 2f
    cmpq %rbx, %r12
    jne 2f
    cmpq %rbx, %r15
    jne 2f
    cmpq %rbx, %rbp
    jne 2f
    cmpq %rbx, %rsi
    jne 2f
    jmp 1b
2:  movl $78, %eax
    syscall
    ud2
    program_end registers

    program call                        // makes call RBX with the other registers as they are, ends with its answer
    movq %rbx, %rax
    syscall
    movq %rax, %rsi
    movl $9, %eax
    xorl %edi, %edi
    xorl %r9d, %r9d
    syscall
    program_end call

    .section .note.GNU-stack, "", @progbits
