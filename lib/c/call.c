// call.c - musl's calls, answered in the program itself.
//
// Numbers and meanings are those of Linux x86-64, since that is what musl's own code asks for.
#include <base.h>
#include <sys.h>

#include "quoin_c.h"

enum number {
    NR_READ = 0, NR_WRITE = 1, NR_CLOSE = 3, NR_LSEEK = 8, NR_MMAP = 9, NR_MPROTECT = 10, NR_MUNMAP = 11,
    NR_BRK = 12, NR_RT_SIGPROCMASK = 14, NR_IOCTL = 16, NR_READV = 19, NR_WRITEV = 20,
    NR_SCHED_YIELD = 24, NR_NANOSLEEP = 35, NR_GETPID = 39, NR_EXIT = 60, NR_UNAME = 63,
    NR_GETTIMEOFDAY = 96, NR_GETUID = 102, NR_GETGID = 104, NR_GETEUID = 107, NR_GETEGID = 108,
    NR_GETPPID = 110, NR_ARCH_PRCTL = 158, NR_GETTID = 186, NR_TKILL = 200, NR_SET_THREAD_AREA = 205,
    NR_SET_TID_ADDRESS = 218, NR_CLOCK_GETTIME = 228, NR_CLOCK_GETRES = 229, NR_CLOCK_NANOSLEEP = 230,
    NR_EXIT_GROUP = 231, NR_GETRANDOM = 318,
};

enum { ARCH_SET_FS = 0x1002, CLOCK_REALTIME = 0, THE_PROCESS = 1 };

static long set_fs(long base)
{
    if ((uint64_t)base >= ABI_USER_END) {
        return -C_EPERM;
    }
    __asm__ volatile("wrfsbase %0" : : "r"(base) : "memory");
    return 0;
}

struct names {
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

static long uname(struct names *n)
{
    *n = (struct names){
        .system = "Quoin", .node = "quoin", .release = "1", .version = "1", .machine = "x86_64"};
    return 0;
}

static bool is_standard(long fd)
{
    return fd >= 0 && fd <= 2;
}

// A signal to itself: there are no handlers, so it is the end, as of a process that a signal kills.
static long kill_self(long thread, long signal)
{
    if (thread != THE_PROCESS || signal < 0 || signal > 64) {
        return -C_EINVAL;
    }
    if (signal != 0) {
        c_end(128 + signal);
    }
    return 0;
}

long __quoin_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    (void)f;
    switch (number) {
    case NR_READ:            return c_read(a, (void *)b, (size_t)c);
    case NR_READV:           return c_readv(a, (const void *)b, c);
    case NR_WRITE:           return c_write(a, (const void *)b, (size_t)c);
    case NR_WRITEV:          return c_writev(a, (const void *)b, c);
    case NR_IOCTL:           return c_ioctl(a, (unsigned long)b, (void *)c);
    case NR_CLOSE:           return is_standard(a) ? 0 : -C_EBADF;
    case NR_LSEEK:           return is_standard(a) ? -C_ESPIPE : -C_EBADF;
    case NR_MMAP:            return c_mmap((uint64_t)a, (size_t)b, c, d, e);
    case NR_MUNMAP:          return c_munmap((uint64_t)a, (size_t)b);
    case NR_MPROTECT:        return c_mprotect((uint64_t)a, (size_t)b, c);
    case NR_BRK:             return 0;                   // there is no break: musl takes mmap instead
    case NR_RT_SIGPROCMASK:  return 0;                   // no signal ever comes, whatever is blocked
    case NR_SCHED_YIELD:     return sys_yield() == ERR_OK ? 0 : -C_EAGAIN;
    case NR_GETPID:
    case NR_GETTID:
    case NR_SET_TID_ADDRESS: return THE_PROCESS;
    case NR_GETPPID:
    case NR_GETUID:
    case NR_GETGID:
    case NR_GETEUID:
    case NR_GETEGID:         return 0;
    case NR_UNAME:           return uname((struct names *)a);
    case NR_ARCH_PRCTL:      return a == ARCH_SET_FS ? set_fs(b) : -C_EINVAL;
    case NR_SET_THREAD_AREA: return set_fs(a);
    case NR_CLOCK_GETTIME:   return c_clock_gettime(a, (void *)b);
    case NR_CLOCK_GETRES:    return c_clock_getres(a, (void *)b);
    case NR_GETTIMEOFDAY:    return c_gettimeofday((void *)a);
    case NR_NANOSLEEP:       return c_nanosleep(CLOCK_REALTIME, 0, (const void *)a, (void *)b);
    case NR_CLOCK_NANOSLEEP: return c_nanosleep(a, b, (const void *)c, (void *)d);
    case NR_GETRANDOM:       return c_getrandom((void *)a, (size_t)b);
    case NR_TKILL:           return kill_self(a, b);
    case NR_EXIT:
    case NR_EXIT_GROUP:      c_end(a & 255);
    default:                 return -C_ENOSYS;
    }
}
