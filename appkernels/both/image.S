// image.S - the program for a space of its own, as it was linked.

    .section .rodata
    .globl program_begin, program_end
    .balign 16
program_begin:
    .incbin "program.bin"
program_end:

    .section .note.GNU-stack, "", @progbits
