// offsets.h - places in struct thread and struct frame, for assembly; checked against C in threads.c.
#pragma once
#define T_SAVED      24
#define T_PHASE      68
#define T_CONTROL    72
#define T_FN         112
#define T_ARGUMENT   120
#define T_RECOVERED  248
#define T_LIGHT      504
#define T_END        584
#define T_RECOVER    720
#define T_BELOW      928
#define T_RIP        936
#define T_SPINS      952
#define T_XSTATE     960
#define STOPPED_BELOW 136                    // the red zone, and a word
#define F_RIP        128
#define F_RFLAGS     136
#define F_RSP        56
