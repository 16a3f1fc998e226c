// quoin_c.h - C programs that are application kernels: what is between musl and lib/appkernel.
//
// Such a program is one thread, the first of its kernel, which runs main() with musl as its C library.  Its
// memory is that of the kernel, reached through the window: memory that musl maps is a run of frames.
// Standard output is the console, standard error the system's log, standard input the console's input. What
// main returns, or exit gives, is the kernel's value.
//
// There are no files, signals, threads or other processes: those calls answer ENOSYS.  Calls that exist:
// call.c.  A program that wants to handle faults and traps of its own defines c_trap, c_fault and
// c_exception.
#pragma once
#include <appkernel.h>

// The numbers of Linux that this half needs; musl's own headers are not visible from here.
enum c_error {
    C_EPERM = 1,
    C_EINTR = 4,
    C_EIO = 5,
    C_EBADF = 9,
    C_EAGAIN = 11,
    C_ENOMEM = 12,
    C_EACCES = 13,
    C_EFAULT = 14,
    C_EINVAL = 22,
    C_ENOTTY = 25,
    C_ESPIPE = 29,
    C_ENOSYS = 38,
};

// Each gives a value or a negative error, as Linux's calls do.
long c_write(long fd, const void *buffer, size_t length);        // console.c
long c_writev(long fd, const void *vector, long count);
long c_read(long fd, void *buffer, size_t length);
long c_readv(long fd, const void *vector, long count);
long c_ioctl(long fd, unsigned long request, void *argument);

long c_mmap(uint64_t address, size_t length, long protection, long flags, long fd);     // memory.c
long c_munmap(uint64_t address, size_t length);
long c_mprotect(uint64_t address, size_t length, long protection);

long c_clock_gettime(long clock, void *time);                    // clock.c
long c_clock_getres(long clock, void *time);
long c_nanosleep(long clock, long flags, const void *time, void *rest);
long c_gettimeofday(void *time);
long c_getrandom(void *buffer, size_t length);

// Where musl's calls arrive.
long __quoin_syscall(long number, long a, long b, long c, long d, long e, long f);

_Noreturn void c_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void c_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void c_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void c_end(long value);                                // ends the kernel
