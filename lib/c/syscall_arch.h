// syscall_arch.h - how musl makes a system call in a program that is an application kernel: by calling a
// function.
//
// Takes the place of musl's arch/x86_64/syscall_arch.h.  There is no other kernel below such a program that
// would know Linux calls; call.c answers them in the program itself.
#pragma once

#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

long __quoin_syscall(long number, long a, long b, long c, long d, long e, long f);

static __inline long __syscall0(long n)
{
    return __quoin_syscall(n, 0, 0, 0, 0, 0, 0);
}

static __inline long __syscall1(long n, long a)
{
    return __quoin_syscall(n, a, 0, 0, 0, 0, 0);
}

static __inline long __syscall2(long n, long a, long b)
{
    return __quoin_syscall(n, a, b, 0, 0, 0, 0);
}

static __inline long __syscall3(long n, long a, long b, long c)
{
    return __quoin_syscall(n, a, b, c, 0, 0, 0);
}

static __inline long __syscall4(long n, long a, long b, long c, long d)
{
    return __quoin_syscall(n, a, b, c, d, 0, 0);
}

static __inline long __syscall5(long n, long a, long b, long c, long d, long e)
{
    return __quoin_syscall(n, a, b, c, d, e, 0);
}

static __inline long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    return __quoin_syscall(n, a, b, c, d, e, f);
}

#define IPC_64 0
