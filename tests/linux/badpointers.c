// badpointers.c - every call with addresses that are not the program's: EFAULT, and nothing happens.
// test: smp=1 cache=default,tiny
#include "show.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>

static const unsigned long bad[] = {8, 0x10000, 0x00007fffffffe000ul + 0xff8, 0x0000800000000000ul,
                                    0xffff800000100000ul, 0xffffffff80200000ul, ~0ul - 7};
enum { BAD = sizeof(bad) / sizeof(bad[0]) };

// One call with a bad pointer as argument number `position`; the answers for all bad pointers as one line.
static void probe(const char *name, long number, int position, long a, long b, long c, long d)
{
    char line[160] = "";
    for (int i = 0; i < BAD; i++) {
        long v[4] = {a, b, c, d};
        v[position] = (long)bad[i];
        errno = 0;
        long r = syscall(number, v[0], v[1], v[2], v[3], 0L, 0L);
        size_t at = strlen(line);
        if (r < 0) {
            snprintf(line + at, sizeof(line) - at, " %s", error_name(errno));
        } else {
            snprintf(line + at, sizeof(line) - at, " %ld", r);
        }
    }
    say("%s/%d:%s", name, position, line);
}

#define PROBE(name, position, a, b, c, d) probe(#name, SYS_##name, position, (long)(a), (long)(b), (long)(c), (long)(d))

static char path[] = "f";
static char page[4096];

