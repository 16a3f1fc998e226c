// package_start.S - a worker begins: its record is FS base, its stack is empty.
    .text
    .globl package_start
package_start:
    call package_main
    ud2

    .section .note.GNU-stack, "", @progbits
