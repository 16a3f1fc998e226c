// program.h - what the simulation program and its kernel agree upon: addresses and calls.
//
// A call is a SYSCALL with its number in RAX; it gives nothing.  RDI holds the number of the worker at its
// start.
#pragma once

enum {
    PROGRAM_TEXT = 0x40000000,           // as in program.ld
    PROGRAM_SIM = 0x41000000,            // struct sim
    // A store to its first word begins what an emulator's plug-in counts, one to its second ends it.
    PROGRAM_MARK = 0x41800000,
    PROGRAM_STACK = 0x41c00000,          // tops are PROGRAM_STACK_SIZE apart, the first one above this
    PROGRAM_STACK_SIZE = 16 * 4096,
    PROGRAM_AREA = 0x42000000,           // what sim_layout lays out
    PROGRAM_END = 0x60000000,
};

enum program_call { CALL_END = 0, CALL_BARRIER = 1, CALL_BEGIN = 2, CALL_FINISH = 3 };
