// calls.c - what the operations of a UNIX program cost: the same binary on Linux and on Quoin's emulator.
//
//     calls [NAME...]
//
// Prints `bench NAME COUNT` for each: the median of many single measurements, in ticks of RDTSC, less what an empty
// measurement costs.  Under -icount a tick is an instruction; the first line, `bench loop`, is a loop of exactly
// 1000 instructions and so says whether that is so.  One processor; all memory that is not part of the question is
// touched beforehand.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1000, PAGE = 4096 };

static uint64_t sample[MOST];
static uint64_t empty;                           // what measuring costs

static inline uint64_t clock_read(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

// A system call and nothing else.
static inline long call(long number, long a, long b, long c, long d)
{
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t median(unsigned count)
{
    qsort(sample, count, sizeof(sample[0]), by_value);
    uint64_t m = sample[count / 2];
    return m > empty ? m - empty : 0;
}

#define MEASURE(i, operation)                     \
    do {                                          \
        uint64_t start_ = clock_read();           \
        operation;                                \
        sample[i] = clock_read() - start_;        \
    } while (0)

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
    exit(1);
}

// ---- one function for each; the argument is how often, the result the count ----------------------------------

static uint64_t loop(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, __asm__ volatile("mov $499, %%ecx\n1:\tdec %%ecx\n\tjnz 1b\n\tnop" : : : "rcx", "cc"));
    }
    return median(n);
}

__attribute__((noinline, noipa)) static void nothing(void)
{
    __asm__ volatile("");
}

static uint64_t procedure_call(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, nothing());
    }
    return median(n);
}

static uint64_t getpid_call(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, call(SYS_getpid, 0, 0, 0, 0));
    }
    return median(n);
}

static uint64_t unknown_call(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, call(500, 0, 0, 0, 0));
    }
    return median(n);
}

static uint64_t fork_exit_wait(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t start = clock_read();
        pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
            give_up("fork");
        }
        sample[i] = clock_read() - start;
    }
    return median(n);
}

static uint64_t with_exec(unsigned n, pid_t (*fork_call)(void))
{
    static char *const argv[] = {"calls", "exit", NULL}, *const env[] = {NULL};
    for (unsigned i = 0; i < n; i++) {
        uint64_t start = clock_read();
        pid_t pid = fork_call();
        if (pid == 0) {
            execve("/bench/calls", argv, env);
            _exit(9);
        }
        int status = 1;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            give_up("exec");
        }
        sample[i] = clock_read() - start;
    }
    return median(n);
}

static uint64_t fork_exec_exit_wait(unsigned n)
{
    return with_exec(n, fork);
}

static uint64_t vfork_exec_exit_wait(unsigned n)
{
    // Written out: vfork returns twice and so cannot be called through a function of its own.
    static char *const argv[] = {"calls", "exit", NULL}, *const env[] = {NULL};
    for (unsigned i = 0; i < n; i++) {
        uint64_t start = clock_read();
        pid_t pid = vfork();
        if (pid == 0) {
            execve("/bench/calls", argv, env);
            _exit(9);
        }
        if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
            give_up("vfork");
        }
        sample[i] = clock_read() - start;
    }
    return median(n);
}

static uint64_t pipe_round_trip(unsigned n)
{
    int there[2], back[2];
    char byte = 0;
    if (pipe(there) < 0 || pipe(back) < 0) {
        give_up("pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(there[1]);
        close(back[0]);
        while (call(SYS_read, there[0], (long)&byte, 1, 0) == 1) {
            call(SYS_write, back[1], (long)&byte, 1, 0);
        }
        _exit(0);
    }
    close(there[0]);
    close(back[1]);
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, (call(SYS_write, there[1], (long)&byte, 1, 0), call(SYS_read, back[0], (long)&byte, 1, 0)));
    }
    close(there[1]);
    waitpid(pid, NULL, 0);
    close(back[0]);
    return median(n);
}

static uint64_t pipe_write_read(unsigned n)
{
    int p[2];
    char byte = 0;
    if (pipe(p) < 0) {
        give_up("pipe");
    }
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, (call(SYS_write, p[1], (long)&byte, 1, 0), call(SYS_read, p[0], (long)&byte, 1, 0)));
    }
    close(p[0]);
    close(p[1]);
    return median(n);
}

static uint64_t map_touch_unmap(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t start = clock_read();
        char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *(volatile char *)p = 1;
        munmap(p, PAGE);
        sample[i] = clock_read() - start;
    }
    return median(n);
}

static uint64_t protect_pair(unsigned n)
{
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)p = 1;
    for (unsigned i = 0; i < n; i++) {
        uint64_t start = clock_read();
        mprotect(p, PAGE, PROT_READ);
        mprotect(p, PAGE, PROT_READ | PROT_WRITE);
        *(volatile char *)p = 1;
        sample[i] = clock_read() - start;
    }
    munmap(p, PAGE);
    return median(n);
}

static volatile unsigned handled;
static void handler(int s)
{
    (void)s;
    handled++;
}

