// both.h - what this kernel does for its program, and how the program asks.
//
// both_call is the whole interface.  Linked with the kernel, the program calls the kernel's function of that name
// (kernel.c).  In a space of its own it is linked with one that executes SYSCALL (program/start.S), and the supervisor
// forwards that to the kernel's handler, which calls the same function.  The program's source is the same, and so is
// what it gets.  Cache Kernel, 2.3.
#pragma once
#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

#define CALL_NOTHING 0x100               // 0
#define CALL_WRITE   0x101               // (text, length): how many bytes were taken, at most WRITE_MOST
#define CALL_COST    0x102               // (instructions): what CALL_NOTHING cost the program; 0
#define CALL_END     0x103               // (value): does not come back; only in a space of its own
#define NO_CALL      0xffffffffffffffff  // what every other number gives

#ifndef __ASSEMBLER__
enum { WRITE_MOST = 256 };

uint64_t both_call(uint64_t number, uint64_t a, uint64_t b);

// The program.  Gives a number that depends on all that it did.
uint64_t both_program(void);
// Executes SYSCALL with the number of every call of the supervisor and more, and in the other registers what would make
// such a call succeed: ids of the kernel's space and thread.  Gives how many were answered by NO_CALL.
enum { FORGED = 64 };
uint64_t both_forge(uint64_t space, uint64_t thread);
#endif
