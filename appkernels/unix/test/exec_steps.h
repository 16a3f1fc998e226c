// exec_steps.h - what the tests of execve do: make programs, execute them, look at what they find.
#pragma once
#include "machine.h"

enum { TEXT = 0x400000, ENTRY = 0x400100, DATA = 0x402000, BSS_END = 0x405000 };
enum { DATA_BYTES = 0x800, FILE_BYTES = 0x1800 };
enum { SLOT_PATH = 2, SLOT_ARGV, SLOT_ENVP, SLOT_STRINGS = 8 };
#define SLOT(n) (MACHINE_DATA + (n) * ABI_PAGE)

struct image {
    Elf64_Ehdr h;
    Elf64_Phdr p[4];
    char       interpreter[32];
    uint8_t    rest[FILE_BYTES - sizeof(Elf64_Ehdr) - 4 * sizeof(Elf64_Phdr) - 32];
};

extern struct image image;
extern struct task *task;
extern const char *const some_argv[], *const some_envp[];

void make_image(void);
va_t put_array(unsigned slot, const char *const *strings);  // into the task's memory; the last one is NULL
void exec_begin(void);                                   // a process that is to execute something, `task`
void exec_end(void);                                     // it ends; what it had is back
long execute(const char *path);                          // with some_argv and some_envp
long attempt(const char *path);                          // in its own process; an error must change nothing
long attempt_image(void);                                // the same with `image`
uint64_t word(va_t at);
void text_is(va_t at, const char *text);
void expect_bytes(va_t at, const void *bytes, size_t n);
va_t expect_arguments(const char *const *argv);          // gives the address behind them
uint64_t auxiliary(va_t vector, uint64_t type);
va_t expect_environment(va_t at);                        // gives that of the auxiliary vector
int exec_setup(void **state);
