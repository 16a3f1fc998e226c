// image.S - the simulation program, as it was linked.

    .section .rodata
    .globl program_begin, program_end
    .balign 16
program_begin:
    .incbin "program.bin"
program_end:

    .section .note.GNU-stack, "", @progbits