int main(void)
{
    scratch_enter();
    file_put("f", "0123456789");
    int fd = open("f", O_RDWR), dir = open(".", O_RDONLY), zero = open("/dev/zero", O_RDONLY);
    int null = open("/dev/null", O_WRONLY), p[2];
    if (pipe(p) < 0) {
        return 1;
    }
    // Something to read, and room to write, so that nothing blocks.
    (void)!write(p[1], page, 64);
    PROBE(read, 1, fd, 0, 8, 0);
    lseek(fd, 0, SEEK_SET);
    PROBE(read, 1, zero, 0, 8, 0);
    PROBE(read, 1, p[0], 0, 8, 0);
    PROBE(write, 1, fd, 0, 8, 0);
    PROBE(write, 1, p[1], 0, 8, 0);
    PROBE(pread64, 1, fd, 0, 8, 0);
    PROBE(pwrite64, 1, fd, 0, 8, 0);
    PROBE(readv, 1, fd, 0, 1, 0);
    PROBE(writev, 1, fd, 0, 1, 0);
    PROBE(open, 0, 0, O_RDONLY, 0, 0);
    PROBE(openat, 1, AT_FDCWD, 0, O_RDONLY, 0);
    PROBE(stat, 0, 0, page, 0, 0);
    PROBE(stat, 1, path, 0, 0, 0);
    PROBE(lstat, 1, path, 0, 0, 0);
    PROBE(fstat, 1, fd, 0, 0, 0);
    PROBE(newfstatat, 1, AT_FDCWD, 0, page, 0);
    PROBE(newfstatat, 2, AT_FDCWD, path, 0, 0);
    PROBE(access, 0, 0, 0, 0, 0);
    PROBE(poll, 0, 0, 1, 0, 0);
    PROBE(ppoll, 2, 0, 0, 0, 0);
    PROBE(select, 1, 4, 0, 0, 0);
    PROBE(select, 2, 4, 0, 0, 0);
    PROBE(pipe, 0, 0, 0, 0, 0);
    PROBE(pipe2, 0, 0, 0, 0, 0);
    PROBE(getcwd, 0, 0, 4096, 0, 0);
    PROBE(chdir, 0, 0, 0, 0, 0);
    PROBE(mkdir, 0, 0, 0755, 0, 0);
    PROBE(rmdir, 0, 0, 0, 0, 0);
    PROBE(unlink, 0, 0, 0, 0, 0);
    PROBE(rename, 0, 0, path, 0, 0);
    PROBE(rename, 1, path, 0, 0, 0);
    PROBE(link, 0, 0, path, 0, 0);
    PROBE(link, 1, path, 0, 0, 0);
    PROBE(symlink, 0, 0, path, 0, 0);
    PROBE(symlink, 1, path, 0, 0, 0);
    symlink("target", "s");
    PROBE(readlink, 0, 0, page, 64, 0);
    PROBE(readlink, 1, "s", 0, 64, 0);
    PROBE(chmod, 0, 0, 0644, 0, 0);
    PROBE(chown, 0, 0, 0, 0, 0);
    PROBE(truncate, 0, 0, 0, 0, 0);
    PROBE(getdents64, 1, dir, 0, 4096, 0);
    PROBE(utimensat, 2, AT_FDCWD, path, 0, 0);
    PROBE(execve, 0, 0, 0, 0, 0);
    PROBE(execve, 1, "/proc/self/exe", 0, 0, 0);
    PROBE(execve, 2, "/proc/self/exe", 0, 0, 0);
    PROBE(wait4, 1, -1, 0, WNOHANG, 0);
    PROBE(rt_sigaction, 1, SIGUSR1, 0, 0, 8);
    PROBE(rt_sigaction, 2, SIGUSR1, 0, 0, 8);
    PROBE(rt_sigprocmask, 1, SIG_BLOCK, 0, 0, 8);
    PROBE(rt_sigprocmask, 2, SIG_BLOCK, 0, 0, 8);
    PROBE(rt_sigpending, 0, 0, 8, 0, 0);
    PROBE(rt_sigsuspend, 0, 0, 8, 0, 0);
    PROBE(sigaltstack, 0, 0, 0, 0, 0);
    PROBE(sigaltstack, 1, 0, 0, 0, 0);
    PROBE(uname, 0, 0, 0, 0, 0);
    PROBE(getrlimit, 1, RLIMIT_NOFILE, 0, 0, 0);
    PROBE(setrlimit, 1, RLIMIT_NOFILE, 0, 0, 0);
    PROBE(prlimit64, 3, 0, RLIMIT_NOFILE, 0, 0);
    PROBE(getrusage, 1, 0, 0, 0, 0);
    PROBE(sysinfo, 0, 0, 0, 0, 0);
    PROBE(nanosleep, 0, 0, 0, 0, 0);
    PROBE(clock_nanosleep, 2, CLOCK_MONOTONIC, 0, 0, 0);
    PROBE(clock_gettime, 1, CLOCK_MONOTONIC, 0, 0, 0);
    PROBE(gettimeofday, 0, 0, 0, 0, 0);
    PROBE(time, 0, 0, 0, 0, 0);
    PROBE(setitimer, 1, ITIMER_REAL, 0, 0, 0);
    PROBE(getrandom, 0, 0, 8, 0, 0);
    PROBE(futex, 0, 0, 1, 1, 0);
    PROBE(futex, 0, 0, 0, 0, 0);
    PROBE(sched_getaffinity, 2, 0, 8, 0, 0);
    PROBE(mknodat, 1, AT_FDCWD, 0, S_IFIFO | 0600, 0);
    PROBE(statfs, 1, path, 0, 0, 0);
    PROBE(ioctl, 2, p[0], FIONREAD, 0, 0);

    // A buffer whose first part is there: what could be moved is told.
    char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + 4096, 4096);
    memset(edge, 'e', 4096);
    show(write(fd, edge + 4096, 1));
    show(pwrite(fd, edge, 4096, 0));
    lseek(fd, 0, SEEK_SET);
    show(open(edge + 4090, O_RDONLY));
    strcpy(edge + 4094, "f");
    okay(open(edge + 4094, O_RDONLY));
    show(syscall(SYS_stat, "f", edge + 4096 - 50));
    struct iovec v[2] = {{page, 10}, {(void *)8, 10}};
    show(writev(null, v, 1));
    show(readv(zero, v, 1));
    // Read-only memory cannot be written by the kernel either.
    mprotect(edge, 4096, PROT_READ);
    show(read(zero, edge, 10));
    show(syscall(SYS_fstat, fd, edge));
    show(syscall(SYS_uname, edge));
    mprotect(edge, 4096, PROT_NONE);
    show(write(fd, edge, 10));
    show(open(edge, O_RDONLY));
    // Text of the program itself.
    show(read(zero, (void *)(uintptr_t)probe, 8));
    return 0;
}
