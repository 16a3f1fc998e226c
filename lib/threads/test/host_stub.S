// host_stub.S - calls of the supervisor, on the host: an invalid instruction at a known address.
    .text
    .globl host_release, host_release_end, host_wait
host_release:
    ud2
    jmp host_release
host_release_end:
host_wait:
    ud2
    ret
    .globl host_library                  // what follows is the library
host_library:
    .section .note.GNU-stack, "", @progbits
