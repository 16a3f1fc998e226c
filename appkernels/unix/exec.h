// exec.h - a program on its way into memory, between exec.c and elf.c.
#pragma once
#include "task.h"
#include "vm.h"

enum { SCRIPT_DEPTH = 5, SCRIPT_LINE = 256 };

struct exec {
    struct task  *task;
    struct vm    *vm;                    // the new one
    struct inode *inode;                 // a user: the program
    struct inode *interpreter;           // a user: PT_INTERP, or NULL
    char         *name;                  // LINUX_PATH: of the program, without links
    char         *path;                  // LINUX_PATH: of the program, as it was named
    char         *called;                // LINUX_PATH: the script, if it is one; else as `path`
    char          line[SCRIPT_DEPTH][SCRIPT_LINE];   // first lines of scripts, cut into words
    const char   *words[2 * SCRIPT_DEPTH + 1];       // in front of the arguments, the last one first
    unsigned      nwords;                // 0: no script
    va_t          sp;                    // strings are pushed down from the top of the stack
    va_t          strings;               // of argv[0]
    va_t          environment;           // of envp[0]
    va_t          exec_name;
    unsigned      argc, envc;
    // from elf.c
    va_t          entry;                 // where to begin: the interpreter's, if there is one
    va_t          program_entry, headers, base;
    unsigned      header_count;
};

// Map the program (and its interpreter) into x->vm.  0 or a negative error.
int elf_load(struct exec *x);
// exec_stack.c
int exec_push_strings(struct exec *x, va_t argv, va_t envp, const struct exec_strings *own);
int exec_build_stack(struct exec *x);    // after elf_load
