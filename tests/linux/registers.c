// registers.c - every general register survives signals, faults and preemption that come between two instructions.
// test: smp=1,4 cache=default,tiny
#include "show.h"
#include <sys/mman.h>
#include <sys/time.h>

enum { PAGES = 512, ROUNDS = 15 };

// Read and written by the loops below.
volatile unsigned long reg_seed, reg_count, reg_wrong;
static volatile sig_atomic_t ticks;

// Registers that are not RSP hold seed + n while `body` runs; then all are compared.
#define HOLD(body)                                                                                      \
    "push %%rbp\n\tpush %%rbx\n\t"                                                                       \
    "mov reg_seed, %%rax\n\t"                                                                            \
    "lea 1(%%rax), %%rbx\n\tlea 2(%%rax), %%rcx\n\tlea 3(%%rax), %%rdx\n\tlea 4(%%rax), %%rsi\n\t"       \
    "lea 5(%%rax), %%rdi\n\tlea 6(%%rax), %%rbp\n\tlea 8(%%rax), %%r8\n\tlea 9(%%rax), %%r9\n\t"         \
    "lea 10(%%rax), %%r10\n\tlea 11(%%rax), %%r11\n\tlea 12(%%rax), %%r12\n\tlea 13(%%rax), %%r13\n\t"   \
    "lea 14(%%rax), %%r14\n\tlea 15(%%rax), %%r15\n\t"                                                   \
    "1: " body "\n\tdecq reg_count\n\tjnz 1b\n\t"                                                        \
    SAME(rax, 0) SAME(rbx, 1) SAME(rcx, 2) SAME(rdx, 3) SAME(rsi, 4) SAME(rdi, 5) SAME(rbp, 6) SAME(r8, 8) \
    SAME(r9, 9) SAME(r10, 10) SAME(r11, 11) SAME(r12, 12) SAME(r13, 13) SAME(r14, 14) SAME(r15, 15)      \
    "pop %%rbx\n\tpop %%rbp"
#define SAME(reg, n) "sub reg_seed, %%" #reg "\n\tcmp $" #n ", %%" #reg "\n\tje 2f\n\tincq reg_wrong\n\t2: "
#define ALL "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc"

static void tick(int s)
{
    (void)s;
    // A call loads RCX and R11 with other things.
    (void)getppid();
    ticks++;
}

static void hold(unsigned long seed, unsigned long count)
{
    reg_seed = seed;
    reg_count = count;
    // The red zone below RSP is not ours to push into.
    __asm__ volatile("sub $128, %%rsp\n\t" HOLD("") "\n\tadd $128, %%rsp" : : : ALL);
}

// The same, with a page fault in each round: RBX walks through fresh pages and back.
static void hold_touching(unsigned long pages_at, unsigned long count)
{
    reg_seed = pages_at;
    reg_count = count;
    __asm__ volatile("sub $128, %%rsp\n\t"
                     HOLD("addq $4096, reg_seed\n\tadd $4096, %%rax\n\tadd $4096, %%rbx\n\tadd $4096, %%rcx\n\t"
                          "add $4096, %%rdx\n\tadd $4096, %%rsi\n\tadd $4096, %%rdi\n\tadd $4096, %%rbp\n\t"
                          "add $4096, %%r8\n\tadd $4096, %%r9\n\tadd $4096, %%r10\n\tadd $4096, %%r11\n\t"
                          "add $4096, %%r12\n\tadd $4096, %%r13\n\tadd $4096, %%r14\n\tadd $4096, %%r15\n\t"
                          "movb $1, (%%rbx)")
                     "\n\tadd $128, %%rsp" : : : ALL);
}

int main(void)
{
    struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    signal(SIGALRM, tick);
    pid_t other = fork();
    if (other == 0) {
        for (volatile unsigned long i = 0;; i++) {       // somebody to be preempted for
        }
    }
    setitimer(ITIMER_REAL, &every, NULL);
    for (int i = 0; i < 1000 && ticks < 20; i++) {
        hold(0x1122334455667788ul * (unsigned long)(i + 1), 200000);
    }
    say("held through signals: %s, wrong %lu", ticks >= 20 ? "yes" : "too few", reg_wrong);
    for (int i = 0; i < ROUNDS; i++) {
        char *p = mmap(NULL, (PAGES + 2) * 4096ul, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        hold_touching((unsigned long)p, PAGES);
        munmap(p, (PAGES + 2) * 4096ul);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    say("held through faults: wrong %lu", reg_wrong);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    return 0;
}
