// oom.c - memory runs out: the one who asks too much is refused or killed, the others live on.
// test: smp=1,4 cache=default,tiny mem=192M host=no timeout=120
//
// How much there is differs, so this is not compared with the host but with oom.expected.
#include "show.h"

enum { PAGE = 4096 };

static void eat(void)
{
    for (unsigned long n = 0;; n++) {
        char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            say("refused: %s", error_name(errno));
            _exit(3);
        }
        for (int i = 0; i < 64; i++) {
            p[i * PAGE] = 1;
        }
    }
}

static bool glutton(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        close(1);
        eat();
    }
    int status;
    waitpid(pid, &status, 0);
    // Either answer is right: ENOMEM from mmap, or a signal when no frame is left for a page that was promised.
    return (WIFEXITED(status) && (WEXITSTATUS(status) == 3 || WEXITSTATUS(status) == 99)) ||
           (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGSEGV ||
                                    WTERMSIG(status) == SIGBUS));
}

static bool file_filler(void)
{
    static char block[65536];
    int fd = open("/tmp/big", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    memset(block, 1, sizeof(block));
    bool refused = false;
    for (unsigned n = 0; n < 16384 && !refused; n++) {
        ssize_t w = write(fd, block, sizeof(block));
        refused = w < 0 && (errno == ENOSPC || errno == ENOMEM);
    }
    close(fd);
    unlink("/tmp/big");
    return refused;
}

static bool fork_works(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return pid > 0 && status == 0;
}

int main(void)
{
    int line[2];
    if (pipe(line) < 0) {
        return 1;
    }
    // A neighbour with memory of its own answers before, during and after.
    pid_t neighbour = fork();
    if (neighbour == 0) {
        static unsigned char mine[1 << 20];
        memset(mine, 0x5a, sizeof(mine));
        char c;
        close(line[1]);
        (void)!read(line[0], &c, 1);
        unsigned bad = 0;
        for (size_t i = 0; i < sizeof(mine); i++) {
            bad += mine[i] != 0x5a;
        }
        _exit(bad != 0);
    }
    close(line[0]);
    for (int i = 0; i < 3; i++) {
        truth(glutton());
        truth(fork_works());
    }
    truth(file_filler());
    truth(fork_works());
    pid_t pid[3];
    for (int i = 0; i < 3; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            close(1);
            eat();
        }
    }
    for (int i = 0; i < 3; i++) {
        int status;
        truth(waitpid(pid[i], &status, 0) == pid[i]);
    }
    truth(fork_works());
    close(line[1]);
    int status;
    truth(waitpid(neighbour, &status, 0) == neighbour);
    child_status("neighbour", status);
    return 0;
}
