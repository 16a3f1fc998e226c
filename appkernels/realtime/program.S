// program.S - what every task runs in its space: a job, then the call that ends it, and so on.
//
// It is position-independent, and copied to a page.  RDI points to the task's own page: its first word is what it
// computes, its end is the stack.

    .section .rodata
    .balign 16
    .globl program_begin, program_end
program_begin:
1:  movq %rax, %rsi                     // units of work of this job
    call task_work
    movl $1, %eax                       // CALL_DONE
    syscall                             // comes back at the next release, RAX again says how much
    jmp 1b

task_work:
    movq (%rdi), %rax
2:  movq %rax, %rdx                     // a unit: one step of a shift register, and a store
    shlq $13, %rdx
    xorq %rdx, %rax
    movq %rax, %rdx
    shrq $7, %rdx
    xorq %rdx, %rax
    movq %rax, (%rdi)
    decq %rsi
    jnz 2b
    ret
program_end:

// The same for the kernel, to find out how long a unit takes: (page, units).
    .text
    .globl measure_work
measure_work:
    movq (%rdi), %rax
2:  movq %rax, %rdx
    shlq $13, %rdx
    xorq %rdx, %rax
    movq %rax, %rdx
    shrq $7, %rdx
    xorq %rdx, %rax
    movq %rax, (%rdi)
    decq %rsi
    jnz 2b
    ret

    .section .note.GNU-stack, "", @progbits
