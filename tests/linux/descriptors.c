// descriptors.c - descriptor tables: dup, fcntl, sharing over fork, closing on exec, limits, locks.
// test: smp=1 cache=default,tiny
#include "show.h"
#include <sys/file.h>
#include <sys/resource.h>

static char *self;

static void dups(void)
{
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);
    say("lowest free: %d", fd);
    show(dup(fd));
    show(dup2(fd, 10));
    show(dup2(fd, fd));
    show(dup2(99, 99));
    show(dup2(99, 5));
    show(dup2(fd, -1));
    show(dup2(fd, 1 << 20));
    show(syscall(SYS_dup3, fd, fd, 0));
    show(syscall(SYS_dup3, fd, 12, 1));
    show(syscall(SYS_dup3, fd, 12, O_CLOEXEC));
    show(dup(99));
    (void)!write(fd, "abc", 3);
    show(lseek(10, 0, SEEK_CUR));
    show(fcntl(fd, F_DUPFD, 20));
    show(fcntl(fd, F_DUPFD_CLOEXEC, 20));
    show(fcntl(fd, F_DUPFD, -1));
    show(fcntl(fd, F_DUPFD, 1 << 30));
    show(fcntl(21, F_GETFD));
    show(fcntl(20, F_GETFD));
    show(fcntl(20, F_SETFD, FD_CLOEXEC));
    show(fcntl(20, F_GETFD));
    show(fcntl(99, F_GETFD));
    show(fcntl(fd, 9999));
    say("flags %o", fcntl(fd, F_GETFL) & ~O_LARGEFILE & ~0100000);
    show(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    say("flags %o, of the copy %o", fcntl(fd, F_GETFL) & ~0100000, fcntl(10, F_GETFL) & ~0100000);
    close(fd);
    show(write(10, "d", 1));
    file_say("f");
    show(close(10));
    show(syscall(SYS_close_range, 11, 30, 0));
    show(close(12));
    show(syscall(SYS_close_range, 5, 3, 0));
}

static void forked(void)
{
    int fd = open("g", O_RDWR | O_CREAT | O_TRUNC, 0644);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!write(fd, "child ", 6);
        close(fd);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    (void)!write(fd, "parent", 6);
    file_say("g");
    show(lseek(fd, 0, SEEK_CUR));
}

static void over_exec(void)
{
    int fd = open("h", O_RDWR | O_CREAT | O_TRUNC, 0644);
    dup2(fd, 20);
    fcntl(fd, F_DUPFD_CLOEXEC, 30);
    int other = open("h", O_RDONLY | O_CLOEXEC);
    dup2(other, 40);
    execl(self, "descriptors", "inner", (char *)NULL);
    say("no exec: %s", error_name(errno));
}

// After exec: which descriptors are left?
static int inner(void)
{
    for (int fd = 3; fd < 64; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            say("open: %d flags %d", fd, fcntl(fd, F_GETFD));
        }
    }
    return 5;
}

static void limits(void)
{
    struct rlimit limit;
    show(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 16;
    show(setrlimit(RLIMIT_NOFILE, &limit));
    int last = -1, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
        last = fd;
    }
    say("last %d: %s", last, error_name(errno));
    int p[2];
    show(pipe(p));
    show(dup(0));
    show(close(7));
    show(open("/dev/null", O_RDONLY));
    show(dup2(0, 16));
    limit.rlim_cur = limit.rlim_max + 1;
    show(setrlimit(RLIMIT_NOFILE, &limit));
    show(getrlimit(99, &limit));
}

static void many(void)
{
    static int fd[900];
    int count = 0;
    for (int i = 0; i < 900; i++) {
        fd[i] = open("/dev/zero", O_RDONLY);
        count += fd[i] >= 0;
    }
    say("first %d, opened %d", fd[0], count);
    bool good = true;
    char b;
    for (int i = 0; i < 900; i++) {
        good = good && read(fd[i], &b, 1) == 1;
    }
    truth(good);
}

static void locks(void)
{
    int a = open("l", O_RDWR | O_CREAT, 0644), b = open("l", O_RDWR);
    show(flock(a, LOCK_EX));
    show(flock(b, LOCK_EX | LOCK_NB));
    show(flock(a, LOCK_UN));
    show(flock(b, LOCK_SH | LOCK_NB));
    show(flock(a, LOCK_SH | LOCK_NB));
    show(flock(a, LOCK_EX | LOCK_NB));
    show(flock(99, LOCK_EX));
    close(a);
    close(b);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "inner") == 0) {
        return inner();
    }
    self = realpath("/proc/self/exe", NULL);
    struct rlimit limit = {1024, 1024};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 3; fd < 64; fd++) {
        close(fd);
    }
    scratch_enter();
    in_child("dups", dups);
    in_child("forked", forked);
    in_child("over exec", over_exec);
    in_child("limits", limits);
    in_child("many", many);
    in_child("locks", locks);
    return 0;
}
