// large.c - memory that is large enough for large pages: fork, munmap, mprotect, mremap and madvise cut it anywhere.
// test: smp=1,2,4 cache=default,tiny timeout=120
#include "show.h"

enum { PAGE = 4096, LARGE = 2 << 20, SIZE = 4 * LARGE, PAGES = SIZE / PAGE };

static unsigned long *at(char *p, unsigned page)
{
    return (unsigned long *)(p + (size_t)page * PAGE + page % 500 * 8);
}

// Every page is written, or adds to the sum.
static void fill(char *p, unsigned pages, unsigned long seed)
{
    for (unsigned i = 0; i < pages; i++) {
        *at(p, i) = seed * 2654435761u + i;
    }
}

static unsigned long sum(char *p, unsigned from, unsigned to)
{
    unsigned long s = 0;
    for (unsigned i = from; i < to; i++) {
        s = s * 31 + *at(p, i);
    }
    return s;
}

static char *map(void)
{
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        say("mmap failed");
        exit(1);
    }
    return p;
}

static bool zero(char *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

// Does a store to p end a child by SIGSEGV?
static void store_dies(char *p, const char *what)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        *(volatile char *)p = 1;
        _exit(3);
    }
    waitpid(pid, &status, 0);
    child_status(what, status);
}

static void cleared(void)
{
    char *p = map();
    p[SIZE / 2 + 17] = 1;
    say("first write: the rest is clear %d", zero(p, 0, SIZE / 2) && zero(p, SIZE / 2 + 18, SIZE));
    fill(p, PAGES, 1);
    say("all written: %lu", sum(p, 0, PAGES));
    munmap(p, SIZE);
    p = map();
    p[LARGE] = 0;
    say("memory used before is clear %d", zero(p, 0, SIZE));
    munmap(p, SIZE);
}

static void forked(void)
{
    char *p = map();
    fill(p, PAGES, 2);
    for (unsigned round = 0; round < 3; round++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
            unsigned long before = sum(p, 0, PAGES);
            for (unsigned i = 500; i < 1000; i += 1 + round) {
                *at(p, i) += 1;
            }
            bool differs = sum(p, 0, PAGES) != before;
            for (unsigned i = 500; i < 1000; i += 1 + round) {
                *at(p, i) -= 1;
            }
            _exit(differs && sum(p, 0, PAGES) == before ? 0 : 1);
        }
        *at(p, 700 + round) = round;                        // while the child may still share it
        waitpid(pid, &status, 0);
        child_status("a child", status);
        say("fork %u: parent %lu", round, sum(p, 0, PAGES));
    }
    fill(p, PAGES, 3);                                      // alone again
    say("after the forks: %lu", sum(p, 0, PAGES));
    munmap(p, SIZE);
}

static void cut(void)
{
    char *p = map();
    fill(p, PAGES, 4);
    show(munmap(p + 3 * PAGE, 2 * PAGE));
    show(munmap(p + LARGE + LARGE / 2, LARGE));
    store_dies(p + 4 * PAGE, "a store in the hole");
    say("before, between, behind: %lu %lu %lu", sum(p, 0, 3), sum(p, 5, 768), sum(p, 1280, PAGES));
    char *again = mmap(p + 3 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    truth(again == p + 3 * PAGE && zero(again, 0, 2 * PAGE));
    fill(p, 768, 5);
    say("filled again: %lu", sum(p, 0, 768));
    munmap(p, SIZE);
}

static void protected(void)
{
    char *p = map();
    fill(p, PAGES, 6);
    show(mprotect(p + 100 * PAGE, 50 * PAGE, PROT_READ));
    store_dies(p + 120 * PAGE, "a store where it may only be read");
    *at(p, 99) = 1;
    *at(p, 150) = 2;
    say("beside it: %lu", sum(p, 0, PAGES));
    show(mprotect(p, SIZE, PROT_NONE));
    store_dies(p, "a store where nothing may be done");
    show(mprotect(p, SIZE, PROT_READ | PROT_WRITE));
    fill(p + LARGE, 600, 7);
    say("allowed again: %lu", sum(p, 0, PAGES));
    munmap(p, SIZE);
}

static void moved(void)
{
    char *p = map();
    fill(p, PAGES, 8);
    show(madvise(p + LARGE - 3 * PAGE, 6 * PAGE, MADV_DONTNEED));
    say("dropped: %lu", sum(p, 0, PAGES));
    char *to = map();
    char *q = mremap(p + 7 * PAGE, LARGE, LARGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 9 * PAGE);
    truth(q == to + 9 * PAGE);
    unsigned long s = 0;
    for (size_t i = 0; i < LARGE; i += 512) {
        s = s * 31 + (unsigned char)q[i];
    }
    say("moved: %lu, left: %lu", s, sum(p, 519, PAGES));
    q[5] = 1;
    fill(to, 9, 9);
    say("beside it: %lu", sum(to, 0, 9));
    munmap(p, SIZE);
    munmap(to, SIZE);
}

// Several children at once, each with memory of its own and a part of the parent's.
static void many(void)
{
    char *p = map();
    fill(p, PAGES, 10);
    for (unsigned i = 0; i < 4; i++) {
        if (fork() == 0) {
            char *own = map();
            fill(own, PAGES, i);
            fill(p + (size_t)i * LARGE, 512, i);
            bool same = sum(p + (size_t)i * LARGE, 0, 512) == sum(own, 0, 512);
            _exit(same && sum(p, 0, PAGES) != sum(own, 0, PAGES) ? 0 : 1);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        int status = 0;
        wait(&status);
        child_status("one of four", status);
    }
    say("the parent's: %lu", sum(p, 0, PAGES));
    char *heap = malloc(3 * LARGE);
    fill(heap, 3 * 512 - 1, 11);
    say("heap: %lu", sum(heap, 0, 3 * 512 - 1));
    free(heap);
}

int main(void)
{
    cleared();
    forked();
    cut();
    protected();
    moved();
    many();
    return 0;
}
