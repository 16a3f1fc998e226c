// crash.c - every way to crash: the parent sees the right signal, and a handler finds the right cause.
// test: smp=1,4 cache=default,tiny
#include "show.h"
#include <setjmp.h>
#include <ucontext.h>

static volatile int zero;
static char *volatile nowhere;

static void null_load(void)
{
    (void)*(volatile char *)nowhere;
}
static void null_store(void)
{
    *(volatile char *)nowhere = 1;
}
static void null_call(void)
{
    void (*volatile fn)(void) = (void (*)(void))(uintptr_t)nowhere;
    fn();
}
static void kernel_load(void)
{
    (void)*(volatile char *)0xffff800000000000ul;
}
static void kernel_store(void)
{
    *(volatile char *)0xffffffff80200000ul = 1;
}
static void noncanonical_load(void)
{
    (void)*(volatile char *)0x8000000000000000ul;
}
static void window_load(void)
{
    (void)*(volatile char *)0x0000100000000000ul;
}
static void text_store(void)
{
    *(volatile char *)(uintptr_t)null_load = 0;
}
static char data_page[8192] __attribute__((aligned(4096)));
static void data_call(void)
{
    data_page[0] = (char)0xc3;
    void (*volatile fn)(void) = (void (*)(void))(uintptr_t)data_page;
    fn();
}
static void divide(void)
{
    volatile int x = 1;
    x = x / zero;
}
static void undefined(void)
{
    __asm__ volatile("ud2");
}
static void breakpoint(void)
{
    __asm__ volatile("int3");
}
static void halt(void)
{
    __asm__ volatile("hlt");
}
static void interrupts_off(void)
{
    __asm__ volatile("cli");
}
static void port_in(void)
{
    unsigned char v;
    __asm__ volatile("inb $0x64, %0" : "=a"(v));
}
static void port_out(void)
{
    __asm__ volatile("outb %%al, $0xf4" : : "a"((unsigned char)0));
}
static void control_register(void)
{
    unsigned long v;
    __asm__ volatile("mov %%cr3, %0" : "=r"(v));
}
static void model_register(void)
{
    __asm__ volatile("wrmsr" : : "a"(0), "d"(0), "c"(0xc0000082u));
}
static void table_load(void)
{
    static const unsigned char table[10];
    __asm__ volatile("lidt %0" : : "m"(table));
}
static void soft_interrupt(void)
{
    __asm__ volatile("int $0x21");
}
static void double_fault_gate(void)
{
    __asm__ volatile("int $8");
}
static void bad_stack(void)
{
    __asm__ volatile("mov $0x1000, %%rsp\n\tpush %%rax" : : : "memory");
}
static void bad_stack_pointer(void)
{
    __asm__ volatile("mov $0x8000000000000000, %%rax\n\tmov %%rax, %%rsp\n\tpush %%rax" : : : "rax", "memory");
}
static void far_jump(void)
{
    __asm__ volatile("mov $0x7ffffffff000, %%rax\n\tjmp *%%rax" : : : "rax");
}
static void noncanonical_jump(void)
{
    __asm__ volatile("mov $0x4141414141414141, %%rax\n\tjmp *%%rax" : : : "rax");
}
static void segment_load(void)
{
    __asm__ volatile("mov %0, %%ds" : : "r"((unsigned short)0x10));
}
static void aborts(void)
{
    abort();
}
static void bus_error(void)
{
    // A file mapping beyond the file's last page.
    int fd = open("/tmp/crash.bus", O_RDWR | O_CREAT | O_TRUNC, 0600);
    (void)!ftruncate(fd, 100);
    unlink("/tmp/crash.bus");
    char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)*(volatile char *)p;
    (void)*(volatile char *)(p + 4096);
}

static const struct {
    const char *name;
    void (*fn)(void);
} ways[] = {
#define WAY(fn) {#fn, fn}
    WAY(null_load), WAY(null_store), WAY(null_call), WAY(kernel_load), WAY(kernel_store), WAY(noncanonical_load),
    WAY(window_load), WAY(text_store), WAY(data_call), WAY(divide), WAY(undefined), WAY(breakpoint), WAY(halt),
    WAY(interrupts_off), WAY(port_in), WAY(port_out), WAY(control_register), WAY(model_register), WAY(table_load),
    WAY(soft_interrupt), WAY(double_fault_gate), WAY(bad_stack), WAY(far_jump),
    WAY(noncanonical_jump), WAY(segment_load), WAY(aborts), WAY(bus_error),
#undef WAY
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static sigjmp_buf back;
static struct {
    int signal, code;
    void *addr;
    uintptr_t rip;
} seen;

static void note(int s, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    seen.signal = s;
    seen.code = info->si_code;
    seen.addr = info->si_addr;
    seen.rip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    siglongjmp(back, 1);
}

// The same crashes again, in this process, caught one after the other on an alternate stack.
static void caught(void)
{
    static char stack[32768];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS, SIGABRT};
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &act, NULL);
    }
    for (volatile unsigned i = 0; i < WAYS; i++) {
        memset(&seen, 0, sizeof(seen));
        if (sigsetjmp(back, 1) == 0) {
            ways[i].fn();
            say("%s: went on", ways[i].name);
            continue;
        }
        // si_code SI_KERNEL and the address differ by what the processor tells; those are said as such.
        const char *where = seen.addr == NULL ? "null" : "somewhere";
        say("%s: caught %d code %d at %s", ways[i].name, seen.signal, seen.code,
            seen.signal == SIGABRT || seen.signal == SIGTRAP ? "-" : where);
        if (ways[i].fn == kernel_load) {
            truth(seen.addr == (void *)0xffff800000000000ul);
        }
        if (ways[i].fn == text_store) {
            truth(seen.addr == (void *)(uintptr_t)null_load);
        }
        if (ways[i].fn == data_call) {
            truth(seen.addr == (void *)data_page && seen.rip == (uintptr_t)data_page);
        }
        if (ways[i].fn == undefined) {
            truth(seen.rip == (uintptr_t)seen.addr);
        }
        if (ways[i].fn == null_call) {
            truth(seen.rip == 0);
        }
    }
}

int main(void)
{
    for (unsigned i = 0; i < WAYS; i++) {
        in_child(ways[i].name, ways[i].fn);
    }
    // A processor reports this one as a stack fault, emulators as a protection fault.
    pid_t pid = fork();
    if (pid == 0) {
        bad_stack_pointer();
    }
    int status;
    waitpid(pid, &status, 0);
    truth(WIFSIGNALED(status) && (WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV));
    in_child("all caught", caught);
    // Still here, and memory is as it was.
    truth(zero == 0 && nowhere == NULL);
    return 0;
}
