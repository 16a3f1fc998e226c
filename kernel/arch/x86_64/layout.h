// layout.h - numbers that assembly and C share: addresses, selectors, vectors and offsets.
//
// Only #defines, for the assembler reads this too.  Offsets into C structures are asserted in cpu_init.c.
//
// The supervisor's half of every space:
//   0xffff800000000000  map of memory: physical address + this; write-back, never executable
//   0xffffffff80000000  the supervisor's image: physical address + this
//   0xffffffffc0000000  registers of devices, uncached, a page each
//   0xffffffffd0000000  an area for each processor: stacks with guard pages, and its tables
#pragma once

#define MAP_BASE           0xffff800000000000
#define IMAGE_BASE         0xffffffff80000000
#define CHIP_BASE        0xffffffffc0000000
#define AREA_BASE          0xffffffffd0000000

// A processor's area.  Pages that are not named are not mapped: there is one below each stack.
#define AREA_SIZE          0x20000
#define AREA_STACK         0x01000
#define AREA_STACK_TOP     0x05000
#define AREA_NMI           0x06000
#define AREA_NMI_TOP       0x08000
#define AREA_MC            0x09000
#define AREA_MC_TOP        0x0b000
#define AREA_DF            0x0c000
#define AREA_DF_TOP        0x0e000
#define AREA_DB            0x0f000
#define AREA_DB_TOP        0x11000
#define AREA_TABLES        0x12000      // struct cpu_tables
#define AREA_END           0x13000

// Interrupt stacks begin this much below their top; there is a pointer to the processor's struct cpu_tables.
#define IST_RESERVE        16

#define SELECTOR_KCODE     0x08
#define SELECTOR_KDATA     0x10
#define SELECTOR_SYSRET    0x18         // base of the user selectors; a null descriptor
#define SELECTOR_UDATA     0x23
#define SELECTOR_UCODE     0x2b
#define SELECTOR_TSS       0x30

#define VECTOR_DB          1
#define VECTOR_NMI         2
#define VECTOR_DF          8
#define VECTOR_GP          13
#define VECTOR_MC          18
#define VECTOR_EXCEPTIONS  32           // vectors below are exceptions
#define EXCEPTIONS_WITH_ERROR 0x227d00 // a bit for each: 8 10 11 12 13 14 17 21
#define VECTOR_PIC         0x20         // 16 vectors of the old interrupt controller, which is masked
#define VECTOR_LOST        0x30         // of a processor to itself: look at its cpu_tables.lost
#define VECTOR_MC_USER     0x31         // not in the table: a machine check that came in user mode
#define VECTOR_CONSOLE     0x40         // vectors below are seldom
#define VECTOR_IPI         0x60
#define VECTOR_TIMER       0x80
#define VECTOR_SPURIOUS    0xff

// struct cpu
#define CPU_SELF           0
#define CPU_FRAME          8
#define CPU_STACK_TOP      16
#define CPU_SCRATCH        24
#define CPU_ENTER_FRESH    32

// struct cpu_tables
#define TABLES_NMIS        0

// struct frame: its first words, 8 bytes each.  In assembly FRAME_rax and so on are their offsets.
#define FRAME_WORDS(word)                                                                                    \
    word(rax) word(rbx) word(rcx) word(rdx) word(rsi) word(rdi) word(rbp) word(rsp) word(r8) word(r9)         \
    word(r10) word(r11) word(r12) word(r13) word(r14) word(r15) word(rip) word(rflags) word(kind)
#define KIND_TRAP          1            // FRAME_TRAP of enum frame_kind

// What a program may set in RFLAGS: CF PF AF ZF SF TF DF OF NT RF AC ID; and what is always set: IF, bit 1.
#define RFLAGS_USER        0x254dd5
#define RFLAGS_ALWAYS      0x202

// ABI_USER_END of <abi/types.h>
#define USER_END           0x00007ffffffff000
