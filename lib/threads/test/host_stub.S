// host_stub.S - calls of the supervisor, on the host: a breakpoint at a known address.
    .text
    .globl host_release, host_release_end, host_wait
host_release:
    int3
    jmp host_release
host_release_end:
host_wait:
    int3
    ret
    .section .note.GNU-stack, "", @progbits
