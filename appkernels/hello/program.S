// program.S - the program that the example kernel runs.
//
// It knows nothing of Quoin.  Two things it does are not its own to decide, and become its kernel's
// business: it stores to memory that nobody has given it yet, and it executes SYSCALL.
//     call 1: write RSI bytes at RDI        call 2: end with the value RDI

    .section .rodata
    .globl program_begin, program_end
    .balign 4096
program_begin:
    leaq message(%rip), %rsi
    movl $0x800000, %edi                // the program's data: not mapped at first
    movl $message_end - message, %ecx
    rep movsb                           // the first store faults, and then goes on
    movl $1, %eax
    movl $0x800000, %edi
    movl $message_end - message, %esi
    syscall
    subl $message_end - message, %eax   // how many bytes were not written
    movl %eax, %edi
    movl $2, %eax
    syscall
message:
    .ascii "hello from a program of an application kernel\n"
message_end:
program_end:

    .section .note.GNU-stack, "", @progbits
