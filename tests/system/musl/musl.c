// musl.c - a C program that is an application kernel: what it takes from its C library, it gets.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int failures;
static __thread int per_thread = 41;
static int constructed;

__attribute__((constructor)) static void construct(void)
{
    constructed = 1;
}

static void check(int good, const char *name)
{
    printf("%s %s\n", good ? "ok" : "not ok", name);
    failures += !good;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void memory(void)
{
    void *kept[200];
    size_t size[200];
    int good = 1;

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 200; i++) {
            size[i] = (size_t)(i * i * 7 % 20000 + 1);
            kept[i] = malloc(size[i]);
            good = good && kept[i] != NULL;
            memset(kept[i], i, size[i]);
        }
        for (int i = 0; i < 200; i++) {
            good = good && ((unsigned char *)kept[i])[size[i] - 1] == (unsigned char)i;
            kept[i] = realloc(kept[i], size[i] * 2);
            good = good && ((unsigned char *)kept[i])[size[i] - 1] == (unsigned char)i;
        }
        for (int i = 0; i < 200; i++) {
            free(kept[i]);
        }
    }
    check(good, "malloc, realloc and free");
    void *large = malloc(2 << 20);
    check(large != NULL, "two MiB at once");
    free(large);
    check(malloc(1ul << 40) == NULL && errno == ENOMEM, "too much memory is refused");
    void *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(page != MAP_FAILED && ((char *)page)[8191] == 0 && munmap(page, 8192) == 0, "mmap and munmap");
    check(munmap(page, 8192) == -1 && errno == EINVAL, "munmap of what is not mapped");
    check(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EACCES,
          "executable memory is refused");
}

static void numbers(void)
{
    double v[100];
    char text[64];

    for (int i = 0; i < 100; i++) {
        v[i] = fmod(i * 37.5, 11.25);
    }
    qsort(v, 100, sizeof(v[0]), compare);
    int sorted = 1;
    for (int i = 1; i < 100; i++) {
        sorted = sorted && v[i - 1] <= v[i];
    }
    check(sorted, "qsort of floating-point numbers");
    snprintf(text, sizeof(text), "%.6f %g %e", M_PI, 1e100, sqrt(2));
    check(strcmp(text, "3.141593 1e+100 1.414214e+00") == 0, text);
    check(strtod("2.5e3", NULL) == 2500 && strtol("-0x7f", NULL, 16) == -127, "strtod and strtol");
}

static void clocks(void)
{
    struct timespec begin, end, nap = {0, 20000000};
    time_t now = time(NULL);

    clock_gettime(CLOCK_MONOTONIC, &begin);
    check(nanosleep(&nap, NULL) == 0, "nanosleep");
    clock_gettime(CLOCK_MONOTONIC, &end);
    double passed = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    check(passed >= 0.02 && passed < 5, "it takes as long as it should");
    check(now > 1600000000, "the wall clock is set");
    nap.tv_nsec = -1;
    check(nanosleep(&nap, NULL) == -1 && errno == EINVAL, "nanosleep of a bad time");
}

static void *nothing(void *argument)
{
    return argument;
}

static void refused(void)
{
    pthread_t thread;

    check(open("/etc/passwd", O_RDONLY) == -1 && errno == ENOSYS, "there are no files");
    check(fork() == -1 && errno == ENOSYS, "there are no other processes");
    check(pthread_create(&thread, NULL, nothing, NULL) != 0, "there are no threads");
    check(write(5, "x", 1) == -1 && errno == EBADF, "a descriptor that is none");
    check(lseek(1, 0, SEEK_SET) == -1 && errno == ESPIPE, "the console cannot seek");
}

int main(int argc, char **argv)
{
    struct utsname names;

    check(argc == 4 && strcmp(argv[1], "one") == 0 && strcmp(argv[3], "three") == 0 && argv[4] == NULL, "arguments");
    check(getenv("HOME") == NULL, "an empty environment");
    check(constructed, "constructors have run");
    check(per_thread++ == 41 && per_thread == 42, "thread-local data");
    check(uname(&names) == 0 && strcmp(names.sysname, "Quoin") == 0, "uname");
    check(isatty(1), "standard output is a terminal");
    memory();
    numbers();
    clocks();
    refused();
    fprintf(stderr, "musl: standard error is the log\n");
    return failures;
}
