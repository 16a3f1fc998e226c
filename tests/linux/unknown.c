// unknown.c - calls that do not exist anywhere answer ENOSYS, also with strange numbers.
// test: smp=1 cache=default
#include "show.h"

int main(void)
{
    static const long numbers[] = {500, 511, 1000, 4096, 99999, 0x7fffffff, -2, -4095};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        errno = 0;
        long r = syscall(numbers[i], 1, 2, 3, 4, 5, 6);
        say("%ld: %ld %s", numbers[i], r, error_name(errno));
    }
    // The registers that a call must keep.
    unsigned long rbx = 1, r12 = 3, r13 = 4, r14 = 5, r15 = 6, rax;
    __asm__ volatile("mov $11, %%rbx\n\tmov $12, %%r12\n\tmov $13, %%r13\n\tmov $14, %%r14\n\tmov $15, %%r15\n\t"
                     "mov $39, %%eax\n\tsyscall\n\tmov %%rbx, %0\n\tmov %%r12, %1\n\tmov %%r13, %2\n\tmov %%r14, %3\n\t"
                     "mov %%r15, %4\n\tmov %%rax, %5"
                     : "=m"(rbx), "=m"(r12), "=m"(r13), "=m"(r14), "=m"(r15), "=m"(rax)
                     : : "rax", "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "memory");
    say("%lu %lu %lu %lu %lu", rbx, r12, r13, r14, r15);
    truth(rax == (unsigned long)getpid());
    unsigned long rdi = 0, rsi = 0, rdx = 0, r10 = 0, r8 = 0, r9 = 0;
    __asm__ volatile("mov $21, %%rdi\n\tmov $22, %%rsi\n\tmov $23, %%rdx\n\tmov $24, %%r10\n\tmov $25, %%r8\n\t"
                     "mov $26, %%r9\n\tmov $500, %%eax\n\tsyscall\n\tmov %%rdi, %0\n\tmov %%rsi, %1\n\t"
                     "mov %%rdx, %2\n\tmov %%r10, %3\n\tmov %%r8, %4\n\tmov %%r9, %5"
                     : "=m"(rdi), "=m"(rsi), "=m"(rdx), "=m"(r10), "=m"(r8), "=m"(r9)
                     : : "rax", "rcx", "r11", "rdi", "rsi", "rdx", "r8", "r9", "r10", "memory");
    say("%lu %lu %lu %lu %lu %lu", rdi, rsi, rdx, r10, r8, r9);
    // Flags survive a call.
    unsigned long flags;
    __asm__ volatile("std\n\tmov $39, %%eax\n\tsyscall\n\tpushf\n\tpop %0\n\tcld" : "=r"(flags)
                     : : "rax", "rcx", "r11", "memory", "cc");
    say("direction flag kept: %d", (flags & 0x400) != 0);
    return 0;
}
