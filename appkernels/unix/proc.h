// proc.h - /proc: what its two files share.  proc.c has the tree, proc_text.c what the files say.
#pragma once
#include "inode.h"

// Text that grows: as much as fits is kept, the length is what was wanted.
struct text {
    char  *bytes;
    size_t size, length;
};
void text_add(struct text *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

// What a name in /proc is.  Exactly one of children, text, link is there, or it is one of the special directories.
struct proc_kind {
    const char *name;
    uint32_t    mode;
    const struct proc_kind *children;        // a directory with these in it
    unsigned    count;
    const struct proc_kind *up;              // NULL: the root, or the directory of a process
    bool        processes;                   // the directory lists processes too
    bool        descriptors;                 // the directory lists open files
    bool        of_process;                  // belongs to a process: it, or something in it
    int  (*text)(struct task *t, struct task *of, struct text *x);           // `of` as of_process says, or NULL
    long (*link)(struct task *t, struct task *of, struct inode *i, char *to, size_t size);
    int  (*follow)(struct task *t, struct task *of, struct inode *i, struct inode **out);
};

// proc_text.c
int proc_stat(struct task *t, struct task *of, struct text *x);
int proc_status(struct task *t, struct task *of, struct text *x);
int proc_maps(struct task *t, struct task *of, struct text *x);
int proc_cmdline(struct task *t, struct task *of, struct text *x);
int proc_comm(struct task *t, struct task *of, struct text *x);
int proc_mounts(struct task *t, struct task *of, struct text *x);
int proc_meminfo(struct task *t, struct task *of, struct text *x);
int proc_uptime(struct task *t, struct task *of, struct text *x);
int proc_cpuinfo(struct task *t, struct task *of, struct text *x);
int proc_version(struct task *t, struct task *of, struct text *x);
int proc_filesystems(struct task *t, struct task *of, struct text *x);
int proc_hostname(struct task *t, struct task *of, struct text *x);
int proc_ostype(struct task *t, struct task *of, struct text *x);
int proc_osrelease(struct task *t, struct task *of, struct text *x);
int proc_osversion(struct task *t, struct task *of, struct text *x);
