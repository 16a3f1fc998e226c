// pipes.c - pipes and FIFOs: order, capacity, atomic writes, ends that close, EPIPE, non-blocking, poll, select.
// test: smp=1,4 cache=default,tiny
#include "show.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>

static volatile sig_atomic_t broken;
static void on_pipe(int s)
{
    (void)s;
    broken++;
}

static void basics(void)
{
    int p[2];
    char b[16] = "";
    show(pipe(p));
    show(pipe2(p, 0x77));
    show(write(p[1], "abc", 3));
    show(write(p[1], "def", 3));
    show(read(p[0], b, 2));
    show(read(p[0], b, 10));
    say("%s", b);
    show(write(p[0], "x", 1));
    show(read(p[1], b, 1));
    show(lseek(p[0], 0, SEEK_SET));
    show(pread(p[0], b, 1, 0));
    show(ftruncate(p[1], 0));
    show(write(p[1], "", 0));
    int n = -1;
    (void)!write(p[1], "12345", 5);
    show(ioctl(p[0], FIONREAD, &n));
    say("bytes %d", n);
    struct stat st;
    fstat(p[0], &st);
    truth(S_ISFIFO(st.st_mode));
    close(p[1]);
    show(read(p[0], b, 16));
    show(read(p[0], b, 16));
    close(p[0]);
    pipe(p);
    close(p[0]);
    signal(SIGPIPE, on_pipe);
    show(write(p[1], "x", 1));
    say("signals %d", broken);
    signal(SIGPIPE, SIG_IGN);
    show(write(p[1], "x", 1));
}

static void broken_default(void)
{
    int p[2];
    pipe(p);
    close(p[0]);
    (void)!write(p[1], "x", 1);
    say("not reached");
}

static void nonblocking(void)
{
    int p[2];
    static char block[4096];
    char c;
    show(pipe2(p, O_NONBLOCK));
    show(read(p[0], &c, 1));
    long total = 0, w;
    while ((w = write(p[1], block, sizeof(block))) > 0) {
        total += w;
    }
    say("full at %ld: %s", total, error_name(errno));
    show(write(p[1], "x", 1));
    show(read(p[0], block, 4096));
    show(write(p[1], block, 4096));
    show(write(p[1], block, 4096));
    show(fcntl(p[1], F_GETPIPE_SZ));
    struct pollfd f[2] = {{p[0], POLLIN | POLLOUT, 0}, {p[1], POLLIN | POLLOUT, 0}};
    show(poll(f, 2, 0));
    say("revents %x %x", f[0].revents, f[1].revents);
    while (read(p[0], block, sizeof(block)) > 0) {
    }
    show(poll(f, 2, 0));
    say("revents %x %x", f[0].revents, f[1].revents);
    close(p[1]);
    f[1].fd = -1;
    show(poll(f, 2, -1));
    say("revents %x %x", f[0].revents, f[1].revents);
    pipe(p);
    close(p[0]);
    f[0] = (struct pollfd){p[1], POLLOUT, 0};
    f[1] = (struct pollfd){999, POLLIN, 0};
    show(poll(f, 2, 0));
    say("revents %x %x", f[0].revents, f[1].revents);
}

