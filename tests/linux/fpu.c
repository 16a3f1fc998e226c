// fpu.c - the extended state is each thread's own: across preemption, calls, faults, forks and signal handlers.
// test: smp=1,2 cache=default,tiny
#include "show.h"
#include <sched.h>

typedef unsigned long v4 __attribute__((vector_size(32)));

static bool have_avx;
static volatile sig_atomic_t handled;

// Fill the vector registers from a seed, run `between`, and tell whether all still hold it.
__attribute__((target("avx"), noinline)) static bool avx_kept(unsigned long seed, void (*between)(void))
{
    v4 a = {seed, seed + 1, seed + 2, seed + 3}, r0, r7, r15;
    __asm__ volatile("vmovdqu %0, %%ymm0\n\tvmovdqu %0, %%ymm7\n\tvmovdqu %0, %%ymm15" : : "m"(a)
                     : "xmm0", "xmm7", "xmm15");
    if (between) {
        // Called from assembly so that the compiler saves nothing; the callee here uses no vector registers.
        __asm__ volatile("mov %%rsp, %%rbx\n\tand $-16, %%rsp\n\tsub $128, %%rsp\n\tcall *%0\n\tmov %%rbx, %%rsp"
                         : : "r"(between)
                         : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
    } else {
        for (volatile int i = 0; i < 200000; i++) {
        }
    }
    __asm__ volatile("vmovdqu %%ymm0, %0\n\tvmovdqu %%ymm7, %1\n\tvmovdqu %%ymm15, %2"
                     : "=m"(r0), "=m"(r7), "=m"(r15));
    return memcmp(&a, &r0, 32) == 0 && memcmp(&a, &r7, 32) == 0 && memcmp(&a, &r15, 32) == 0;
}

__attribute__((target("general-regs-only"), noinline)) static void plain_calls(void)
{
    for (int i = 0; i < 50; i++) {
        long r;
        __asm__ volatile("syscall" : "=a"(r) : "a"(SYS_getpid) : "rcx", "r11", "memory");
        __asm__ volatile("syscall" : "=a"(r) : "a"(SYS_sched_yield) : "rcx", "r11", "memory");
    }
}

static char *fresh;
__attribute__((target("general-regs-only"), noinline)) static void touch_pages(void)
{
    for (int i = 0; i < 64; i++) {
        ((volatile char *)fresh)[i * 4096] = 1;
    }
}

static void spoil(int s)
{
    (void)s;
    volatile double x = 1.5;
    for (int i = 0; i < 100; i++) {
        x = x * 1.0001 + 0.5;
    }
    if (have_avx) {
        __asm__ volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0\n\tvmovaps %%xmm0, %%xmm7\n\tvmovaps %%xmm0, %%xmm15"
                         : : : "xmm0", "xmm7", "xmm15");
    }
    handled++;
}

__attribute__((target("general-regs-only"), noinline)) static void signal_self(void)
{
    long pid, r;
    __asm__ volatile("syscall" : "=a"(pid) : "a"(SYS_getpid) : "rcx", "r11", "memory");
    __asm__ volatile("syscall" : "=a"(r) : "a"(SYS_kill), "D"(pid), "S"((long)SIGUSR1) : "rcx", "r11", "memory");
}

// Many processes at once, each with its own numbers; more than one a processor, so they are switched between.
static void crowd(void)
{
    enum { CROWD = 8 };
    pid_t pid[CROWD];
    for (int i = 0; i < CROWD; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            double x = 1.0 + i, y = x;
            int bad = 0;
            for (int k = 0; k < 30; k++) {
                bad += have_avx && !avx_kept((unsigned long)i * 1000003 + (unsigned long)k, NULL);
                for (int j = 0; j < 1000; j++) {
                    y = y * 1.5 / 1.5 + x - x;
                }
            }
            _exit(bad != 0 || y < x - 1e-6 || y > x + 1e-6);
        }
    }
    for (int i = 0; i < CROWD; i++) {
        int status;
        waitpid(pid[i], &status, 0);
        child_status("one of the crowd", status);
    }
}

static void control_words(void)
{
    unsigned int csr = 0x1f80 | 0x6000, back = 0;
    unsigned short cw = 0x027f, cw_back = 0;
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(csr), "m"(cw));
    for (int i = 0; i < 20; i++) {
        sched_yield();
    }
    pid_t pid = fork();
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(back), "=m"(cw_back));
    if (pid == 0) {
        _exit((back & 0xffc0) == csr && cw_back == cw ? 0 : 1);
    }
    say("control words kept: %d", (back & 0xffc0) == csr && cw_back == cw);
    int status;
    waitpid(pid, &status, 0);
    child_status("control words in the child", status);
}

int main(void)
{
    have_avx = __builtin_cpu_supports("avx");
    say("a program that starts has clean control words");
    unsigned int csr;
    unsigned short cw;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(csr), "=m"(cw));
    say("mxcsr %x cw %x", csr & 0xffc0, cw);
    if (have_avx) {
        truth(avx_kept(1, NULL));
        truth(avx_kept(2, plain_calls));
        fresh = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        truth(avx_kept(3, touch_pages));
        signal(SIGUSR1, spoil);
        truth(avx_kept(4, signal_self));
        say("handled %d", handled);
    } else {
        truth(true);
    }
    crowd();
    in_child("control words", control_words);
    return 0;
}
