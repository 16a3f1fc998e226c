// memory.c - mmap, munmap, mprotect, brk, mremap, madvise: placement, splitting, sharing, errors, faults.
// test: smp=1,4 cache=default,tiny
#include "show.h"
#include <setjmp.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static sigjmp_buf back;
static void *fault_at;
static int fault_code;

static void on_fault(int s, siginfo_t *info, void *context)
{
    (void)context;
    fault_at = info->si_addr;
    fault_code = s * 100 + info->si_code;
    siglongjmp(back, 1);
}

// 0: the access works; else signal*100 + code.
static int touch(volatile char *p, bool write)
{
    fault_code = 0;
    if (sigsetjmp(back, 1) == 0) {
        if (write) {
            *p = 1;
        } else {
            (void)*p;
        }
    } else if (fault_at != (void *)p) {
        say("wrong fault address");
    }
    return fault_code;
}

static void map_line(char *base, int pages, const char *what)
{
    char line[64];
    for (int i = 0; i < pages; i++) {
        int r = touch(base + i * PAGE, false), w = touch(base + i * PAGE, true);
        line[i] = r == 0 && w == 0 ? 'w' : r == 0 ? 'r' : r == 1102 ? '-' : r == 1101 ? '.' : '?';
    }
    line[pages] = 0;
    say("%s: %s", what, line);
}

