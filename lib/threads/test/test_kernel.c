// test_kernel.c - the same program on kernel threads, one to one: those of the host, by its bare system calls.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <linux/futex.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "work.h"

enum { THREADS_MOST = 4096 };
static uint32_t token[THREADS_MOST];     // by handle: 1 is a wake that has not been seen
static uint32_t handles, created, exited;
static uint64_t ticks;

static uint64_t call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    register uint64_t r10 __asm__("r10") = d;
    uint64_t result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}
static bool create(va_t fs_base, va_t stack, void (*entry)(void *), void *argument, uint32_t priority,
                   uint64_t *handle)
{
    uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS;
    register uint64_t r8 __asm__("r8") = fs_base;
    uint64_t result;

    (void)priority;
    *handle = __atomic_add_fetch(&handles, 1, __ATOMIC_RELAXED) % THREADS_MOST;
    token[*handle] = 0;
    __atomic_fetch_add(&created, 1, __ATOMIC_RELAXED);
    __asm__ volatile("mov %[entry], %%r12\n\tmov %[argument], %%r13\n\txor %%edx, %%edx\n\txor %%r10d, %%r10d\n\t"
                     "syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\tmov %%r13, %%rdi\n\tcall *%%r12\n\tud2\n1:"
                     : "=a"(result)
                     : "a"(SYS_clone), "D"(flags), "S"(stack), "r"(r8), [entry] "r"(entry), [argument] "r"(argument)
                     : "rcx", "rdx", "r10", "r11", "r12", "r13", "memory");
    return (int64_t)result > 0;
}
static void leave(uint32_t *over)
{
    __atomic_fetch_add(&exited, 1, __ATOMIC_RELAXED);
    __asm__ volatile("movl $1, (%0)\n\txor %%edi, %%edi\n\tsyscall" : : "r"(over), "a"(SYS_exit) : "memory");
}
static void block(uint64_t handle, uint64_t until)
{
    struct { int64_t s, ns; } soon = {0, 100000};

    if (__atomic_exchange_n(&token[handle], 0, __ATOMIC_SEQ_CST) == 0) {
        call(SYS_futex, (uint64_t)&token[handle], FUTEX_WAIT, 0, until != 0 ? (uint64_t)&soon : 0);
    }
}
static void wake(uint64_t handle)
{
    __atomic_store_n(&token[handle], 1, __ATOMIC_SEQ_CST);
    call(SYS_futex, (uint64_t)&token[handle], FUTEX_WAKE, 1, 0);
}
static void yield(void)
{
    call(SYS_sched_yield, 0, 0, 0, 0);
}
static void set_priority(uint64_t handle, uint32_t priority)
{
    (void)handle, (void)priority;
}
static uint64_t now(void)
{
    return __atomic_add_fetch(&ticks, 1, __ATOMIC_RELAXED);
}
static void *allocate(size_t bytes)
{
    return (void *)__extension__({
        register uint64_t r8 __asm__("r8") = (uint64_t)-1, r9 __asm__("r9") = 0;
        register uint64_t r10 __asm__("r10") = MAP_PRIVATE | MAP_ANONYMOUS;
        uint64_t at;
        __asm__ volatile("syscall" : "=a"(at) : "a"(SYS_mmap), "D"(0), "S"(bytes), "d"(PROT_READ | PROT_WRITE),
                         "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
        at;
    });
}
static void *first(void *argument)
{
    struct threads_statistics s;

    work_first(argument);
    threads_read_statistics(&s);
    bool right = work_result == work_expected((uint64_t)argument) && created == s.forks && s.forks > 100;
    call(SYS_exit_group, right ? 0 : 3, 0, 0, 0);
    return NULL;
}
static void kernel_threads(void)
{
    static const struct kernel_backend backend = {create, leave, block, wake, yield, yield, set_priority, 0};
    struct threads_setup setup = {.memory = {allocate}, .machine = {.now = now}, .kernel = &backend};

    (void)threads_begin(&setup, first, (void *)20);
}

static void test_kernel(void **state)
{
    (void)state;
    host_child(kernel_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
