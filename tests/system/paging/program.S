// program.S - touches 64 pages in turn, 50 times; odd ones are written, page 1 is used between any two others.
//
// Page p holds how often it was written, if it is odd, else 0.  Ends with call 1: RDI is 0, or the page that was wrong
// + 1.

    .section .rodata
    .globl program_begin, program_end
    .balign 4096
program_begin:
    xorl %r13d, %r13d                   // rounds done
round:
    xorl %ebx, %ebx                     // page
page:
    movq %rbx, %rdi
    shlq $12, %rdi
    addq $0x800000, %rdi
    xorl %eax, %eax
    testl $1, %ebx
    cmovnz %r13, %rax
    cmpq %rax, (%rdi)
    jne wrong
    testl $1, %ebx
    jz next
    incq (%rdi)
next:
    movl 0x801008, %eax                 // page 1
    incl %ebx
    cmpl $64, %ebx
    jb page
    incl %r13d
    cmpl $50, %r13d
    jb round
    movq $-1, %rbx
wrong:
    leaq 1(%rbx), %rdi
    movl $1, %eax
    syscall
program_end:

    .section .note.GNU-stack, "", @progbits
