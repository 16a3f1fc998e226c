// lost.c - SIGBUS: a page behind the end of its file; with an argument, a page whose memory fails: see
// tests/command/lost.sh.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile char *page;
static volatile sig_atomic_t code, offset;

// A fresh page takes the place of the one that is gone, as a program does that can compute its contents again.
static void bus(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    code = info->si_code;
    offset = (int)((char *)info->si_addr - page);
    mmap((void *)page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = bus, .sa_flags = SA_SIGINFO};
    char name[] = "file";
    int file = 0;

    (void)argv;
    sigaction(SIGBUS, &action, NULL);
    if (argc > 1) {
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        page[24] = 'x';
        printf("# touch %lx\n", (unsigned long)page);
        fflush(stdout);
    } else {
        FILE *f = fopen(name, "w+");
        file = fileno(f);
        page = mmap(NULL, 8192, PROT_READ, MAP_SHARED, file, 0);
        page += 4096;
        ftruncate(file, 100);
    }
    while (code == 0) {
        (void)page[24];
    }
    printf("SIGBUS, %s, at byte %d of the page\n", code == BUS_MCEERR_AR ? "lost memory" :
           code == BUS_ADRERR ? "no such address" : "?", (int)offset);
    printf("now it is %d\n", page[24]);
    return 0;
}
