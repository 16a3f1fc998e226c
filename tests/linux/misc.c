// misc.c - calls of shells and C libraries that fit nowhere else: sendfile, chroot, prctl, affinity, locks, pselect.
// test: smp=1,2 cache=default,tiny
#include "show.h"
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>

static void sending(void)
{
    static char block[20000];
    memset(block, 's', sizeof(block));
    int in = open("in", O_RDWR | O_CREAT | O_TRUNC, 0644), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644), p[2];
    (void)!write(in, block, sizeof(block));
    off_t at = 5;
    show(sendfile(out, in, &at, 100));
    say("offset %ld", (long)at);
    lseek(in, 0, SEEK_SET);
    show(sendfile(out, in, NULL, 1 << 20));
    show(sendfile(out, in, NULL, 10));
    show(lseek(out, 0, SEEK_CUR));
    show(sendfile(99, in, NULL, 1));
    show(sendfile(out, 99, NULL, 1));
    if (pipe(p) == 0) {
        at = 0;
        show(sendfile(p[1], in, &at, 3000));
        show(read(p[0], block, sizeof(block)));
        show(sendfile(out, p[0], NULL, 1));
    }
    show(fsync(out));
    show(fdatasync(out));
    show(fsync(99));
    show(posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL));
    struct statfs fs;
    show(statfs(".", &fs));
    truth(fs.f_bsize >= 512 && fs.f_bsize <= 65536 && fs.f_namelen == 255);
    show(fstatfs(in, &fs));
    show(statfs("nothing", &fs));
}

static void locks(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10}, ask;
    int fd = open("lock", O_RDWR | O_CREAT, 0644), ready[2], gate[2];
    if (pipe(ready) < 0 || pipe(gate) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(gate[1]);
        say("child locks: %d", fcntl(fd, F_SETLK, &lock));
        (void)!write(ready[1], "r", 1);
        (void)!read(gate[0], &c, 1);
        _exit(0);
    }
    char c;
    (void)!read(ready[0], &c, 1);
    show(fcntl(fd, F_SETLK, &lock));
    ask = lock;
    ask.l_type = F_RDLCK;
    show(fcntl(fd, F_GETLK, &ask));
    truth(ask.l_type == F_WRLCK && ask.l_start == 10 && ask.l_len == 10 && ask.l_pid == pid);
    lock.l_start = 20;
    show(fcntl(fd, F_SETLK, &lock));
    close(gate[1]);
    waitpid(pid, NULL, 0);
    lock.l_start = 10;
    show(fcntl(fd, F_SETLKW, &lock));
    lock.l_type = F_UNLCK;
    show(fcntl(fd, F_SETLK, &lock));
    lock.l_type = 77;
    show(fcntl(fd, F_SETLK, &lock));
}

static void names(void)
{
    char name[16] = "";
    show(prctl(PR_SET_NAME, "a name longer than fits"));
    show(prctl(PR_GET_NAME, name));
    say("[%s]", name);
    show(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    int s = 0;
    show(prctl(PR_GET_PDEATHSIG, &s));
    say("%d", s);
    show(prctl(PR_SET_PDEATHSIG, 999));
    show(prctl(0x12345678, 0, 0, 0, 0));
}

static void scheduling(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    show(sched_getaffinity(0, sizeof(set), &set) >= 0);
    truth(CPU_COUNT(&set) >= 1);
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    show(sched_setaffinity(0, sizeof(set), &set));
    CPU_ZERO(&set);
    show(sched_setaffinity(0, sizeof(set), &set));
    show(sched_getaffinity(1 << 28, sizeof(set), &set));
    show(syscall(SYS_sched_getaffinity, 0, 3, &set));
    show(sched_yield());
    truth(getpriority(PRIO_PROCESS, 0) == nice(0));  // the reference's is that of whoever runs it
}

static void roots(void)
{
    if (getuid() != 0) {
        say("not the superuser");
        return;
    }
    mkdir("jail", 0755);
    mkdir("jail/in", 0755);
    file_put("jail/in/file", "inside");
    file_put("outside", "outside");
    show(chroot("nothing"));
    show(chroot("outside"));
    show(chroot("jail"));
    show(access("/in/file", F_OK));
    show(access("/outside", F_OK));
    file_say("outside");
    show(chdir("/in"));
    char b[64];
    truth(getcwd(b, sizeof(b)) != NULL && strcmp(b, "/in") == 0);
    show(access("../../../../outside", F_OK));
    show(symlink("/in/file", "abs"));
    file_say("abs");
}

static volatile sig_atomic_t handled;
static void handler(int s)
{
    (void)s;
    handled++;
}

// pselect and ppoll take the mask and wait in one step: the pending signal comes inside.
static void masked_waits(void)
{
    sigset_t blocked, open;
    sigemptyset(&open);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    signal(SIGUSR1, handler);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGUSR1);
    say("before: %d", handled);
    struct timespec limit = {20, 0};
    show(pselect(0, NULL, NULL, NULL, &limit, &open));
    say("after: %d", handled);
    raise(SIGUSR1);
    show(ppoll(NULL, 0, &limit, &open));
    say("after: %d", handled);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    truth(sigismember(&now, SIGUSR1) == 1);
    limit.tv_sec = 0;
    raise(SIGUSR1);
    show(pselect(0, NULL, NULL, NULL, &limit, NULL));
    say("still: %d", handled);
}

static void limits(void)
{
    struct rlimit limit;
    show(getrlimit(RLIMIT_CORE, &limit));
    show(setrlimit(RLIMIT_CORE, &limit));
    limit = (struct rlimit){100, 50};
    show(setrlimit(RLIMIT_NOFILE, &limit));
    limit = (struct rlimit){3000, 3000};
    show(setrlimit(RLIMIT_FSIZE, &limit));
    show(getrlimit(RLIMIT_FSIZE, &limit));
    say("%ld %ld", (long)limit.rlim_cur, (long)limit.rlim_max);
    signal(SIGXFSZ, handler);
    handled = 0;
    static char block[4096];
    int fd = open("limited", O_RDWR | O_CREAT | O_TRUNC, 0644);
    show(write(fd, block, 4096));
    show(write(fd, block, 4096));
    say("handled %d", handled);
    show(syscall(SYS_prlimit64, 1 << 28, RLIMIT_CORE, NULL, &limit));
}

int main(void)
{
    scratch_enter();
    in_child("sending", sending);
    in_child("locks", locks);
    in_child("names", names);
    in_child("scheduling", scheduling);
    in_child("roots", roots);
    in_child("masked waits", masked_waits);
    in_child("limits", limits);
    return 0;
}
