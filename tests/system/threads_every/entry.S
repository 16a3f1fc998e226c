// entry.S - each upcall is looked at (every_upcall) before the library has it, with upcalls disabled meanwhile.
//
// A context that is stopped here is a handler at its first instruction for the library: FS base is 0 and RSP as it was.
    .set INTERVAL, 4096 + 8              // activation_user.interval from activation_kernel, as in threads_native
    .set DISABLED, 4096 + 24
    .text
    .globl __wrap_threads_native_upcall
__wrap_threads_native_upcall:            // the linker's: instead of what the program says
    cmpl $0, every_looks(%rip)
    je __real_threads_native_upcall
    movl $1, %gs:DISABLED
    movq $0, %gs:INTERVAL
    pushq %rdi
    pushq %rsi
    pushq %rdx
    call every_upcall
    popq %rdx
    popq %rsi
    popq %rdi
    movl $0, %gs:DISABLED
    jmp __real_threads_native_upcall

    .section .note.GNU-stack, "", @progbits
