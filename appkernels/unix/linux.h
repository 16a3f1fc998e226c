// linux.h - the numbers and structures of the Linux process calls.
//
// They come from the headers that Linux exports for programs; what those lack is added here.
#pragma once
#include <abi/types.h>
#include <asm-generic/errno.h>
#include <asm/auxvec.h>
#include <asm/prctl.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/auxvec.h>
#include <linux/capability.h>
#include <linux/elf.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/times.h>
#include <linux/utsname.h>
#include <linux/wait.h>

enum {
    ERESTARTNOHAND = 514,                // internal: -EINTR if a handler runs, else the call again
    LINUX_SIGNALS  = 64,
    LINUX_CLK_TCK  = 100,
    LINUX_ARG_STRLEN = 32 * ABI_PAGE,    // of one argument string
    LINUX_ARG_MAX  = 2 << 20,            // of all of them: a quarter of the stack's limit
    LINUX_RLIMITS  = 16,
    LINUX_PATH     = 4096,                // with the NUL
    LINUX_NPROC    = 4096,               // tasks
};

#define SIG_BIT(n) (1ull << ((n) - 1))

// mmap and its relatives; the names of <asm/mman.h> would clash with the supervisor's.
enum {
    PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, PROT_ALL = 7, PROT_GROWSDOWN = 0x01000000,
    PROT_GROWSUP = 0x02000000,
    LINUX_MAP_SHARED = 1, LINUX_MAP_PRIVATE = 2, LINUX_MAP_SHARED_VALIDATE = 3, LINUX_MAP_TYPE = 15,
    LINUX_MAP_FIXED = 0x10, LINUX_MAP_ANONYMOUS = 0x20, LINUX_MAP_32BIT = 0x40, LINUX_MAP_GROWSDOWN = 0x100,
    LINUX_MAP_POPULATE = 0x8000, LINUX_MAP_FIXED_NOREPLACE = 0x100000,
    LINUX_MREMAP_MAYMOVE = 1, LINUX_MREMAP_FIXED = 2,
    LINUX_MADV_NORMAL = 0, LINUX_MADV_RANDOM = 1, LINUX_MADV_SEQUENTIAL = 2, LINUX_MADV_WILLNEED = 3,
    LINUX_MADV_DONTNEED = 4, LINUX_MADV_FREE = 8, LINUX_MADV_DONTFORK = 10, LINUX_MADV_DOFORK = 11,
    LINUX_MADV_HUGEPAGE = 14, LINUX_MADV_NOHUGEPAGE = 15, LINUX_MADV_DONTDUMP = 16, LINUX_MADV_DODUMP = 17,
    LINUX_MADV_COLD = 20,
    LINUX_MS_ASYNC = 1, LINUX_MS_INVALIDATE = 2, LINUX_MS_SYNC = 4,
};

enum { SS_ONSTACK = 1, SS_DISABLE = 2 };
#define LINUX_SS_AUTODISARM (1u << 31)

// What rt_sigaction reads and writes.
struct linux_sigaction {
    uint64_t handler, flags, restorer, mask;
};
#define SIG_HANDLER_DFL 0ull
#define SIG_HANDLER_IGN 1ull

struct linux_stack {                     // sigaltstack
    uint64_t sp;
    int32_t  flags;
    uint32_t pad;
    uint64_t size;
};

// The part of siginfo_t that is ever filled; the rest of its 128 bytes is zero for the program.
struct linux_siginfo {
    int32_t signo, error, code, pad;
    union {
        struct {
            int32_t  pid;
            uint32_t uid;
            union {
                uint64_t value;          // queued signals
                int32_t  status;         // SIGCHLD
            };
            int64_t utime, stime;        // SIGCHLD
        };
        uint64_t address;                // faults
    };
};
_Static_assert(sizeof(struct linux_siginfo) == 48, "siginfo");
enum { SIGINFO_SIZE = 128 };

// On the program's stack while a handler runs.
struct linux_sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, trapno, oldmask, cr2;
    uint64_t fpstate;
    uint64_t reserved[8];
};
struct linux_sigframe {
    uint64_t restorer;
    uint64_t uc_flags, uc_link;
    struct linux_stack stack;
    struct linux_sigcontext context;
    uint64_t mask;
    uint8_t  info[SIGINFO_SIZE];
};
_Static_assert(sizeof(struct linux_sigcontext) == 256, "sigcontext");
_Static_assert(offsetof(struct linux_sigframe, info) == 8 + 304, "sigframe");

struct linux_robust_list_head {
    uint64_t next;
    int64_t  offset;
    uint64_t pending;
};
