// mock.h - what stands behind the file half in its unit tests: memory, one task, sleeping, signals, a terminal.
//
// Programs' memory is the test's own: any address from 4096 on is good.  Sleeping runs what the test has put in
// mock_on_sleep, which acts for the other processes; with nothing there, or when it gives false, a signal ends the
// sleep.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../calls_file.h"
#include "../tty.h"

extern struct task mock_task;
extern bool (*mock_on_sleep)(void);
extern unsigned mock_sleeps, mock_wakes;
extern int mock_signals[64];             // how many were sent, by number
extern int mock_signal_group;            // the last group
extern int mock_tty_check;               // what ux_tty_check answers
extern unsigned mock_frames_left;        // then there is no memory
extern struct tty *mock_terminal;
extern char mock_screen[65536];          // what the terminal was sent
extern size_t mock_screen_length, mock_screen_takes;
extern uint64_t mock_now;                // nanoseconds
extern uint64_t mock_limit[16];          // RLIMIT_*
extern unsigned mock_truncated;          // calls of ux_file_truncated
extern va_t mock_user_from, mock_user_to;    // the addresses that are good

void mock_begin(const void *archive, size_t length);     // once a program
void mock_end(void);                                     // closes all of the task
unsigned mock_frames_used(void);
size_t   mock_objects_used(void);
struct task *mock_second(int pid);                       // another process, for ux_task_find

// A Linux call by name: CALL(open, "/x", O_RDONLY, 0)
#define CALL(name, ...) ux_sys_##name(&mock_task, (const uint64_t[6]){MOCK_ARGS(__VA_ARGS__)})
#define MOCK_PICK(_1, _2, _3, _4, _5, _6, n, ...) n
#define MOCK_ARGS(...) MOCK_PICK(__VA_ARGS__, A6, A5, A4, A3, A2, A1)(__VA_ARGS__)
#define A1(a) (uint64_t)(a)
#define A2(a, ...) (uint64_t)(a), A1(__VA_ARGS__)
#define A3(a, ...) (uint64_t)(a), A2(__VA_ARGS__)
#define A4(a, ...) (uint64_t)(a), A3(__VA_ARGS__)
#define A5(a, ...) (uint64_t)(a), A4(__VA_ARGS__)
#define A6(a, ...) (uint64_t)(a), A5(__VA_ARGS__)
