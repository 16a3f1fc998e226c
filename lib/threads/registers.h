// registers.h - for assembly: how the registers of a stopped flow are loaded, in recovery and for good.
#pragma once

// From the stack, as in struct stopped: r15 to rax, flags, and the RSP at which the last `ret` finds RIP.
#define POP_STOPPED \
    popq %r15; popq %r14; popq %r13; popq %r12; popq %r11; popq %r10; popq %r9; popq %r8; \
    popq %rbp; popq %rdi; popq %rsi; popq %rdx; popq %rcx; popq %rbx; popq %rax; \
    popfq; \
    popq %rsp