static uint64_t signal_to_self(unsigned n)
{
    struct sigaction act = {.sa_handler = handler};
    sigaction(SIGUSR1, &act, NULL);
    pid_t self = getpid();
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, call(SYS_kill, self, SIGUSR1, 0, 0));
    }
    if (handled < n) {
        give_up("signal");
    }
    return median(n);
}

static char *file_make(const char *path, unsigned pages)
{
    static char page[PAGE];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (unsigned i = 0; i < pages; i++) {
        memset(page, (int)i, PAGE);
        if (write(fd, page, PAGE) != PAGE) {
            give_up("file");
        }
    }
    close(fd);
    return page;
}

static uint64_t read_file(unsigned n)
{
    char *page = file_make("/tmp/bench.file", 16);
    int fd = open("/tmp/bench.file", O_RDONLY);
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, call(SYS_pread64, fd, (long)page, PAGE, (long)(i % 16 * PAGE)));
    }
    close(fd);
    unlink("/tmp/bench.file");
    return median(n);
}

static uint64_t open_close(unsigned n)
{
    file_make("/tmp/bench.file", 1);
    for (unsigned i = 0; i < n; i++) {
        MEASURE(i, call(SYS_close, call(SYS_open, (long)"/tmp/bench.file", O_RDONLY, 0, 0), 0, 0, 0));
    }
    unlink("/tmp/bench.file");
    return median(n);
}

// Memory that is large enough: for each page, when all of an aligned 2 MiB are touched.
static uint64_t first_touch_large(unsigned n)
{
    enum { LARGE = 2 << 20 };
    for (unsigned i = 0; i < n; i++) {
        char *p = mmap(NULL, 2 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char *at = (char *)(((uintptr_t)p + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
        uint64_t start = clock_read();
        for (unsigned k = 0; k < LARGE / PAGE; k++) {
            *(volatile char *)(at + k * PAGE) = 1;
        }
        sample[i] = (clock_read() - start) / (LARGE / PAGE);
        munmap(p, 2 * LARGE);
    }
    return median(n);
}

static uint64_t first_touch(unsigned n)
{
    // Below the size and alignment at which Linux would give one large page.
    unsigned pages = n < 256 ? n : 256;
    char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < pages; i++) {
        MEASURE(i, *(volatile char *)(p + i * PAGE) = 1);
    }
    munmap(p, pages * PAGE);
    return median(pages);
}

static uint64_t copy_on_write(unsigned n)
{
    unsigned pages = n < 128 ? n : 128;
    int line[2], end[2];
    char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), c;
    memset(p, 1, pages * PAGE);
    if (pipe(line) < 0 || pipe(end) < 0) {
        give_up("pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(end[1]);
        (void)!write(line[1], "r", 1);
        (void)!read(end[0], &c, 1);
        _exit(0);
    }
    (void)!read(line[0], &c, 1);
    for (unsigned i = 0; i < pages; i++) {
        MEASURE(i, *(volatile char *)(p + i * PAGE) = 2);
    }
    close(end[1]);
    waitpid(pid, NULL, 0);
    close(end[0]);
    close(line[0]);
    close(line[1]);
    munmap(p, pages * PAGE);
    return median(pages);
}

// A page that another process has already brought in: only the mapping is missing.
static uint64_t shared_touch(unsigned n)
{
    unsigned pages = n < 256 ? n : 256;
    char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        memset(p, 1, pages * PAGE);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    for (unsigned i = 0; i < pages; i++) {
        MEASURE(i, *(volatile char *)(p + i * PAGE) = 2);
    }
    munmap(p, pages * PAGE);
    return median(pages);
}

static const struct {
    const char *name;
    uint64_t (*fn)(unsigned);
    unsigned count;
} benches[] = {
    {"loop", loop, 101},
    {"procedure_call", procedure_call, 1000},
    {"getpid", getpid_call, 1000},
    {"unknown_call", unknown_call, 1000},
    {"pipe_round_trip", pipe_round_trip, 500},
    {"pipe_write_read", pipe_write_read, 500},
    {"fork_exit_wait", fork_exit_wait, 61},
    {"fork_exec_exit_wait", fork_exec_exit_wait, 61},
    {"vfork_exec_exit_wait", vfork_exec_exit_wait, 61},
    {"map_touch_unmap", map_touch_unmap, 301},
    {"protect_pair", protect_pair, 301},
    {"signal_to_self", signal_to_self, 301},
    {"read_4k", read_file, 301},
    {"open_close", open_close, 301},
    {"first_touch", first_touch, 256},
    {"first_touch_large", first_touch_large, 15},
    {"copy_on_write", copy_on_write, 128},
    {"shared_touch", shared_touch, 256},
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "exit") == 0) {
        _exit(0);
    }
    memset(sample, 0, sizeof(sample));
    for (unsigned i = 0; i < 101; i++) {
        MEASURE(i, (void)0);
    }
    empty = 0;
    empty = median(101);
    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
        int wanted = argc < 2;
        for (int k = 1; k < argc; k++) {
            wanted |= strcmp(argv[k], benches[i].name) == 0;
        }
        if (wanted) {
            printf("bench %s %llu\n", benches[i].name, (unsigned long long)benches[i].fn(benches[i].count));
            fflush(stdout);
        }
    }
    return 0;
}
