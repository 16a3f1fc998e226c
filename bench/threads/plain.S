// plain.S - the library without recovery (threads_plain) has no copies of its critical code: empty ones.
    .section threads_recovery, "ax", @progbits
    ud2
    .section threads_spin_recovery, "ax", @progbits
    ud2
    .section .note.GNU-stack, "", @progbits
