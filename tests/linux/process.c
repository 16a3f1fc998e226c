// process.c - fork, vfork, wait and exit: statuses, orphans, zombies, what a child has in common.
// test: smp=1,4 cache=default,tiny
#include "show.h"
#include <sched.h>
#include <sys/resource.h>

static volatile int shared_word = 1;

static void exits(void)
{
    static const int codes[] = {0, 1, 7, 127, 128, 255, 256, 300, -1};
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(codes[i]);
        }
        int status;
        truth(waitpid(pid, &status, 0) == pid);
        child_status("exit", status);
    }
}

static void waits(void)
{
    int status = -1;
    show(waitpid(-1, &status, 0));
    show(waitpid(-1, &status, WNOHANG));
    show(waitpid(getpid(), &status, 0));
    show(waitpid(1 << 28, &status, 0));
    show(waitpid(-1, &status, 0x12345678));
    int gate[2];
    if (pipe(gate) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(gate[1]);
        _exit(read(gate[0], &c, 1) == 0 ? 5 : 6);
    }
    close(gate[0]);
    show(waitpid(pid, &status, WNOHANG));
    close(gate[1]);
    truth(wait4(pid, &status, 0, NULL) == pid);
    child_status("gated", status);
    show(waitpid(pid, &status, 0));
    struct rusage usage;
    memset(&usage, 0xff, sizeof(usage));
    pid = fork();
    if (pid == 0) {
        _exit(9);
    }
    truth(wait4(pid, &status, 0, &usage) == pid);
    child_status("with usage", status);
    truth(usage.ru_utime.tv_usec >= 0 && usage.ru_utime.tv_usec < 1000000);
}

static void wait_ids(void)
{
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    pid_t pid = fork();
    if (pid == 0) {
        _exit(33);
    }
    show(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    truth(info.si_pid == pid);
    say("code %d status %d signo %d", info.si_code == CLD_EXITED, info.si_status, info.si_signo == SIGCHLD);
    memset(&info, 0, sizeof(info));
    show(waitid(P_ALL, 0, &info, WEXITED));
    truth(info.si_pid == pid);
    show(waitid(P_ALL, 0, &info, WEXITED));
    show(waitid(P_ALL, 0, &info, 0));
}

static void order(void)
{
    pid_t pid[8];
    for (int i = 0; i < 8; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            _exit(i);
        }
    }
    for (int i = 7; i >= 0; i--) {
        int status;
        truth(waitpid(pid[i], &status, 0) == pid[i]);
        child_status("reversed", status);
    }
    truth(pid[0] != pid[1]);
}

static void relations(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        truth(getppid() == parent);
        truth(getpid() != parent);
        truth(getpgrp() == getpgid(parent));
        truth(getsid(0) == getsid(parent));
        truth(syscall(SYS_gettid) == getpid());
        shared_word = 99;
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    say("the child's store is not seen: %d", shared_word);
}

// A grandchild whose parent has gone gets another parent, and nobody waits for it here.
static void orphan(void)
{
    int line[2];
    if (pipe(line) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        pid_t middle = getpid();
        if (fork() == 0) {
            while (getppid() == middle) {
                sched_yield();
            }
            char answer = getppid() != middle ? 'y' : 'n';
            (void)!write(line[1], &answer, 1);
            _exit(0);
        }
        _exit(3);
    }
    int status;
    waitpid(pid, &status, 0);
    child_status("middle", status);
    close(line[1]);
    char answer = '?';
    show(read(line[0], &answer, 1));
    say("orphan has a new parent: %c", answer);
    show(read(line[0], &answer, 1));
    close(line[0]);
}

static void vforks(void)
{
    static volatile int seen;
    pid_t pid = vfork();
    if (pid == 0) {
        seen = 42;
        _exit(4);
    }
    say("the parent of a vfork waits and shares: %d", seen);
    int status;
    truth(waitpid(pid, &status, 0) == pid);
    child_status("vfork", status);
    pid = vfork();
    if (pid == 0) {
        execl("/no/such/file", "x", (char *)NULL);
        _exit(errno == ENOENT ? 5 : 6);
    }
    waitpid(pid, &status, 0);
    child_status("vfork and failed exec", status);
}

static void deep(void)
{
    // A chain of forks, each waits for the next: the last exit status comes up through all.
    pid_t pid = 0;
    int level = 0;
    for (; level < 40; level++) {
        pid = fork();
        if (pid != 0) {
            break;
        }
    }
    if (pid > 0) {
        int status;
        waitpid(pid, &status, 0);
        if (level > 0) {
            _exit(WEXITSTATUS(status) + 1);
        }
        child_status("chain", status);
    } else {
        _exit(1);
    }
}

static void zombies_ignored(void)
{
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(3);
    }
    int status;
    show(waitpid(pid, &status, 0));
    signal(SIGCHLD, SIG_DFL);
}

static void clones(void)
{
    int tid = 0;
    long pid = syscall(SYS_clone, (long)(CLONE_CHILD_SETTID | SIGCHLD), 0L, NULL, &tid, 0L);
    if (pid == 0) {
        _exit(tid == getpid() ? 11 : 12);
    }
    int status;
    truth(waitpid((pid_t)pid, &status, 0) == pid);
    child_status("clone with the child's tid", status);
    say("the parent's word stays: %d", tid);
    pid = syscall(SYS_clone, (long)(CLONE_PARENT_SETTID | SIGCHLD), 0L, &tid, NULL, 0L);
    if (pid == 0) {
        _exit(0);
    }
    truth(tid == pid);
    waitpid((pid_t)pid, &status, 0);
    show(syscall(SYS_clone, (long)(CLONE_THREAD), 0L, NULL, NULL, 0L));
    show(syscall(SYS_clone, (long)(CLONE_SIGHAND), 0L, NULL, NULL, 0L));
}

int main(void)
{
    exits();
    waits();
    wait_ids();
    order();
    relations();
    orphan();
    vforks();
    deep();
    zombies_ignored();
    clones();
    return 0;
}
