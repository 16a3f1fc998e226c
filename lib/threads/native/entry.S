// entry.S - the upcall entry of a native program with the threads library, and where it gives processors back.
    .set DISABLED, 4096 + 24             // activation_user.disabled from activation_kernel: threads_native.h
    .text

    .globl threads_native_upcall
threads_native_upcall:
    cmpl $0, begun(%rip)
    jne threads_upcall

// The first upcall.  With upcalls disabled a stopped context goes on by itself; before that it may be in an event of
// another upcall, which is then the first one, and go on in another activation: so the word is reached by GS alone.
    movl $1, %gs:DISABLED
    pushq %rdi
    pushq %rsi
    pushq %rdx
    movl $1, %eax
    xchgl %eax, begins(%rip)
    testl %eax, %eax
    jne 3f
    call threads_native_begin
    movl $1, begun(%rip)
// Its beginner may be blocked, for a page or in a call: then this one is an upcall of another activation.
3:  cmpl $0, begun(%rip)
    jne 4f
    call threads_native_pause
    jmp 3b
4:  popq %rdx
    popq %rsi
    popq %rdi
    movl $0, %gs:DISABLED
    jmp threads_upcall

// SYS_processor_release; it has no stack.
    .globl threads_native_release, threads_native_release_end
threads_native_release:
    movl $27, %eax
    syscall
    jmp threads_native_release
threads_native_release_end:

    .bss
    .balign 4
begins:
    .long 0
begun:
    .long 0

    .section .note.GNU-stack, "", @progbits
