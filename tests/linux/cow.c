// cow.c - copy-on-write over fork: no process sees another's stores, whoever writes, dies or forks first.
// test: smp=1,2,4 cache=default,tiny timeout=120
#include "show.h"

enum { PAGE = 4096, PAGES = 512 };

static unsigned long *memory;

static unsigned long sum(void)
{
    unsigned long s = 0;
    for (unsigned i = 0; i < PAGES; i++) {
        s = s * 31 + memory[i * (PAGE / 8) + i % 512];
    }
    return s;
}

static void fill(unsigned long seed)
{
    for (unsigned i = 0; i < PAGES; i++) {
        memory[i * (PAGE / 8) + i % 512] = seed * 2654435761u + i;
    }
}

// What fill(seed) makes sum() give, without memory.
static unsigned long expected(unsigned long seed)
{
    unsigned long s = 0;
    for (unsigned i = 0; i < PAGES; i++) {
        s = s * 31 + (seed * 2654435761u + i);
    }
    return s;
}

static void parent_and_child_write(void)
{
    int line[2];
    fill(1);
    if (pipe(line) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        truth(sum() == expected(1));
        (void)!read(line[0], &c, 1);
        truth(sum() == expected(1));             // the parent has written in the meantime
        fill(3);
        truth(sum() == expected(3));
        _exit(0);
    }
    fill(2);
    (void)!write(line[1], "g", 1);
    int status;
    waitpid(pid, &status, 0);
    child_status("child", status);
    truth(sum() == expected(2));
    close(line[0]);
    close(line[1]);
}

// Forks of forks: each writes a third of the pages, and checks all after its children have ended.
static int tree(unsigned level, unsigned long seed)
{
    int bad = 0;
    fill(seed);
    if (level > 0) {
        pid_t pid[3];
        for (unsigned i = 0; i < 3; i++) {
            pid[i] = fork();
            if (pid[i] == 0) {
                _exit(tree(level - 1, seed * 3 + i));
            }
        }
        for (unsigned i = 0; i < PAGES; i += 3) {
            memory[i * (PAGE / 8) + (i + 1) % 512] = seed;
        }
        for (unsigned i = 0; i < 3; i++) {
            int status = 1;
            waitpid(pid[i], &status, 0);
            bad |= status != 0;
        }
    }
    return bad | (sum() != expected(seed));
}

static void many_at_once(void)
{
    pid_t pid[16];
    fill(77);
    for (unsigned i = 0; i < 16; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            for (unsigned round = 0; round < 4; round++) {
                fill(i * 100 + round);
                if (sum() != expected(i * 100 + round)) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    int bad = 0;
    for (unsigned i = 0; i < 16; i++) {
        int status = 1;
        waitpid(pid[i], &status, 0);
        bad += status != 0;
    }
    say("wrong children: %d", bad);
    truth(sum() == expected(77));
}

static void stack_and_data(void)
{
    static int data = 5;
    volatile int local = 6;
    pid_t pid = fork();
    if (pid == 0) {
        data = 50;
        local = 60;
        _exit(data + local);
    }
    int status;
    waitpid(pid, &status, 0);
    child_status("stack and data", status);
    say("data %d local %d", data, local);
}

// The kernel writes into a copied page: read(2) into shared pages must copy them, too.
static void kernel_writes(void)
{
    int line[2];
    fill(9);
    if (pipe(line) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)!write(line[1], memory, 0);
        (void)!write(line[1], "ABCDEFGH", 8);
        (void)!read(line[0], memory, 8);
        _exit(memcmp(memory, "ABCDEFGH", 8) != 0);
    }
    int status;
    waitpid(pid, &status, 0);
    child_status("read into a shared page", status);
    truth(sum() == expected(9));
}

static void unmapped_by_child(void)
{
    fill(4);
    pid_t pid = fork();
    if (pid == 0) {
        munmap(memory, PAGE * PAGES);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    child_status("unmapped", status);
    truth(sum() == expected(4));
    pid = fork();
    if (pid == 0) {
        mprotect(memory, PAGE * PAGES, PROT_READ);
        _exit(sum() == expected(4) ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    child_status("protected", status);
    fill(5);
    truth(sum() == expected(5));
}

int main(void)
{
    memory = mmap(NULL, PAGE * PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return 1;
    }
    parent_and_child_write();
    say("tree: %d", tree(3, 1));
    many_at_once();
    stack_and_data();
    kernel_writes();
    unmapped_by_child();
    return 0;
}
