// start.S - where a native program of the kind `threads` begins: RDI points to struct native_info.

    .section .text.start, "ax", @progbits
    .globl  _start
_start:
    xorl    %ebp, %ebp
    andq    $-16, %rsp
    call    native_main
    movl    %eax, %edi
    movl    $1000, %eax                         // NATIVE_EXIT
    syscall
    ud2

    .section .note.GNU-stack, "", @progbits