// Writers of whole records up to PIPE_BUF: none is torn.
static void atomic(void)
{
    int p[2];
    pipe(p);
    for (int i = 0; i < 6; i++) {
        if (fork() == 0) {
            static char record[4096];
            unsigned size = 100u + (unsigned)i * 700;
            memset(record, 'a' + i, size);
            memcpy(record, &size, sizeof(size));
            for (int k = 0; k < 30; k++) {
                if (write(p[1], record, size) != (ssize_t)size) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    close(p[1]);
    unsigned torn = 0, records = 0, size;
    static char record[4096];
    while (read(p[0], &size, sizeof(size)) == sizeof(size)) {
        if (size < 100 || size > 4096) {
            torn++;
            break;
        }
        for (unsigned have = 4; have < size;) {
            ssize_t r = read(p[0], record + have, size - have);
            if (r <= 0) {
                torn++;
                break;
            }
            have += (unsigned)r;
        }
        for (unsigned k = 5; k < size; k++) {
            torn += record[k] != record[4];
        }
        records++;
    }
    int status, bad = 0;
    for (int i = 0; i < 6; i++) {
        wait(&status);
        bad += status != 0;
    }
    say("records %u torn %u bad writers %d", records, torn, bad);
}

// A megabyte through a chain of three processes.
static void chain(void)
{
    int p[4][2];
    for (int i = 0; i < 4; i++) {
        pipe(p[i]);
    }
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            static unsigned char b[3000];
            for (int k = 0; k < 4; k++) {
                if (k != i) {
                    close(p[k][0]);
                }
                if (k != i + 1) {
                    close(p[k][1]);
                }
            }
            for (ssize_t n; (n = read(p[i][0], b, sizeof(b))) > 0;) {
                for (ssize_t k = 0; k < n; k++) {
                    b[k]++;
                }
                for (ssize_t done = 0; done < n;) {
                    ssize_t w = write(p[i + 1][1], b + done, (size_t)(n - done));
                    if (w <= 0) {
                        _exit(1);
                    }
                    done += w;
                }
            }
            _exit(0);
        }
    }
    if (fork() == 0) {
        static unsigned char b[8192];
        for (int i = 0; i < 4; i++) {
            close(p[i][0]);
        }
        for (int k = 0; k < 128; k++) {
            for (int i = 0; i < 8192; i++) {
                b[i] = (unsigned char)(k * 31 + i * 7);
            }
            if (write(p[0][1], b, sizeof(b)) != sizeof(b)) {
                _exit(1);
            }
        }
        _exit(0);
    }
    for (int i = 0; i < 4; i++) {
        close(p[i][1]);
    }
    unsigned long total = 0, bad = 0;
    static unsigned char b[5000];
    for (ssize_t n; (n = read(p[3][0], b, sizeof(b))) > 0;) {
        for (ssize_t k = 0; k < n; k++, total++) {
            bad += b[k] != (unsigned char)(total / 8192 * 31 + total % 8192 * 7 + 3);
        }
    }
    say("total %lu bad %lu", total, bad);
    int status;
    while (wait(&status) > 0) {
        if (status != 0) {
            child_status("member", status);
        }
    }
}

static void waiting(void)
{
    int p[2], q[2];
    pipe(p);
    pipe(q);
    struct timespec before, after;
    struct pollfd f = {p[0], POLLIN, 0};
    clock_gettime(CLOCK_MONOTONIC, &before);
    show(poll(&f, 1, 60));
    clock_gettime(CLOCK_MONOTONIC, &after);
    truth((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 59);
    pid_t pid = fork();
    if (pid == 0) {
        pause_ms(50);
        (void)!write(q[1], "q", 1);
        _exit(0);
    }
    fd_set set;
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    FD_SET(q[0], &set);
    struct timeval limit = {20, 0};
    show(select(q[0] + 1, &set, NULL, NULL, &limit));
    say("%d %d", FD_ISSET(p[0], &set) != 0, FD_ISSET(q[0], &set) != 0);
    waitpid(pid, NULL, 0);
    limit.tv_sec = 0;
    limit.tv_usec = 1000;
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    show(select(p[0] + 1, &set, NULL, NULL, &limit));
    show(select(-1, NULL, NULL, NULL, &limit));
    limit.tv_usec = -5;
    show(select(0, NULL, NULL, NULL, &limit));
    FD_ZERO(&set);
    FD_SET(60, &set);
    limit.tv_usec = 0;
    show(select(61, &set, NULL, NULL, &limit));
    show(poll(NULL, 0, 1));
    int fd = open("/dev/null", O_RDWR);
    f = (struct pollfd){fd, POLLIN | POLLOUT, 0};
    show(poll(&f, 1, -1));
    say("revents %x", f.revents);
}

static void fifos(void)
{
    char b[8] = "";
    scratch_enter();
    show(mkfifo("fifo", 0600));
    show(mkfifo("fifo", 0600));
    show(open("fifo", O_WRONLY | O_NONBLOCK));
    okay(open("fifo", O_RDONLY | O_NONBLOCK));
    unlink("fifo");
    mkfifo("fifo", 0600);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("fifo", O_WRONLY);
        (void)!write(fd, "through", 7);
        _exit(0);
    }
    int fd = open("fifo", O_RDONLY);
    show(read(fd, b, 7));
    show(read(fd, b, 7));
    say("%s", b);
    waitpid(pid, NULL, 0);
    unlink("fifo");
}

int main(void)
{
    in_child("basics", basics);
    in_child("broken, by default", broken_default);
    in_child("nonblocking", nonblocking);
    in_child("atomic", atomic);
    in_child("chain", chain);
    in_child("waiting", waiting);
    in_child("fifos", fifos);
    return 0;
}
