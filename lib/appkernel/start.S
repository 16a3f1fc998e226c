// start.S - entry of an application kernel: a stack, then C.  RDI points to struct kernel_info.

    .section .text.start, "ax", @progbits
    .globl _start
_start:
    xorl    %ebp, %ebp
    leaq    ak_stack_top(%rip), %rsp
    call    ak_start
    ud2

    .bss
    .balign 64
    .globl  ak_stack_bottom
ak_stack_bottom:
    .skip   65536
ak_stack_top:
    .skip   64                          // between the two, so that neither can be taken for the other
    .balign 64
    .skip   16384
    .globl  ak_xstack_top               // of the first thread: AK_NOTE names it
ak_xstack_top:
    .skip   64

    .section .note.GNU-stack, "", @progbits
