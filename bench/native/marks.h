// marks.h - long NOPs with a number, by which a program tells tools/plugin/ring0.c what it is measuring.
//
// `nopl MARK(%rax)`: nothing but one instruction where there is no plug-in.  Counts are kept for each phase; what is
// not between on and off belongs to phase 0.
#pragma once

#define MARK_NEXT 0x51a10001             // the next phase begins, and is on
#define MARK_ON   0x51a10002             // the present phase goes on
#define MARK_OFF  0x51a10003
#define MARK_END  0x51a10004             // it is over: until the next one MARK_ON does nothing