static char *map(size_t pages, int prot)
{
    char *p = mmap(NULL, pages * PAGE, prot, ANON, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void errors(void)
{
    show(mmap(NULL, 0, RW, ANON, -1, 0));
    show(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    show(mmap((void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    show(mmap((void *)0xffff800000000000ul, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    show(syscall(SYS_mmap, NULL, PAGE, RW, MAP_PRIVATE, 0, 1));
    show(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
    show(mmap(NULL, PAGE, RW, MAP_PRIVATE, 12345, 0));
    show(mmap(NULL, 1ul << 47, RW, ANON | MAP_NORESERVE, -1, 0));
    show(mmap(NULL, ~0ul, RW, ANON, -1, 0));
    char *p = map(4, RW);
    show(munmap(p + 1, PAGE));
    show(munmap(p, 0));
    show(munmap((void *)0xffff800000000000ul, PAGE));
    show(munmap((void *)0x10000, PAGE));
    show(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ));
    show(mprotect(p, 0, PROT_READ));
    show(mprotect((void *)0x10000, PAGE, PROT_READ));
    show(mprotect(p, PAGE, 0x1000000));
    show(madvise(p, PAGE, 9999));
    show(madvise(p + 1, PAGE, MADV_DONTNEED));
    show(mremap(p, PAGE, 0, 0));
    show(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    int fd = open("/tmp/memory.ro", O_RDONLY | O_CREAT | O_TRUNC, 0600);
    unlink("/tmp/memory.ro");
    show(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
    truth(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    close(fd);
    fd = open("/tmp", O_RDONLY);
    show(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    close(fd);
}

static void splitting(void)
{
    char *p = map(12, RW);
    map_line(p, 12, "fresh");
    show(munmap(p + 3 * PAGE, 2 * PAGE));
    map_line(p, 12, "hole");
    show(mprotect(p + 6 * PAGE, 2 * PAGE, PROT_READ));
    map_line(p, 12, "read-only part");
    show(mprotect(p + 7 * PAGE, 2 * PAGE, PROT_NONE));
    map_line(p, 12, "closed part");
    show(mprotect(p, 12 * PAGE, PROT_READ));
    show(mprotect(p + 5 * PAGE, 7 * PAGE, RW));
    map_line(p, 12, "reopened");
    truth(mmap(p + 2 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + 2 * PAGE);
    map_line(p, 12, "over the hole");
    say("new page is zero: %d, old page keeps: %d", p[5 * PAGE + 1], p[6 * PAGE]);
    show(munmap(p, 12 * PAGE));
    map_line(p, 12, "gone");
    show(munmap(p, 12 * PAGE));
    char *hint = mmap(p, PAGE, RW, ANON, -1, 0);
    truth(hint == p);
    munmap(hint, PAGE);
}

static void zeroed(void)
{
    char *p = map(256, RW);
    unsigned bad = 0;
    for (int i = 0; i < 256 * PAGE; i += 8) {
        bad += *(unsigned long *)(p + i) != 0;
    }
    say("fresh words not zero: %u", bad);
    memset(p, 0xee, 256 * PAGE);
    show(madvise(p, 128 * PAGE, MADV_DONTNEED));
    bad = 0;
    for (int i = 0; i < 128 * PAGE; i += 8) {
        bad += *(unsigned long *)(p + i) != 0;
    }
    say("dropped words not zero: %u, kept: %x", bad, (unsigned char)p[128 * PAGE]);
    munmap(p, 256 * PAGE);
    p = map(256, RW);
    bad = 0;
    for (int i = 0; i < 256 * PAGE; i += 8) {
        bad += *(unsigned long *)(p + i) != 0;
    }
    say("reused words not zero: %u", bad);
    munmap(p, 256 * PAGE);
}

static void breaks(void)
{
    char *start = (char *)syscall(SYS_brk, 0);
    truth((char *)syscall(SYS_brk, start + 10 * PAGE) == start + 10 * PAGE);
    map_line((char *)(((uintptr_t)start + PAGE - 1) & ~(uintptr_t)(PAGE - 1)), 9, "break");
    memset(start, 7, 10 * PAGE);
    truth((char *)syscall(SYS_brk, start + 2 * PAGE) == start + 2 * PAGE);
    truth((char *)syscall(SYS_brk, start + 10 * PAGE) == start + 10 * PAGE);
    say("kept %d, zeroed %d", start[100], start[9 * PAGE]);
    truth((char *)syscall(SYS_brk, 1) == start + 10 * PAGE);
    truth((char *)syscall(SYS_brk, 0xffff800000000000ul) == start + 10 * PAGE);
    truth((char *)syscall(SYS_brk, start) == start);
}

static void moves(void)
{
    char *p = map(4, RW);
    for (int i = 0; i < 4; i++) {
        p[i * PAGE] = (char)('a' + i);
    }
    char *q = mremap(p, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    truth(q != MAP_FAILED);
    say("moved: %c%c%c%c%d", q[0], q[PAGE], q[2 * PAGE], q[3 * PAGE], q[4 * PAGE]);
    truth(mremap(q, 64 * PAGE, 2 * PAGE, 0) == q);
    map_line(q, 4, "shrunk");
    char *target = map(8, PROT_NONE);
    truth(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
    say("fixed: %d%d", target[0], target[PAGE]);
    truth(touch(q, false) == 1101);
}

static void files(void)
{
    char buffer[64];
    int fd = open("/tmp/memory.map", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < 3; i++) {
        snprintf(buffer, sizeof(buffer), "page %d", i);
        (void)!pwrite(fd, buffer, strlen(buffer), i * PAGE);
    }
    char *shared = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 0);
    char *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    say("[%s] [%s] [%s]", shared, private + PAGE, second);
    memcpy(shared + PAGE, "PAGE", 4);
    memcpy(private + 2 * PAGE, "MINE", 4);
    say("[%s] [%s] [%s] [%s]", shared + PAGE, second, private + PAGE, shared + 2 * PAGE);
    (void)!pread(fd, buffer, 6, PAGE);
    say("read: %.6s", buffer);
    (void)!pwrite(fd, "write!", 6, 0);
    say("[%s] tail %d", shared, shared[2 * PAGE + 100]);
    truth(touch(second, true) == 1102);
    show(msync(shared, 3 * PAGE, MS_SYNC));
    show(ftruncate(fd, PAGE));
    truth(touch(shared + PAGE, false) == 702);
    show(ftruncate(fd, 3 * PAGE));
    say("zeros again: %d", shared[PAGE]);
    close(fd);
    strcpy(shared, "after close");
    say("[%s]", shared);
    unlink("/tmp/memory.map");
    strcpy(shared, "after unlink");
    say("[%s]", shared);
    munmap(shared, 3 * PAGE);
    munmap(private, 3 * PAGE);
}

static void shared_over_fork(void)
{
    volatile int *word = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *own = mmap(NULL, PAGE, RW, ANON, -1, 0);
    *word = 1;
    *own = 1;
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            __atomic_fetch_add(word, 10, __ATOMIC_SEQ_CST);
            *own += 10;
            _exit(*own);
        }
        int status;
        waitpid(pid, &status, 0);
        child_status("writer", status);
    }
    say("shared %d, own %d", *word, *own);
}

static void executable(void)
{
    static const unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3};   // mov $42, %eax; ret
    char *p = map(1, RW);
    memcpy(p, code, sizeof(code));
    show(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    say("generated code gives %d", ((int (*)(void))(uintptr_t)p)());
    truth(touch(p, true) == 1102);
    mprotect(p, PAGE, RW);
    p[1] = 43;
    mprotect(p, PAGE, PROT_READ | PROT_EXEC);
    say("changed code gives %d", ((int (*)(void))(uintptr_t)p)());
}

int main(void)
{
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
    in_child("errors", errors);
    in_child("splitting", splitting);
    in_child("zeroed", zeroed);
    in_child("breaks", breaks);
    in_child("moves", moves);
    in_child("files", files);
    in_child("shared over fork", shared_over_fork);
    in_child("executable", executable);
    return 0;
}
